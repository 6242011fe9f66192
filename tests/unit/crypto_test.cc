#include <blake3.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include <functional>
#include <numeric>

#include "engine/crypto/block_seal.h"
#include "engine/crypto/hash.h"
#include "engine/crypto/kdf.h"
#include "engine/crypto/key_ring.h"
#include "engine/crypto/seal.h"
#include "engine/error.h"
#include "engine/util/raw_bytes.h"
#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

SecretKey secret(unsigned first) {
    return SecretKey(samples::counting(SecretKey::size, first));
}

std::string hex(SecretKey const& key) {
    return to_hex(key.view());
}

RepositoryId const here = samples::id<RepositoryId>(0x10);
RepositoryId const sibling = samples::id<RepositoryId>(0x11);

KeyRing ring(Mode mode = Mode::encrypted, RepositoryId const& repository = here) {
    return {mode, repository, {{1, samples::key(1)}, {2, samples::key(2)}}};
}

// The input of BLAKE3's published vectors: 0, 1, ..., 250, 0, 1, ...
Bytes blake3_input(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 251);
    return bytes;
}

std::string blake3(ByteView bytes) {
    Blake3 hasher;
    hasher.update(bytes);
    return hasher.digest().hex();
}

std::string keyed_blake3(SecretKey const& key, ByteView bytes) {
    blake3_hasher hasher;
    ::blake3_hasher_init_keyed(&hasher, key.data());
    ::blake3_hasher_update(&hasher, bytes.data(), bytes.size());
    Bytes hash(32);
    ::blake3_hasher_finalize(&hasher, raw(hash), hash.size());
    return to_hex(hash);
}

// The message with which `action` ends in RepositoryError{corrupt}; empty when it does not.
std::string corrupt(std::function<void()> const& action) {
    try {
        action();
    } catch (RepositoryError const& error) {
        EXPECT_EQ(error.kind(), RepositoryFailure::corrupt) << error.what();
        return error.what();
    }
    return "";
}

// Calls `action` with `bytes`, one bit of each byte flipped in turn, and with every prefix of them.
void with_each_damage(Bytes const& bytes, std::function<void(Bytes const&)> const& action) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        Bytes damaged = bytes;
        damaged[i] ^= static_cast<std::byte>(1U << i % 8);
        action(damaged);
        damaged.resize(i);
        action(damaged);
    }
}

SessionKey session_key(Cipher cipher) {
    return {samples::id<KeyId>(0x70), PackKind::data, cipher, secret(0x20)};
}

SessionKey changed(SessionKey key, std::function<void(SessionKey&)> const& change) {
    change(key);
    return key;
}

constexpr Cipher ciphers[] = {Cipher::aes_256_gcm, Cipher::chacha20_poly1305};

