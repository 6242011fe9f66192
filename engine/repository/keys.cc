// Changes to the key slots: a new one is durable and was opened before an old one goes.
#include "engine/keys.h"

#include <unistd.h>

#include <algorithm>

#include "engine/crypto/kdf.h"
#include "engine/crypto/recovery_key.h"
#include "engine/repository/key_slots.h"
#include "engine/repository/names.h"
#include "engine/repository/repository.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

[[noreturn]] void refuse(std::string const& message) {
    throw RepositoryError(RepositoryFailure::failed, message);
}

void require_keys(Repository const& repository) {
    if (repository.keys().mode() == Mode::encrypted) return;
    throw RepositoryError(RepositoryFailure::unusable,
                          "the repository is not encrypted: it has no keys");
}

void remove_slots(Repository& repository, std::vector<std::string> const& names) {
    for (auto const& name : names) repository.store().remove(name);
    repository.store().barrier();
}

// Somebody else drew a new master secret since the repository was opened: the new slot `name` does
// not hold that, and would open nothing or hide what does.
bool is_another_drawn(Repository& repository, std::string const& name) {
    auto const list = list_keys(repository);
    std::uint32_t const known = repository.keys().newest_epoch();
    return std::any_of(list.slots.begin(), list.slots.end(), [&](auto const& slot) {
        return slot.prefix.epochs > known && "keys/" + slot.id != name;
    });
}

[[noreturn]] void refuse_after_rekey() {
    refuse("the repository has got a new master secret meanwhile; nothing was changed");
}

void require_no_other_rekey(Repository& repository, std::string const& name) {
    if (!is_another_drawn(repository, name)) return;
    remove_slots(repository, {name});
    refuse_after_rekey();
}

// Nobody may be left with a key that he was told he has not.
[[noreturn]] void take_back(Repository& repository, std::string const& name,
                            RepositoryError const& reason) {
    try {
        remove_slots(repository, {name});
    } catch (RepositoryError const& error) {
        throw RepositoryError(reason.kind(), std::string(reason.what()) + "; the new key " + name +
                                                 " may be there all the same: " + error.what());
    }
    throw RepositoryError(reason.kind(), reason.what());
}

// Whoever draws the next master secret puts it there: of several at once one does.
SlotId slot_of_rekey(KeyRing const& keys) {
    return SlotId::from(keys.derive("coffre-rekey-" + std::to_string(keys.newest_epoch())).view());
}

// The new slot as a stranger would meet it: read from the store, opened with what the user has.
std::string put_and_open(Repository& repository, KeyRing const& keys, NewKey const& key) {
    bool const is_one =
        key.credentials.passphrase.has_value() != key.credentials.key_file.has_value();
    if (!is_one) refuse("a key is one passphrase or one key file");
    Backend& store = repository.store();
    bool const is_rekey = keys.newest_epoch() > repository.keys().newest_epoch();
    std::string name = names::key_slot(is_rekey ? slot_of_rekey(keys) : random_id<SlotId>());
    // Looked at first, too: what is taken back may have been used meanwhile.
    if (is_another_drawn(repository, name)) refuse_after_rekey();
    if (!put_key_slot(store, keys, name, {key.credentials, key.kdf, key.label})) {
        refuse(
            name +
            ": the place of the next master secret is taken; if nobody draws one at this moment, "
            "free it with `repo key remove --force` and its first digits");
    }
    try {
        if (!mutant("no-barrier-after-key")) store.barrier();
        require_no_other_rekey(repository, name);
        auto masters = open_key_slot(store, keys.repository(), name, key.credentials);
        bool const is_same = masters == keys.master_secrets();
        if (!is_same) refuse(name + ": does not open what it should");
    } catch (RepositoryError const& error) {
        // Others may have opened it, and stored under a new secret: it stays.
        if (is_rekey) throw;
        take_back(repository, name, error);
    }
    return name;
}

