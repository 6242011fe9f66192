#include "engine/repository/key_slots.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/crypto/hash.h"
#include "engine/crypto/kdf.h"
#include "engine/crypto/recovery_key.h"
#include "engine/crypto/seal.h"
#include "engine/repository/names.h"
#include "engine/util/clock.h"
#include "engine/util/fd.h"
#include "engine/util/host.h"
#include "engine/util/small_file.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::uint64_t slot_object_limit = limits::mib;
constexpr std::uint64_t sealed_limit = 256 * limits::kib;

// A slot's parts, after its checksum was found right.
struct SealedSlot {
    std::string name;
    Bytes prefix_bytes;
    SlotPrefix prefix;
    Bytes secrets;
    Bytes info;
};

Bytes read_sealed(Reader& in, std::string const& what) {
    ByteView const bytes = in.sized(sealed_limit, what);
    return {bytes.begin(), bytes.end()};
}

SealedSlot read_slot(Backend& store, std::string const& name) {
    Bytes const object = get_whole(store, name, slot_object_limit);
    ByteView const all(object);
    return naming(name, [&] {
        if (all.size() < 8) throw FormatError("cut off");
        Reader checksum(all.last(8), name);
        ByteView const body = all.first(all.size() - 8);
        if (checksum.u64() != xxh3(body))
            throw FormatError("checksum differs: the slot is damaged");
        Reader in(body, "key slot");
        SealedSlot slot;
        slot.name = name;
        slot.prefix = decode_slot_prefix(in);
        slot.prefix_bytes = encode_slot_prefix(slot.prefix);
        slot.secrets = read_sealed(in, "sealed secrets");
        slot.info = read_sealed(in, "sealed info");
        in.expect_end();
        return slot;
    });
}

SecretKey read_key_file(std::string const& path) {
    Fd const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT) {
        throw RepositoryError(RepositoryFailure::wrong_key, path + ": no such key file");
    }
    SecretKey key;
    std::byte more{};
    ssize_t const size = fd ? read_full(fd.get(), key.writable()) : -1;
    ssize_t const rest = size < 0 ? -1 : read_full(fd.get(), std::span(&more, 1));
    if (rest < 0) {
        throw RepositoryError(RepositoryFailure::wrong_key,
                              path + ": cannot read the key file: " + errno_text());
    }
    if (static_cast<std::size_t>(size) == SecretKey::size && rest == 0) return key;
    throw RepositoryError(RepositoryFailure::wrong_key,
                          path + ": not a key file: it must hold 32 bytes");
}

SecretKey read_or_make_key_file(std::string const& path) {
    if (::access(path.c_str(), F_OK) == 0) return read_key_file(path);
    SecretKey key = SecretKey::random();
    try {
        // Somebody else may be faster: then that one is the key.
        if (!create_small_file(path, key.view())) return read_key_file(path);
    } catch (SourceError const& error) {
        throw RepositoryError(RepositoryFailure::failed,
                              std::string("cannot make the key file: ") + error.what());
    }
    return key;
}

Bytes bound_of(RepositoryId const& repository, std::string const& name, ByteView prefix) {
    return authenticated_data(ObjectKind::key_slot, repository, name, prefix);
}

struct NewSlot {
    std::string const& name;
    SlotPrefix prefix;
    SlotInfo info;
};

bool put_slot(Backend& store, KeyRing const& keys, NewSlot const& slot, SecretKey const& slot_key) {
    auto const& [name, start, info] = slot;
    SlotSecrets secrets{keys.master_secrets()};
    SlotPrefix prefix = start;
    prefix.epochs = static_cast<std::uint32_t>(secrets.masters.size());
    prefix.commitment = slot_commitment(slot_key, keys.repository(), prefix);
    Bytes const prefix_bytes = encode_slot_prefix(prefix);
    Bytes const bound = bound_of(keys.repository(), name, prefix_bytes);
    Bytes content = encode_slot_secrets(secrets);
    Writer out;
    out.raw(prefix_bytes);
    out.sized(seal(Mode::encrypted, subkey(slot_key, "coffre-slot-seal"), bound, content));
    out.sized(
        seal(Mode::encrypted, keys.derive("coffre-slot-info"), bound, encode_slot_info(info)));
    out.u64(xxh3(out.view()));
    wipe(content);
    return store.put(name, out.view()) == PutResult::stored;
}

// What was sealed for this slot; the key is known to be the right one.
Bytes unseal_part(SealedSlot const& slot, RepositoryId const& repository, SecretKey const& key,
                  ByteView sealed) {
    auto content =
        unseal(Mode::encrypted, key, bound_of(repository, slot.name, slot.prefix_bytes), sealed);
    if (content) return std::move(*content);
    throw corrupt(slot.name + ": the key fits, but the slot was changed");
}

