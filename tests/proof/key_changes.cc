#include "key_changes.h"

#include <algorithm>
#include <stdexcept>

namespace coffre::proof {

namespace {

NewKey new_key(Credentials credentials) {
    return {std::move(credentials), KdfStrength::standard, ""};
}

NewKey fresh_key(Secrets const& secrets) {
    return new_key(secrets.of(Holder::fresh));
}

void run_add(Repository& repository, Secrets const& secrets) {
    add_key(repository, fresh_key(secrets));
}

void run_add_recovery(Repository& repository, Secrets const& secrets) {
    add_key(repository, new_key(secrets.of(Holder::recovery)));
}

void run_replace(Repository& repository, Secrets const& secrets) {
    replace_key(repository, fresh_key(secrets));
}

void run_rekey(Repository& repository, Secrets const& secrets) {
    rekey(repository, fresh_key(secrets));
}

void run_remove_spare(Repository& repository, Secrets const& secrets) {
    remove_key(repository, secrets.spare_id(), KeyRemoval::careful);
}

void run_remove_current(Repository& repository, Secrets const&) {
    remove_key(repository, last_component(repository.opened_by()), KeyRemoval::forced);
}

}  // namespace

Secrets::Secrets(std::string folder)
    : folder_(std::move(folder)), recovery_key_(make_recovery_key()) {}

Credentials Secrets::of(Holder holder) const {
    if (holder == Holder::old) return file("key");
    if (holder == Holder::spare) return file("spare");
    if (holder == Holder::fresh) return file("fresh");
    return {recovery_key_, {}};
}

void Secrets::add_spare(Repository& repository) {
    spare_id_ = add_key(repository, new_key(of(Holder::spare)));
}

std::vector<KeyChange> const& key_changes() {
    constexpr auto old = Holder::old;
    constexpr auto spare = Holder::spare;
    constexpr auto fresh = Holder::fresh;
    constexpr auto recovery = Holder::recovery;
    static std::vector<KeyChange> const changes{
        {"add", run_add, {{old, spare}, {old, spare, fresh}}},
        {"add --recovery", run_add_recovery, {{old, spare}, {old, spare, recovery}}},
        {"remove", run_remove_spare, {{old, spare}, {old}}},
        {"remove --force", run_remove_current, {{old, spare}, {spare}}},
        {"passwd", run_replace, {{old, spare}, {old, spare, fresh}, {spare, fresh}}},
        {"rekey", run_rekey, {{old, spare}, {fresh}}},
    };
    return changes;
}

KeyChange const& key_change(std::string const& name) {
    for (auto const& change : key_changes()) {
        if (change.name == name) return change;
    }
    throw std::invalid_argument("no key change " + name);
}

Holders who_can_open(OpenWith const& open, Secrets const& secrets) {
    Holders holders;
    // New ones first: what this machine then remembers must not shut out the others.
    for (auto const holder : {Holder::recovery, Holder::fresh, Holder::old, Holder::spare}) {
        try {
            open(secrets.of(holder));
            holders.insert(holder);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::wrong_key) throw;
        }
    }
    return holders;
}

std::string text_of(Holders const& holders) {
    static constexpr char const* names[] = {"old", "spare", "fresh", "recovery"};
    std::string text;
    for (auto const holder : holders) text += std::string(" ") + names[static_cast<int>(holder)];
    return text.empty() ? " nobody" : text;
}

Holder expect_promised(KeyChange const& change, Change done, OpenWith const& open,
                       Secrets const& secrets, Cases& cases) {
    Holders const found = who_can_open(open, secrets);
    auto const& steps = change.steps;
    bool const is_promised = done == Change::is_done
                                 ? found == steps.back()
                                 : std::find(steps.begin(), steps.end(), found) != steps.end();
    cases.expect(is_promised, "it opens for:" + text_of(found));
    if (found.empty()) throw std::runtime_error("nobody can open the repository any more");
    return *found.begin();
}

void expect_keys_go_on(OpenWith const& open, Credentials const& opens, Secrets const& secrets,
                       Cases& cases) {
    auto const first = open(opens);
    auto const tars = all_tars(*first);
    add_key(*first, new_key(secrets.file("second")));
    auto const second = open(secrets.file("second"));
    replace_key(*second, new_key(secrets.file("third")));
    remove_key(*open(secrets.file("third")), last_component(first->opened_by()),
               KeyRemoval::careful);
    rekey(*open(secrets.file("third")), new_key(secrets.file("fourth")));
    auto const last = open(secrets.file("fourth"));
    cases.expect(list_keys(*last).slots.size() == 1, "a rekey left other keys");
    cases.expect(all_tars(*last) == tars, "changes of keys changed snapshots");
}

}  // namespace coffre::proof