// "; " and a message for each slot that could not be read, and may be what was asked for.
std::string damage_of(KeySlotList const& list) {
    std::string text;
    for (auto const& slot : list.damaged) text += "; " + slot.message;
    return text;
}

// The only slot whose id starts so.
std::string id_of(KeySlotList const& list, std::string const& prefix) {
    std::vector<std::string> found;
    auto const look_at = [&](auto const& slots) {
        for (auto const& slot : slots) {
            if (slot.id.starts_with(prefix)) found.push_back(slot.id);
        }
    };
    look_at(list.slots);
    look_at(list.damaged);
    if (prefix.empty() || found.empty()) refuse("no key \"" + prefix + "\"" + damage_of(list));
    if (found.size() > 1) refuse("more than one key starts with \"" + prefix + "\"");
    return found.front();
}

bool is_outdated(KeySlotList const& list, std::string const& id) {
    return std::any_of(list.slots.begin(), list.slots.end(),
                       [&](auto const& slot) { return slot.id == id && slot.is_outdated; });
}

}  // namespace

KeySlotList list_keys(Repository& repository) {
    require_keys(repository);
    KeySlotList list;
    std::uint32_t const newest = repository.keys().newest_epoch();
    for (auto const& object : repository.store().list("keys/")) {
        try {
            auto const slot = describe_key_slot(repository.store(), repository.keys(), object.name);
            list.slots.push_back({last_component(object.name), slot.prefix, slot.info,
                                  object.name == repository.opened_by(),
                                  slot.prefix.epochs < newest});
        } catch (RepositoryError const& error) {
            if (!is_of_one_object(error.kind())) throw;
            if (!repository.store().stat(object.name)) continue;  // removed since it was listed
            list.damaged.push_back({last_component(object.name), error.what()});
        }
    }
    std::sort(list.slots.begin(), list.slots.end(),
              [](auto const& a, auto const& b) { return a.info.created_ns < b.info.created_ns; });
    return list;
}

namespace {

// The slot that these open already; empty when none does, or this machine has not the memory to
// find out.
std::string slot_opened_by(Repository& repository, Credentials const& credentials) {
    bool const is_new_file =
        credentials.key_file && ::access(credentials.key_file->c_str(), F_OK) != 0;
    if (is_new_file) return "";
    try {
        return open_key_slots(repository.store(), repository.id(), credentials).name;
    } catch (CostlyKeyError const&) {
    } catch (RepositoryError const& error) {
        bool const is_unknown = error.kind() == RepositoryFailure::wrong_key ||
                                error.kind() == RepositoryFailure::denied;
        if (!is_unknown) throw;
    }
    return "";
}

// A second slot for it would open nothing more, and outlive the removal of the first.
[[noreturn]] void refuse_known(Repository& repository, NewKey const& key, std::string const& slot) {
    refuse(key.credentials.key_file.value_or("the new passphrase") +
           ": is a key of this repository already, " + last_component(slot).substr(0, 8) +
           (slot == repository.opened_by()
                ? ""
                : "; to be rid of another one, open the repository with this one, and remove that "
                  "with `repo key remove`"));
}

// The passphrase in use may cost more from now on.
bool changes_cost(Repository& repository, NewKey const& key, std::string const& slot) {
    if (!key.credentials.passphrase || slot != repository.opened_by()) return false;
    auto const known = describe_key_slot(repository.store(), repository.keys(), slot);
    return known.prefix.cost != cost_of(key.kdf);
}

}  // namespace

bool opens_already(Repository& repository, Credentials const& credentials) {
    return !slot_opened_by(repository, credentials).empty();
}

std::string add_key(Repository& repository, NewKey const& key) {
    require_keys(repository);
    std::string const known = slot_opened_by(repository, key.credentials);
    if (!known.empty()) refuse_known(repository, key, known);
    return last_component(put_and_open(repository, repository.keys(), key));
}