std::vector<MasterSecret> unseal_masters(RepositoryId const& repository, SealedSlot const& slot,
                                         SecretKey const& slot_key) {
    Bytes content =
        unseal_part(slot, repository, subkey(slot_key, "coffre-slot-seal"), slot.secrets);
    return naming(slot.name, [&] {
        auto masters = decode_slot_secrets(content).masters;
        wipe(content);
        if (masters.size() != slot.prefix.epochs) throw FormatError("holds other master secrets");
        return masters;
    });
}

// The credentials, with the key file read. One that cannot be used is a failure only when nothing
// else fits.
struct GivenKeys {
    explicit GivenKeys(Credentials const& credentials) : passphrase(credentials.passphrase) {
        if (!credentials.key_file) return;
        try {
            file = read_key_file(*credentials.key_file);
        } catch (std::runtime_error const& error) {
            if (!passphrase) throw;
            unusable_file = std::string("; ") + error.what();
        }
    }

    std::optional<std::string> const& passphrase;
    std::optional<SecretKey> file;
    std::string unusable_file;  // "; " and why
};

// The slot's key under the credentials of the slot's kind, if there are any.
std::optional<SecretKey> slot_key(SealedSlot const& slot, GivenKeys const& given) {
    if (slot.prefix.kind == SlotKind::passphrase) {
        if (!given.passphrase) return std::nullopt;
        std::string typed = as_recovery_key(*given.passphrase);
        SecretKey key = slot_key_of_passphrase(typed, slot.prefix);
        wipe(typed);
        return key;
    }
    if (!given.file) return std::nullopt;
    return slot_key_of_file(*given.file, slot.prefix);
}

bool fits(SealedSlot const& slot, RepositoryId const& repository,
          std::optional<SecretKey> const& key) {
    return key && slot_commitment(*key, repository, slot.prefix) == slot.prefix.commitment;
}

// Nothing of a slot is vouched for before its key is known, and there may be any number of them.
constexpr std::size_t most_slots = 10'000;

constexpr int open_attempts = 5;

struct SlotList {
    std::vector<ObjectInfo> listed;
    std::vector<SealedSlot> slots;          // without what is sealed; the most master secrets first
    std::string damaged;                    // "; " and a message for each other one
    std::optional<RepositoryError> denied;  // of one that this user may not read
};

SealedSlot without_sealed(SealedSlot slot) {
    slot.secrets = {};
    slot.info = {};
    return slot;
}

SlotList read_slots(Backend& store) {
    SlotList list;
    auto const objects = store.list("keys/");
    if (objects.size() > most_slots) {
        throw corrupt("keys/: holds " + std::to_string(objects.size()) + " objects, more than " +
                      std::to_string(most_slots));
    }
    list.listed = objects;
    for (auto const& object : objects) {
        try {
            list.slots.push_back(without_sealed(read_slot(store, object.name)));
        } catch (RepositoryError const& error) {
            if (!is_of_one_object(error.kind())) throw;
            if (error.kind() == RepositoryFailure::denied) list.denied = error;
            list.damaged += std::string("; ") + error.what();
        }
    }
    // The cheaper first: this machine may lack the memory that another's passphrase needs.
    std::stable_sort(list.slots.begin(), list.slots.end(),
                     [](SealedSlot const& a, SealedSlot const& b) {
                         return std::pair(b.prefix.epochs, a.prefix.cost.memory_kib) <
                                std::pair(a.prefix.epochs, b.prefix.cost.memory_kib);
                     });
    return list;
}

[[noreturn]] void throw_no_slot(Credentials const& credentials, std::string const& damaged) {
    bool const by_file = credentials.key_file && !credentials.passphrase;
    std::string message = std::string(by_file ? "the key file opens" : "the passphrase opens") +
                          " no key slot of this repository" + damaged;
    if (credentials.passphrase && is_mistyped_recovery_key(*credentials.passphrase)) {
        message += "; if this is a recovery key, there is a typing mistake in it";
    }
    if (damaged.empty()) message += " (unless `config` or `keys/` are another repository's)";
    throw RepositoryError(RepositoryFailure::wrong_key, message);
}

}  // namespace

KdfCost cost_of(KdfStrength strength) {
    if (strength == KdfStrength::strong) return {4, 1024 * 1024};
    return {3, 64 * 1024};
}