// Source: test_vectors.json of the BLAKE3 reference implementation.
TEST(Blake3, GivesThePublishedHashes) {
    std::pair<std::size_t, char const*> const vectors[] = {
        {0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
        {1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
        {1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
        {8193, "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b"},
        {102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"}};
    for (auto const& [size, hash] : vectors) EXPECT_EQ(blake3(blake3_input(size)), hash) << size;
}

TEST(Blake3, InPartsIsBlake3InOne) {
    Bytes const input = blake3_input(10'000);
    for (std::size_t const part : {1U, 63U, 64U, 1023U, 1024U, 4097U}) {
        Blake3 hasher;
        for (std::size_t at = 0; at < input.size(); at += part) {
            hasher.update(ByteView(input).subspan(at, std::min(part, input.size() - at)));
        }
        EXPECT_EQ(hasher.digest().hex(), blake3(input)) << part;
    }
}

// Same source; the key is that of the vectors, a question about the Elvish word for friend.
TEST(Blake3, GivesThePublishedKeyedHashes) {
    SecretKey const key(
        from_hex("77686174732074686520456c7669736820776f726420666f7220667269656e64").value());
    EXPECT_EQ(keyed_blake3(key, blake3_input(0)),
              "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26");
    EXPECT_EQ(keyed_blake3(key, blake3_input(1)),
              "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b");
    EXPECT_EQ(keyed_blake3(key, blake3_input(102400)),
              "1c35d1a5811083fd7119f5d5d1ba027b4d01c0c6c49fb6ff2cf75393ea5db4a7");
}

TEST(ChunkNamer, IsKeyedBlake3UnderASubkeyPerKind) {
    ChunkNamer const namer(secret(1));
    Bytes const text = blake3_input(70'000);
    EXPECT_EQ(namer.name(PackKind::data, text).hex(),
              keyed_blake3(subkey(secret(1), "coffre-id-data"), text));
    EXPECT_EQ(namer.name(PackKind::meta, text).hex(),
              keyed_blake3(subkey(secret(1), "coffre-id-meta"), text));
}

TEST(ChunkNamer, NamesDifferByKindKeyAndContent) {
    ChunkNamer const namer(secret(1));
    ChunkId const name = namer.name(PackKind::data, as_bytes("text"));
    EXPECT_EQ(namer.name(PackKind::data, as_bytes("text")), name);
    EXPECT_NE(namer.name(PackKind::meta, as_bytes("text")), name);
    EXPECT_NE(namer.name(PackKind::data, as_bytes("texu")), name);
    EXPECT_NE(ChunkNamer(secret(2)).name(PackKind::data, as_bytes("text")), name);
}

TEST(ChunkNamer, CutsDirectoriesByNameAndKey) {
    ChunkNamer const namer(secret(1));
    EXPECT_EQ(namer.cut_prefix("a.jpg"), ChunkNamer(secret(1)).cut_prefix("a.jpg"));
    EXPECT_NE(namer.cut_prefix("a.jpg"), namer.cut_prefix("b.jpg"));
    EXPECT_NE(namer.cut_prefix("a.jpg"), ChunkNamer(secret(2)).cut_prefix("a.jpg"));
    EXPECT_NE(namer.cut_prefix("a"), namer.name(PackKind::data, as_bytes("a")).prefix());
}

TEST(Xxh3, GivesTheKnownHashOfNothing) {
    EXPECT_EQ(xxh3({}), 0x2d06800538d394c2U);
    EXPECT_EQ(FileHasher().hash().hex(), "99aa06d3014798d86001c324468d497f");
}

TEST(Xxh3, InPartsIsXxh3InOne) {
    Bytes const input = blake3_input(5'000);
    FileHasher whole;
    whole.update(input);
    FileHasher parts;
    for (auto const byte : input) parts.update({&byte, 1});
    EXPECT_EQ(parts.hash(), whole.hash());
    parts.reset();
    EXPECT_EQ(parts.hash(), FileHasher().hash());
}

TEST(Xxh3, AKeyChangesTheHash) {
    EXPECT_NE(xxh3_keyed(as_bytes("row"), 1), xxh3_keyed(as_bytes("row"), 2));
    EXPECT_EQ(xxh3_keyed(as_bytes("row"), 0), xxh3(as_bytes("row")));
}

// The expected values are those of other implementations: Python's hashlib and the reference
// argon2.
TEST(Kdf, SubkeysAreKeyedBlake2b) {
    EXPECT_EQ(hex(subkey(secret(0), "coffre-index")),
              "11a19a1ef7b4a45379432cebb95c7f289572f37f31b5469955acdf02ea31aee5");
}

TEST(Kdf, APassphraseGivesItsArgon2idKey) {
    SlotPrefix slot = samples::passphrase_slot();
    for (std::size_t i = 0; i < slot.salt.size(); ++i) slot.salt[i] = static_cast<std::byte>(i);
    slot.cost = {1, 64};
    EXPECT_EQ(hex(slot_key_of_passphrase("correct horse", slot)),
              "25ce5233cc1e4d37e9bca31bfef41710e40446cd1cb575932791c5fd3780bd3c");
    slot.cost = {3, 8192};
    EXPECT_EQ(hex(slot_key_of_passphrase("correct horse", slot)),
              "77af1c306ae70c8ad00394b671ee364ffb2e7e12f88e5045953b12dd0ccaa9db");
}

// Source: src/test.c of the reference implementation of Argon2.
TEST(Kdf, TheLibraryAgreesWithThePublishedArgon2idVector) {
    prepare_crypto();
    std::string const vector =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    EXPECT_EQ(::crypto_pwhash_str_verify(vector.c_str(), "password", 8), 0);
    EXPECT_NE(::crypto_pwhash_str_verify(vector.c_str(), "passwore", 8), 0);
}

TEST(Kdf, AKeyFileIsBoundToTheSaltOfItsSlot) {
    SlotPrefix slot = samples::key_file_slot();
    for (std::size_t i = 0; i < slot.salt.size(); ++i) slot.salt[i] = static_cast<std::byte>(i);
    EXPECT_EQ(hex(slot_key_of_file(secret(0), slot)),
              "7d40f9047ef32dcd942347c67c5c1f9a9ffd10e693a9eb017fb559b1786f69e5");
    slot.salt[0] = std::byte{1};
    EXPECT_NE(hex(slot_key_of_file(secret(0), slot)),
              "7d40f9047ef32dcd942347c67c5c1f9a9ffd10e693a9eb017fb559b1786f69e5");
}

TEST(SlotCommitment, DependsOnKeyRepositoryAndPrefixButNotOnItself) {
    SlotPrefix const slot = samples::passphrase_slot();
    SlotPrefix other = slot;
    other.commitment = {};
    Key const commitment = slot_commitment(secret(1), here, slot);
    EXPECT_EQ(slot_commitment(secret(1), here, other), commitment);
    EXPECT_NE(slot_commitment(secret(2), here, slot), commitment);
    EXPECT_NE(slot_commitment(secret(1), sibling, slot), commitment);
    other.cost.passes += 1;
    EXPECT_NE(slot_commitment(secret(1), here, other), commitment);
}

TEST(Seal, GivesBackWhatWasSealedInBothModes) {
    for (auto const mode : {Mode::none, Mode::encrypted}) {
        for (std::size_t const size : {0U, 1U, 1000U}) {
            Bytes const content = samples::counting(size);
            Bytes const sealed = seal(mode, secret(1), as_bytes("name"), content);
            EXPECT_EQ(unseal(mode, secret(1), as_bytes("name"), sealed), content);
        }
    }
}

TEST(Seal, AnyDamageIsSeenInBothModes) {
    for (auto const mode : {Mode::none, Mode::encrypted}) {
        Bytes const sealed = seal(mode, secret(1), as_bytes("name"), samples::counting(40));
        with_each_damage(sealed, [&](Bytes const& damaged) {
            EXPECT_FALSE(unseal(mode, secret(1), as_bytes("name"), damaged));
        });
    }
}

TEST(Seal, BindsTheAuthenticatedDataInBothModes) {
    for (auto const mode : {Mode::none, Mode::encrypted}) {
        Bytes const sealed = seal(mode, secret(1), as_bytes("name"), as_bytes("content"));
        EXPECT_FALSE(unseal(mode, secret(1), as_bytes("na"), sealed));
        EXPECT_FALSE(unseal(mode, secret(1), as_bytes("names"), sealed));
    }
}

TEST(Seal, OpensOnlyWithItsKeyAndNeverLooksTheSame) {
    Bytes const sealed = seal(Mode::encrypted, secret(1), {}, as_bytes("content"));
    EXPECT_FALSE(unseal(Mode::encrypted, secret(2), {}, sealed));
    EXPECT_NE(seal(Mode::encrypted, secret(1), {}, as_bytes("content")), sealed);
}

TEST(Seal, InModeNoneIsContentAndBlake3) {
    Bytes const sealed = seal(Mode::none, secret(1), as_bytes("name"), as_bytes("content"));
    EXPECT_EQ(to_hex(sealed), to_hex(as_bytes("content")) + blake3(as_bytes("namecontent")));
}

TEST(Signature, FitsItsMessageAndKeyAlone) {
    Bytes const signature = sign(secret(1), as_bytes("message"));
    Key const public_key = sign_public_key(secret(1));
    EXPECT_TRUE(signature_fits(public_key, as_bytes("message"), signature));
    EXPECT_FALSE(signature_fits(public_key, as_bytes("massage"), signature));
    EXPECT_FALSE(signature_fits(sign_public_key(secret(2)), as_bytes("message"), signature));
    with_each_damage(signature, [&](Bytes const& damaged) {
        EXPECT_FALSE(signature_fits(public_key, as_bytes("message"), damaged));
    });
}

std::string encrypted(Aead const& aead, SecretKey const& key, ByteView authenticated,
                      ByteView content) {
    Bytes sealed(content.size() + aead_tag_size);
    aead.encrypt(key, authenticated, content, sealed);
    return to_hex(sealed);
}

// The cases 13 and 14 of the GCM specification (McGrew, Viega): all zeros.
TEST(Aead, EveryAesIsTheOneOfTheSpecification) {
    for (auto const& aead : aeads(Cipher::aes_256_gcm)) {
        EXPECT_EQ(encrypted(aead, SecretKey(), {}, {}), "530f8afbc74536b9a963b4f1c4cb738b");
        EXPECT_EQ(encrypted(aead, SecretKey(), {}, Bytes(16)),
                  "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    }
}

// Any two of a cipher, at all small lengths and around the strides of wide registers, wherever the
// bytes lie.
TEST(Aead, AllOfACipherComputeTheSame) {
    std::vector<std::size_t> sizes(600);
    std::iota(sizes.begin(), sizes.end(), 0);
    for (std::size_t const size : {768U, 1024U, 4096U, 65'536U, 1'048'576U}) {
        for (std::size_t near = size - 2; near <= size + 2; ++near) sizes.push_back(near);
    }
    for (auto const cipher : ciphers) {
        auto const& all = aeads(cipher);
        for (auto const size : sizes) {
            std::size_t const shift = size % 7;
            Bytes const plain = blake3_input(shift + size);
            ByteView const content = ByteView(plain).subspan(shift);
            ByteView const authenticated = content.first(std::min<std::size_t>(size, size % 67));
            Bytes sealed(shift + size + aead_tag_size);
            auto const place = std::span(sealed).subspan(shift);
            all.front().encrypt(secret(1), authenticated, content, place);
            for (auto const& other : all) {
                ASSERT_EQ(encrypted(other, secret(1), authenticated, content), to_hex(place));
                Bytes opened(size);
                ASSERT_TRUE(other.decrypt(secret(1), authenticated, place, opened));
                ASSERT_TRUE(std::equal(opened.begin(), opened.end(), content.begin()));
            }
        }
    }
}

TEST(Aead, EachSeesAnyDamage) {
    for (auto const cipher : ciphers) {
        for (auto const& aead : aeads(cipher)) {
            Bytes sealed(300 + aead_tag_size);
            aead.encrypt(secret(1), as_bytes("name"), blake3_input(300), sealed);
            auto const opens = [&](SecretKey const& key, std::string_view name, Bytes const& what) {
                Bytes content(what.size() - aead_tag_size);
                return aead.decrypt(key, as_bytes(name), what, content);
            };
            EXPECT_TRUE(opens(secret(1), "name", sealed));
            EXPECT_FALSE(opens(secret(2), "name", sealed));
            EXPECT_FALSE(opens(secret(1), "names", sealed));
            with_each_damage(sealed, [&](Bytes const& damaged) {
                if (damaged.size() < aead_tag_size) return;
                EXPECT_FALSE(opens(secret(1), "name", damaged));
            });
        }
    }
}

TEST(BlockSeal, GivesBackWhatWasSealed) {
    for (auto const cipher : ciphers) {
        SessionKey const key = session_key(cipher);
        for (std::size_t const size : {0U, 1U, 15U, 16U, 17U, 100'000U}) {
            Bytes const content = samples::counting(size);
            Bytes const sealed = seal_block(key, here, content);
            EXPECT_EQ(sealed.size(), size + block_salt_size + block_tag_size);
            EXPECT_EQ(unseal_block(key, here, sealed), content);
        }
    }
}

TEST(BlockSeal, AnyDamageIsSeen) {
    for (auto const cipher : ciphers) {
        SessionKey const key = session_key(cipher);
        Bytes const sealed = seal_block(key, here, samples::counting(50));
        with_each_damage(sealed, [&](Bytes const& damaged) {
            EXPECT_THROW(unseal_block(key, here, damaged), FormatError);
        });
    }
}

TEST(BlockSeal, NeverLooksTheSame) {
    for (auto const cipher : ciphers) {
        SessionKey const key = session_key(cipher);
        EXPECT_NE(seal_block(key, here, as_bytes("content")),
                  seal_block(key, here, as_bytes("content")));
    }
}

TEST(BlockSeal, BindsRepositoryKindKeyIdAndCipher) {
    for (auto const cipher : ciphers) {
        SessionKey const key = session_key(cipher);
        Bytes const sealed = seal_block(key, here, as_bytes("content"));
        auto const opens = [&](SessionKey const& other, RepositoryId const& repository) {
            return format_error([&] { unseal_block(other, repository, sealed); }).empty();
        };
        auto const other_cipher =
            cipher == Cipher::aes_256_gcm ? Cipher::chacha20_poly1305 : Cipher::aes_256_gcm;
        EXPECT_TRUE(opens(session_key(cipher), here));
        EXPECT_FALSE(opens(session_key(cipher), sibling));
        EXPECT_FALSE(
            opens(changed(session_key(cipher), [](auto& k) { k.kind = PackKind::meta; }), here));
        EXPECT_FALSE(opens(changed(session_key(cipher), [](auto& k) { k.id = {}; }), here));
        EXPECT_FALSE(
            opens(changed(session_key(cipher), [](auto& k) { k.secret = secret(9); }), here));
        EXPECT_FALSE(opens(session_key(other_cipher), here));
    }
}

TEST(BlockSeal, WithoutCipherIsTheContentItself) {
    SessionKey const key;
    EXPECT_EQ(seal_block(key, here, as_bytes("content")), samples::bytes("content"));
    EXPECT_EQ(unseal_block(key, here, as_bytes("content")), samples::bytes("content"));
}

TEST(KeyRing, ObjectsRoundTripInBothModes) {
    for (auto const mode : {Mode::none, Mode::encrypted}) {
        for (auto const kind : {ObjectKind::bundle, ObjectKind::session, ObjectKind::snapshot,
                                ObjectKind::forget, ObjectKind::gc_log}) {
            Bytes const object = ring(mode).seal_object(kind, "a/name", as_bytes("content"));
            EXPECT_EQ(to_text(ring(mode).open_object(kind, "a/name", object)), "content");
        }
    }
}

TEST(KeyRing, AnObjectOpensUnderItsNameOnly) {
    for (auto const mode : {Mode::none, Mode::encrypted}) {
        Bytes const object = ring(mode).seal_object(ObjectKind::snapshot, "snapshots/1", {});
        EXPECT_EQ(
            corrupt([&] { ring(mode).open_object(ObjectKind::snapshot, "snapshots/2", object); }),
            "snapshots/2: not sealed by this repository under this name");
    }
}

TEST(KeyRing, AnObjectOpensAsItsKindOnly) {
    Bytes object = ring().seal_object(ObjectKind::session, "name", {});
    EXPECT_NE(corrupt([&] { ring().open_object(ObjectKind::forget, "name", object); }), "");
    object[7] = static_cast<std::byte>(ObjectKind::forget);
    EXPECT_NE(corrupt([&] { ring().open_object(ObjectKind::forget, "name", object); }), "");
}

TEST(KeyRing, AnObjectOpensInItsRepositoryOnly) {
    for (auto const mode : {Mode::none, Mode::encrypted}) {
        Bytes const object = ring(mode).seal_object(ObjectKind::bundle, "name", {});
        EXPECT_NE(
            corrupt([&] { ring(mode, sibling).open_object(ObjectKind::bundle, "name", object); }),
            "");
    }
}

TEST(KeyRing, AnyDamageOfAnObjectIsSeen) {
    for (auto const mode : {Mode::none, Mode::encrypted}) {
        KeyRing const keys = ring(mode);
        Bytes const object = keys.seal_object(ObjectKind::session, "name", as_bytes("content"));
        with_each_damage(object, [&](Bytes const& damaged) {
            EXPECT_THROW(keys.open_object(ObjectKind::session, "name", damaged), RepositoryError);
        });
    }
}

TEST(KeyRing, AnObjectOfANewerVersionIsNotCalledCorrupt) {
    Bytes object = ring().seal_object(ObjectKind::session, "name", {});
    object[6] = std::byte{9};
    auto const kind_of_failure = [&]() -> std::optional<RepositoryFailure> {
        try {
            ring().open_object(ObjectKind::session, "name", object);
            return std::nullopt;
        } catch (RepositoryError const& error) {
            return error.kind();
        }
    };
    // A bit flip is all that it is.
    EXPECT_EQ(kind_of_failure(), RepositoryFailure::corrupt);
    Writer checksum;
    checksum.u64(xxh3(ByteView(object).first(object.size() - 8)));
    std::copy(checksum.view().begin(), checksum.view().end(), object.end() - 8);
    EXPECT_EQ(kind_of_failure(), RepositoryFailure::unusable);
}

TEST(KeyRing, SignedObjectsRoundTripInBothModes) {
    for (auto const mode : {Mode::none, Mode::encrypted}) {
        Bytes const object =
            ring(mode).seal_signed_object(ObjectKind::gc_log, "name", as_bytes("text"));
        EXPECT_EQ(to_text(ring(mode).open_signed_object(ObjectKind::gc_log, "name", object)),
                  "text");
    }
}

TEST(KeyRing, AnObjectThatIsOnlySealedIsNotSigned) {
    Bytes const content = samples::counting(200);
    for (std::size_t const size : {0U, 63U, 64U, 200U}) {
        Bytes const object =
            ring().seal_object(ObjectKind::gc_log, "name", ByteView(content).first(size));
        EXPECT_NE(corrupt([&] { ring().open_signed_object(ObjectKind::gc_log, "name", object); }),
                  "");
    }
}

TEST(KeyRing, ASignatureIsBoundToTheNameOfItsObject) {
    KeyRing const keys = ring();
    Bytes const object = keys.seal_signed_object(ObjectKind::forget, "forgets/1", as_bytes("text"));
    Bytes const with_signature = keys.open_object(ObjectKind::forget, "forgets/1", object);
    Bytes const moved = keys.seal_object(ObjectKind::forget, "forgets/2", with_signature);
    EXPECT_EQ(corrupt([&] { keys.open_signed_object(ObjectKind::forget, "forgets/2", moved); }),
              "forgets/2: signature does not fit");
}

TEST(KeyRing, ADirectoryIsBoundToItsPacksNameAndHeader) {
    KeyRing const keys = ring();
    Bytes const header = encode_pack_header(samples::pack_header());
    Bytes const sealed = keys.seal_directory("packs/1", header, as_bytes("directory"));
    EXPECT_EQ(to_text(keys.open_directory("packs/1", header, sealed)), "directory");
    EXPECT_NE(corrupt([&] { keys.open_directory("packs/2", header, sealed); }), "");
    EXPECT_NE(corrupt([&] { keys.open_directory("packs/1", encode_pack_header({}), sealed); }), "");
}

TEST(KeyRing, TheConfigIsBoundToItsPrefix) {
    for (auto const mode : {Mode::none, Mode::encrypted}) {
        KeyRing const keys = ring(mode);
        Bytes const sealed = keys.seal_config(as_bytes("prefix"), as_bytes("secrets"));
        EXPECT_EQ(to_text(keys.open_config(as_bytes("prefix"), sealed)), "secrets");
        EXPECT_NE(corrupt([&] { keys.open_config(as_bytes("prefiy"), sealed); }), "");
    }
}

TEST(KeyRing, SessionKeysAreUnwrappedAsTheyWereWrapped) {
    for (auto const kind : {PackKind::data, PackKind::meta}) {
        SessionKey const key = ring().make_session_key(kind);
        SessionKey const again = ring().unwrap(ring().wrap(key));
        EXPECT_EQ(hex(again.secret), hex(key.secret));
        EXPECT_EQ(again.id, key.id);
        EXPECT_EQ(again.kind, kind);
        EXPECT_EQ(again.cipher, key.cipher);
    }
}

TEST(KeyRing, SessionKeysAreWrappedUnderTheNewestEpoch) {
    WrappedKey const wrapped = ring().wrap(ring().make_session_key(PackKind::data));
    EXPECT_EQ(wrapped.epoch, 2U);
    KeyRing const old(Mode::encrypted, here, {{1, samples::key(1)}});
    EXPECT_THROW(old.unwrap(wrapped), FormatError);
}

TEST(KeyRing, AWrappedKeyIsBoundToItsFieldsAndRepository) {
    KeyRing const keys = ring();
    WrappedKey const wrapped = keys.wrap(keys.make_session_key(PackKind::data));
    auto const opens = [&](std::function<void(WrappedKey&)> const& change) {
        WrappedKey other = wrapped;
        change(other);
        return format_error([&] { keys.unwrap(other); }).empty();
    };
    EXPECT_TRUE(opens([](auto&) {}));
    EXPECT_FALSE(opens([](auto& k) { k.id = samples::id<KeyId>(1); }));
    EXPECT_FALSE(opens([](auto& k) { k.kind = PackKind::meta; }));
    EXPECT_FALSE(opens([](auto& k) { k.cipher = Cipher::none; }));
    EXPECT_FALSE(opens([](auto& k) { k.epoch = 1; }));
    EXPECT_FALSE(opens([](auto& k) { k.epoch = 3; }));
    EXPECT_FALSE(opens([](auto& k) { k.type = WrapType::client; }));
    EXPECT_FALSE(opens([](auto& k) { k.wrapped.pop_back(); }));
    EXPECT_THROW(ring(Mode::encrypted, sibling).unwrap(wrapped), FormatError);
}

TEST(KeyRing, InModeNoneSessionsHaveNoKey) {
    SessionKey const key = ring(Mode::none).make_session_key(PackKind::data);
    EXPECT_TRUE(key.id.is_zero());
    EXPECT_EQ(key.cipher, Cipher::none);
}

TEST(KeyRing, PublicKeysComeFromTheFirstEpoch) {
    KeyRing const first(Mode::encrypted, here, {{1, samples::key(1)}});
    EXPECT_EQ(ring().signing_public_key(), first.signing_public_key());
    EXPECT_EQ(ring().boxing_public_key(), first.boxing_public_key());
    EXPECT_EQ(hex(ring().derive("coffre-x")), hex(subkey(SecretKey(samples::key(1)), "coffre-x")));
}

TEST(SecretKey, TakesExactly32Bytes) {
    EXPECT_THROW(SecretKey(Bytes(31)), RepositoryError);
    EXPECT_THROW(SecretKey(Bytes(33)), RepositoryError);
    EXPECT_EQ(secret(5).copy(), samples::key(5));
    EXPECT_NE(hex(SecretKey::random()), hex(SecretKey::random()));
}

// A process may have some 65,000 mappings; a repository has two keys of each run.
TEST(SecretKey, ThereMayBeVeryManyAtOnce) {
    std::vector<SecretKey> keys(40'000);
    for (unsigned i = 0; i < keys.size(); ++i) keys[i].writable()[0] = static_cast<std::byte>(i);
    for (unsigned i = 0; i < keys.size(); ++i) {
        ASSERT_EQ(keys[i].view()[0], static_cast<std::byte>(i));
        ASSERT_EQ(keys[i].view()[1], std::byte{0});
    }
    keys.clear();
    EXPECT_EQ(SecretKey().view()[0], std::byte{0}) << "what a key held is wiped";
}

}  // namespace
}  // namespace coffre