std::string removable_key(Repository& repository, std::string const& prefix, KeyRemoval removal) {
    auto const list = list_keys(repository);
    std::string id = id_of(list, prefix);
    auto const others = std::count_if(list.slots.begin(), list.slots.end(), [&](auto const& slot) {
        return !slot.is_outdated && slot.id != id;
    });
    if (others == 0 && !is_outdated(list, id) && !mutant("remove-last-key")) {
        refuse("key " + id.substr(0, 8) +
               " is the last one: without it nothing can be read any more" + damage_of(list));
    }
    if (removal == KeyRemoval::forced) return id;
    if ("keys/" + id == repository.opened_by()) {
        refuse("key " + id.substr(0, 8) +
               " is the one that you opened the repository with; open it with another one, or "
               "add --force");
    }
    auto const damaged = std::find_if(list.damaged.begin(), list.damaged.end(),
                                      [&](auto const& slot) { return slot.id == id; });
    if (damaged != list.damaged.end()) {
        refuse(damaged->message +
               "; whoever has its key may still be able to use it: to remove it "
               "all the same, add --force");
    }
    return id;
}

namespace {

// Two who remove each other's key at once would leave none: then the slot is put again. One that
// cannot be read is none that was removed.
bool put_back_if_last(Repository& repository, std::string const& name, Bytes const& slot) {
    auto const left = list_keys(repository);
    bool const any =
        !left.damaged.empty() || std::any_of(left.slots.begin(), left.slots.end(),
                                             [](auto const& each) { return !each.is_outdated; });
    if (any || slot.empty()) return false;
    repository.store().put(name, slot);
    repository.store().barrier();
    return true;
}

// Empty when it cannot be read.
Bytes slot_if_readable(Repository& repository, std::string const& name) {
    try {
        return get_whole(repository.store(), name, limits::mib);
    } catch (RepositoryError const& error) {
        if (!is_of_one_object(error.kind())) throw;
        return {};
    }
}

}  // namespace

std::string remove_key(Repository& repository, std::string const& prefix, KeyRemoval removal) {
    std::string id = removable_key(repository, prefix, removal);
    std::string const name = "keys/" + id;
    Bytes const slot = slot_if_readable(repository, name);
    // Those that stay may be another process's, which has not synced them yet.
    if (!mutant("rely-on-unsynced-key")) repository.store().barrier();
    remove_slots(repository, {name});
    if (!mutant("remove-last-key") && put_back_if_last(repository, name, slot))
        refuse("all other keys were removed meanwhile; nothing was changed");
    return id;
}

std::string replace_key(Repository& repository, NewKey const& key) {
    require_keys(repository);
    std::string const known = slot_opened_by(repository, key.credentials);
    if (!known.empty() && !changes_cost(repository, key, known))
        refuse_known(repository, key, known);
    if (mutant("old-key-first")) remove_slots(repository, {repository.opened_by()});
    std::string const name = put_and_open(repository, repository.keys(), key);
    Bytes const slot = slot_if_readable(repository, name);
    remove_slots(repository, {repository.opened_by()});
    put_back_if_last(repository, name, slot);
    return last_component(name);
}

std::string rekey(Repository& repository, NewKey const& key) {
    require_keys(repository);
    auto masters = repository.keys().master_secrets();
    MasterSecret fresh{repository.keys().newest_epoch() + 1, {}};
    fill_random(fresh.secret);
    masters.push_back(fresh);
    KeyRing const keys(Mode::encrypted, repository.id(), masters);
    std::string const name = put_and_open(repository, keys, key);
    std::vector<std::string> others;
    for (auto const& object : repository.store().list("keys/")) {
        if (object.name != name) others.push_back(object.name);
    }
    Bytes const slot = slot_if_readable(repository, name);
    remove_slots(repository, others);
    put_back_if_last(repository, name, slot);
    repository.keep_local_state(nullptr, [&](LocalState& state) { note_newest(keys, state); });
    return last_component(name);
}

std::string make_recovery_key() {
    return random_recovery_key();
}

}  // namespace coffre