bool put_key_slot(Backend& store, KeyRing const& keys, std::string const& name,
                  SlotCredentials const& how) {
    Credentials const& credentials = how.credentials;
    NewSlot slot{name, {}, {how.label, host_name(), now_ns()}};
    SlotPrefix& prefix = slot.prefix;
    fill_random(prefix.salt);
    if (credentials.passphrase) {
        prefix.kind = SlotKind::passphrase;
        prefix.cost = cost_of(how.strength);
        // A recovery key may be typed in here as well as when it is used.
        std::string typed = as_recovery_key(*credentials.passphrase);
        SecretKey const key = slot_key_of_passphrase(typed, prefix);
        wipe(typed);
        return put_slot(store, keys, slot, key);
    }
    prefix.kind = SlotKind::key_file;
    return put_slot(store, keys, slot,
                    slot_key_of_file(read_or_make_key_file(*credentials.key_file), prefix));
}

// Whoever holds the first master secret has sealed what is told of a slot; what its prefix says is
// bound to that, and anybody could else claim to have more secrets.
bool is_genuine(Backend& store, RepositoryId const& repository, SecretKey const& info_key,
                std::string const& name) {
    SealedSlot const slot = read_slot(store, name);
    return unseal(Mode::encrypted, info_key, bound_of(repository, name, slot.prefix_bytes),
                  slot.info)
        .has_value();
}

void require_newest(Backend& store, RepositoryId const& repository, SlotList const& list,
                    SlotPrefix const& own, std::vector<MasterSecret> const& masters) {
    SecretKey const first(masters.front().secret);
    SecretKey const info_key = subkey(first, "coffre-slot-info");
    for (auto const& slot : list.slots) {
        if (slot.prefix.epochs <= own.epochs) break;
        if (!is_genuine(store, repository, info_key, slot.name)) continue;
        throw RepositoryError(RepositoryFailure::wrong_key,
                              "the repository has a new master secret, which this key does "
                              "not open: have it added again with `repo key add`");
    }
}

namespace {

OpenedSlot open_one_of(SlotList list, Backend& store, RepositoryId const& repository,
                       Credentials const& credentials) {
    GivenKeys const given(credentials);
    std::optional<CostlyKeyError> lack_of_memory;  // of one slot; another may need less
    for (auto const& slot : list.slots) {
        try {
            auto const key = slot_key(slot, given);
            if (!fits(slot, repository, key)) continue;
            auto masters = unseal_masters(repository, read_slot(store, slot.name), *key);
            require_newest(store, repository, list, slot.prefix, masters);
            return {slot.name, std::move(masters)};
        } catch (CostlyKeyError const& error) {
            lack_of_memory = error;
        } catch (RepositoryError const& error) {
            if (!is_of_one_object(error.kind())) throw;
            list.damaged += std::string("; ") + error.what();
        }
    }
    if (lack_of_memory) throw *lack_of_memory;
    if (list.denied) throw *list.denied;
    throw_no_slot(credentials, given.unusable_file + list.damaged);
}

bool is_one_gone(Backend& store, SlotList const& list) {
    return std::any_of(list.listed.begin(), list.listed.end(),
                       [&](ObjectInfo const& object) { return !store.stat(object.name); });
}

}  // namespace

OpenedSlot open_key_slots(Backend& store, RepositoryId const& repository,
                          Credentials const& credentials) {
    for (int attempt = 1;; ++attempt) {
        SlotList const list = read_slots(store);
        try {
            return open_one_of(list, store, repository, credentials);
        } catch (RepositoryError const& error) {
            // Whoever changes a key puts the new slot before the old one goes.
            bool const may_be_in_another = error.kind() == RepositoryFailure::wrong_key &&
                                           attempt < open_attempts && is_one_gone(store, list);
            if (!may_be_in_another) throw;
        }
    }
}

std::uint32_t newest_slot_epoch(Backend& store) {
    auto const list = read_slots(store);
    return list.slots.empty() ? 0 : list.slots.front().prefix.epochs;
}

std::vector<MasterSecret> open_key_slot(Backend& store, RepositoryId const& repository,
                                        std::string const& name, Credentials const& credentials) {
    SealedSlot const slot = read_slot(store, name);
    auto const key = slot_key(slot, GivenKeys(credentials));
    if (!fits(slot, repository, key)) throw_no_slot(credentials, "");
    return unseal_masters(repository, slot, *key);
}

DescribedSlot describe_key_slot(Backend& store, KeyRing const& keys, std::string const& name) {
    SealedSlot const slot = read_slot(store, name);
    Bytes const content =
        unseal_part(slot, keys.repository(), keys.derive("coffre-slot-info"), slot.info);
    return {slot.prefix, naming(name, [&] { return decode_slot_info(content); })};
}

}  // namespace coffre
