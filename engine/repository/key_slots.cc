#include "engine/repository/key_slots.h"

#include <fcntl.h>
#include <unistd.h>

#include "engine/crypto/hash.h"
#include "engine/crypto/kdf.h"
#include "engine/crypto/seal.h"
#include "engine/repository/names.h"
#include "engine/util/clock.h"
#include "engine/util/fd.h"
#include "engine/util/small_file.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::uint64_t slot_object_limit = limits::mib;

// A slot's two parts, after its checksum was found right.
struct OpenedSlot {
    std::string name;
    Bytes prefix_bytes;
    SlotPrefix prefix;
    Bytes sealed;
};

OpenedSlot read_slot(Backend& store, std::string const& name) {
    Bytes const object = get_whole(store, name, slot_object_limit);
    ByteView const all(object);
    try {
        if (all.size() < 8) throw FormatError("cut off");
        Reader checksum(all.last(8), name);
        ByteView const body = all.first(all.size() - 8);
        if (checksum.u64() != xxh3(body))
            throw FormatError("checksum differs: the slot is damaged");
        Reader in(body, "key slot");
        OpenedSlot slot;
        slot.name = name;
        slot.prefix = decode_slot_prefix(in);
        slot.prefix_bytes = encode_slot_prefix(slot.prefix);
        ByteView const sealed = in.raw(in.remaining());
        slot.sealed.assign(sealed.begin(), sealed.end());
        return slot;
    } catch (UnsupportedFormat const& error) {
        throw RepositoryError(RepositoryFailure::unusable, name + ": " + error.what());
    } catch (FormatError const& error) {
        throw RepositoryError(RepositoryFailure::corrupt, name + ": " + error.what());
    }
}

SecretKey read_key_file(std::string const& path) {
    auto text = read_small_file(path, SecretKey::size);
    if (!text || text->size() != SecretKey::size) {
        throw RepositoryError(
            RepositoryFailure::wrong_key,
            path + ": " + (text ? "not a key file: it must hold 32 bytes" : "no such key file"));
    }
    SecretKey key(as_bytes(*text));
    wipe(*text);
    return key;
}

SecretKey read_or_make_key_file(std::string const& path) {
    if (::access(path.c_str(), F_OK) == 0) return read_key_file(path);
    SecretKey key = SecretKey::random();
    Fd const fd(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (!fd || !write_full(fd.get(), key.view()) || ::fsync(fd.get()) != 0) {
        throw RepositoryError(RepositoryFailure::failed,
                              path + ": cannot make the key file: " + errno_text());
    }
    return key;
}

KdfCost cost_of(KdfStrength strength) {
    if (strength == KdfStrength::strong) return {4, 1024 * 1024};
    return {3, 64 * 1024};
}

void put_slot(Backend& store, RepositoryId const& repository, SlotPrefix prefix,
              SecretKey const& slot_key, SlotSecrets const& secrets) {
    std::string const name = names::key_slot(random_id<SlotId>());
    prefix.commitment = slot_commitment(slot_key, repository, prefix);
    Bytes object = encode_slot_prefix(prefix);
    Bytes const bound = authenticated_data(ObjectKind::key_slot, repository, name, object);
    Bytes content = encode_slot_secrets(secrets);
    append(object, seal(Mode::encrypted, subkey(slot_key, "coffre-slot-seal"), bound, content));
    wipe(content);
    Writer checksum;
    checksum.u64(xxh3(object));
    append(object, checksum.view());
    if (store.put(name, object) != PutResult::stored) {
        throw RepositoryError(RepositoryFailure::failed, name + ": exists already");
    }
}

SlotSecrets unseal_slot(RepositoryId const& repository, OpenedSlot const& slot,
                        SecretKey const& slot_key) {
    auto content =
        unseal(Mode::encrypted, subkey(slot_key, "coffre-slot-seal"),
               authenticated_data(ObjectKind::key_slot, repository, slot.name, slot.prefix_bytes),
               slot.sealed);
    if (!content) {
        throw RepositoryError(RepositoryFailure::corrupt,
                              slot.name + ": the key fits, but the slot was changed");
    }
    try {
        auto secrets = decode_slot_secrets(*content);
        wipe(*content);
        return secrets;
    } catch (FormatError const& error) {
        throw RepositoryError(RepositoryFailure::corrupt, slot.name + ": " + error.what());
    }
}

// The slot's key under the credentials of the slot's kind, if there are any.
std::optional<SecretKey> slot_key(OpenedSlot const& slot, Credentials const& credentials) {
    if (slot.prefix.kind == SlotKind::passphrase) {
        if (!credentials.passphrase) return std::nullopt;
        return slot_key_of_passphrase(*credentials.passphrase, slot.prefix);
    }
    if (!credentials.key_file) return std::nullopt;
    return slot_key_of_file(read_key_file(*credentials.key_file), slot.prefix);
}

}  // namespace

void add_key_slots(Backend& store, RepositoryId const& repository, KdfStrength strength,
                   Credentials const& credentials, std::vector<MasterSecret> const& masters) {
    SlotSecrets secrets{masters, "", now_ns()};
    SlotPrefix prefix;
    if (credentials.passphrase) {
        prefix.kind = SlotKind::passphrase;
        prefix.cost = cost_of(strength);
        fill_random(prefix.salt);
        put_slot(store, repository, prefix, slot_key_of_passphrase(*credentials.passphrase, prefix),
                 secrets);
    }
    if (credentials.key_file) {
        prefix = {};
        prefix.kind = SlotKind::key_file;
        fill_random(prefix.salt);
        put_slot(store, repository, prefix,
                 slot_key_of_file(read_or_make_key_file(*credentials.key_file), prefix), secrets);
    }
    for (auto& master : secrets.masters) wipe(master.secret);
}

std::vector<MasterSecret> open_key_slots(Backend& store, RepositoryId const& repository,
                                         Credentials const& credentials) {
    std::string damaged;
    for (auto const& object : store.list("keys/")) {
        try {
            OpenedSlot const slot = read_slot(store, object.name);
            auto const key = slot_key(slot, credentials);
            if (!key || slot_commitment(*key, repository, slot.prefix) != slot.prefix.commitment) {
                continue;
            }
            return unseal_slot(repository, slot, *key).masters;
        } catch (RepositoryError const& error) {
            bool const of_slot = error.kind() == RepositoryFailure::corrupt ||
                                 error.kind() == RepositoryFailure::unusable;
            if (!of_slot) throw;
            damaged += std::string("; ") + error.what();
        }
    }
    throw RepositoryError(
        RepositoryFailure::wrong_key,
        std::string(credentials.key_file && !credentials.passphrase ? "the key file opens"
                                                                    : "the passphrase opens") +
            " no key slot of this repository" + damaged);
}

void check_key_slot(Backend& store, std::string const& name) {
    read_slot(store, name);
}

}  // namespace coffre
