// The commands that change keys, and who can open the repository at each moment of them.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <set>

#include "engine/keys.h"
#include "proof.h"

namespace coffre::proof {

// Each holds one secret: the old one, with which the command opens the repository; the spare one,
// which opens it before the command, too; and two that a command may be about.
enum class Holder { old, spare, fresh, recovery };
using Holders = std::set<Holder>;

class Secrets {
public:
    // The old one is the file "key" of the folder.
    explicit Secrets(std::string folder);
    Credentials of(Holder holder) const;
    // A key file of any name.
    Credentials file(std::string const& name) const { return {{}, folder_ + "/" + name}; }
    // To the repository that the old one made.
    void add_spare(Repository& repository);
    std::string const& spare_id() const { return spare_id_; }

private:
    std::string folder_;
    std::string recovery_key_;
    std::string spare_id_;
};

struct KeyChange {
    std::string name;
    void (*run)(Repository& repository, Secrets const& secrets);
    // Who can open it: before, on the way, and when it is done. Whatever happens, it is one of
    // these.
    std::vector<Holders> steps;
};

std::vector<KeyChange> const& key_changes();
// Refuses an unknown name.
KeyChange const& key_change(std::string const& name);

using OpenWith = std::function<std::shared_ptr<Repository>(Credentials const&)>;

// Throws when one is refused for another reason than that he holds no key.
Holders who_can_open(OpenWith const& open, Secrets const& secrets);
std::string text_of(Holders const& holders);

enum class Change { is_done, may_be_done };

// One of those who can open the repository now; those are as promised.
Holder expect_promised(KeyChange const& change, Change done, OpenWith const& open,
                       Secrets const& secrets, Cases& cases);

// Other keys can be added, replaced, removed, and drawn anew; all snapshots are as they were.
void expect_keys_go_on(OpenWith const& open, Credentials const& opens, Secrets const& secrets,
                       Cases& cases);

}  // namespace coffre::proof
