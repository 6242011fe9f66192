#include "engine/crypto/kdf.h"

#include <sodium.h>

#include "engine/util/raw_bytes.h"

namespace coffre {

SecretKey subkey(SecretKey const& master, ByteView label) {
    SecretKey key;
    derive_subkey(key, master, label);
    return key;
}

void derive_subkey(SecretKey& key, SecretKey const& master, ByteView label) {
    ::crypto_generichash(raw(key.writable()), SecretKey::size, raw(label), label.size(),
                         master.data(), SecretKey::size);
}

SecretKey subkey(SecretKey const& master, std::string_view label) {
    return subkey(master, as_bytes(label));
}

SecretKey slot_key_of_passphrase(std::string_view passphrase, SlotPrefix const& slot) {
    SecretKey key;
    if (::crypto_pwhash(raw(key.writable()), SecretKey::size, passphrase.data(), passphrase.size(),
                        raw(ByteView(slot.salt)), slot.cost.passes,
                        std::size_t{slot.cost.memory_kib} * 1024,
                        crypto_pwhash_ALG_ARGON2ID13) != 0) {
        throw CostlyKeyError(RepositoryFailure::failed,
                             "deriving the key needs " +
                                 std::to_string(slot.cost.memory_kib / 1024) +
                                 " MiB of memory, which are not free");
    }
    return key;
}

SecretKey slot_key_of_file(SecretKey const& file_key, SlotPrefix const& slot) {
    Bytes label(as_bytes("coffre-key-file").begin(), as_bytes("coffre-key-file").end());
    append(label, slot.salt);
    return subkey(file_key, label);
}

Key slot_commitment(SecretKey const& slot_key, RepositoryId const& repository, SlotPrefix slot) {
    slot.commitment = Key{};
    Bytes label(as_bytes("coffre-slot-commitment").begin(),
                as_bytes("coffre-slot-commitment").end());
    append(label, repository.bytes);
    append(label, encode_slot_prefix(slot));
    return subkey(slot_key, label).copy();
}

}  // namespace coffre
