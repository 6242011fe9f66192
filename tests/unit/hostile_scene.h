// A place where hostile repositories are restored: a target, and a canary beside it that must stay
// as it is.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "hostile_tree.h"

namespace coffre::test {

// Runs it on a stack as large as the program's own.
void on_large_stack(std::function<void()> const& action);

class Scene {
public:
    Scene();

    // "<sandbox>/above/target"; "<sandbox>/canary".
    std::string target() const { return sandbox_ / "above/target"; }
    std::string canary() const { return sandbox_ / "canary"; }
    // An empty target.
    void reset_target() const;
    // Everything that can be seen of what is not in the target, times of change included.
    TreeImage outside() const;
    // What in the target gives rights: set-id bits, devices, attributes.
    std::set<std::string> rights() const;

private:
    TempFolder sandbox_;
};

enum class Expected {
    whole,     // restores without a complaint
    reported,  // something is said, whatever else happens
    either,    // depends on what is in the way, and on the file system
};

struct HostileCase {
    std::string name;
    Expected expected = Expected::either;
    std::string says = {};  // part of what is reported
    // Stores and publishes.
    std::function<void(HostileRepo&, Scene const&)> craft;
    // Puts something into the way. The case is then tried with all that a request may say of it.
    std::function<void(Scene const&)> prepare = nullptr;
    std::string sub_path = {};
    bool dry_run = false;
};

std::ostream& operator<<(std::ostream& out, HostileCase const& hostile);
std::string name_of(testing::TestParamInfo<HostileCase> const& info);

// Restores, checks, lists and dumps; fails the test when anything outside of the target changed,
// rights were given, a complaint has no text, or it took too much memory. A case that does not end
// is ended with the program.
void run_case(HostileCase const& hostile);

}  // namespace coffre::test
