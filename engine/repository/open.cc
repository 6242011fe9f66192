// Making and opening a repository.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/backend/local.h"
#include "engine/crypto/kdf.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/key_slots.h"
#include "engine/repository/names.h"
#include "engine/repository/repository.h"
#include "engine/repository/reserve.h"
#include "engine/repository/rollback.h"
#include "engine/util/clock.h"
#include "engine/util/small_file.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

struct OpenedConfig {
    ConfigPrefix prefix;
    Bytes prefix_bytes;
    Bytes sealed;
};

// What only a repository has; the config alone may be lost.
bool has_contents(Backend& store) {
    auto const any = [&](char const* prefix) { return !store.list(prefix).empty(); };
    return any("snapshots/") || any("packs/") || any("bundles/");
}

// Of any folder: it may have none of those in it.
bool looks_like_a_store(Backend& store) {
    try {
        return has_contents(store);
    } catch (RepositoryError const&) {
        return false;  // then it is told that there is no repository
    }
}

RepositoryError is_there_already() {
    return {RepositoryFailure::failed, "there is a repository already"};
}

RepositoryError config_is_lost() {
    return {RepositoryFailure::config_lost, "the object \"config\" is lost"};
}

OpenedConfig read_config(Backend& store) {
    if (!store.stat(names::config)) {
        if (looks_like_a_store(store)) throw config_is_lost();
        throw RepositoryError(RepositoryFailure::not_found,
                              "no repository there (no object \"config\")");
    }
    Bytes const object = get_whole(store, names::config, limits::mib);
    ByteView const all(object);
    try {
        if (all.size() < 8) throw FormatError("cut off");
        ByteView const body = all.first(all.size() - 8);
        Reader header(body, "config");
        if (has_damaged_version(all)) throw FormatError("its version is damaged");
        read_object_header(header, ObjectKind::config);
        Reader checksum(all.last(8), "config");
        if (checksum.u64() != xxh3(body)) throw FormatError("checksum differs: it is damaged");
        Reader in(body, "config");
        OpenedConfig config;
        config.prefix = decode_config_prefix(in);
        config.prefix_bytes = encode_config_prefix(config.prefix);
        ByteView const sealed = in.raw(in.remaining());
        config.sealed.assign(sealed.begin(), sealed.end());
        return config;
    } catch (UnsupportedFormat const& error) {
        throw RepositoryError(RepositoryFailure::unusable, std::string("config: ") + error.what());
    } catch (FormatError const& error) {
        throw RepositoryError(RepositoryFailure::config_lost,
                              std::string("config: ") + error.what());
    }
}

ConfigSecrets open_secrets(KeyRing const& keys, OpenedConfig const& config) {
    try {
        auto secrets = decode_config_secrets(keys.open_config(config.prefix_bytes, config.sealed));
        bool const are_ours = secrets.sign_public_key == keys.signing_public_key() &&
                              secrets.box_public_key == keys.boxing_public_key();
        if (!are_ours) throw FormatError("config: its public keys belong to another secret");
        return secrets;
    } catch (FormatError const& error) {
        throw corrupt(error.what());
    }
}

OpenedSlot masters_of(Backend& store, ConfigPrefix const& prefix, Credentials const& credentials) {
    if (prefix.mode == Mode::encrypted) {
        return open_key_slots(store, prefix.repository, credentials);
    }
    if (!credentials.empty()) {
        throw RepositoryError(RepositoryFailure::unusable,
                              "the repository is not encrypted, but a key was given for it: was it "
                              "exchanged? Leave the key away if this is what you expect");
    }
    return {"", {{1, prefix.public_master}}};
}

ConfigSecrets make_secrets(KeyRing const& keys, ChunkerSizes const& sizes) {
    ConfigSecrets secrets;
    check_chunker_sizes(sizes);
    fill_random(secrets.chunker_key);
    fill_random(secrets.id_key);
    secrets.chunker = sizes;
    secrets.box_public_key = keys.boxing_public_key();
    secrets.sign_public_key = keys.signing_public_key();
    secrets.created_ns = now_ns();
    return secrets;
}

// Contents are looked for first: those of a repository that is made meanwhile come after its
// config.
void require_no_repository(Backend& store) {
    bool const holds_something = has_contents(store);
    if (store.stat(names::config)) throw is_there_already();
    if (holds_something) throw config_is_lost();
}

using SlotNames = std::set<std::string>;

// One for each of the credentials.
SlotNames put_first_slots(Backend& store, KeyRing const& keys, KdfStrength strength,
                          Credentials const& credentials) {
    if (credentials.empty()) {
        throw RepositoryError(RepositoryFailure::wrong_key,
                              "a new repository needs a passphrase or a key file");
    }
    SlotNames slots;
    auto const put = [&](Credentials const& one) {
        std::string const name = names::key_slot(random_id<SlotId>());
        put_key_slot(store, keys, name, {one, strength, ""});
        slots.insert(name);
    };
    if (credentials.passphrase) put({credentials.passphrase, {}});
    if (credentials.key_file) put({{}, credentials.key_file});
    return slots;
}

SlotNames slots_beside(Backend& store, SlotNames const& own) {
    SlotNames others;
    for (auto const& object : store.list("keys/")) {
        if (!own.contains(object.name)) others.insert(object.name);
    }
    return others;
}

void remove_slots(Backend& store, SlotNames const& slots) {
    for (auto const& name : slots) store.remove(name);
    if (!slots.empty()) store.barrier();
}

// Created last and only if absent: it makes the repository. False when there is one.
bool put_config(Backend& store, KeyRing const& keys, ConfigPrefix const& prefix,
                ConfigSecrets const& secrets) {
    Bytes object = encode_config_prefix(prefix);
    append(object, keys.seal_config(object, encode_config_secrets(secrets)));
    Writer checksum;
    checksum.u64(xxh3(object));
    append(object, checksum.view());
    store.barrier();
    if (store.put(names::config, object) != PutResult::stored) return false;
    store.barrier();
    return true;
}

// Of several that do this at once, whoever puts the config wins, and the slots of the others go.
// What was there before the config is another init's, interrupted or about to lose: it is removed
// after the config, as until then the other one may still win and need it.
void make_repository(Backend& store, KeyRing const& keys, ConfigPrefix const& prefix,
                     InitOptions const& init, Credentials const& credentials) {
    SlotNames own;
    if (init.mode == Mode::encrypted) own = put_first_slots(store, keys, init.kdf, credentials);
    SlotNames const others = slots_beside(store, own);
    if (mutant("other-slots-first")) remove_slots(store, others);
    if (!put_config(store, keys, prefix, make_secrets(keys, init.chunker))) {
        remove_slots(store, own);
        throw is_there_already();
    }
    remove_slots(store, others);
}

}  // namespace

std::shared_ptr<Repository> init_repository(std::shared_ptr<Backend> const& store,
                                            InitOptions const& init, Credentials const& credentials,
                                            OpenOptions const& options) {
    prepare_crypto();
    require_no_repository(*store);
    ConfigPrefix prefix;
    prefix.repository = random_id<RepositoryId>();
    prefix.mode = init.mode;
    MasterSecret master;
    fill_random(master.secret);
    if (init.mode == Mode::none) prefix.public_master = master.secret;
    KeyRing const keys(init.mode, prefix.repository, {master});
    // Else there would be a repository that this machine cannot open.
    make_cache(options, prefix.repository);
    make_repository(*store, keys, prefix, init, credentials);
    return open_repository(store, init.mode == Mode::none ? Credentials{} : credentials, options);
}

std::shared_ptr<Repository> open_repository(std::shared_ptr<Backend> store,
                                            Credentials const& credentials,
                                            OpenOptions const& options) {
    prepare_crypto();
    OpenedConfig const config = read_config(*store);
    auto slot = masters_of(*store, config.prefix, credentials);
    KeyRing keys(config.prefix.mode, config.prefix.repository, slot.masters);
    ConfigSecrets secrets = open_secrets(keys, config);
    auto repository =
        std::make_shared<Repository>(std::move(store), secrets, std::move(keys), options);
    wipe(secrets.id_key);
    wipe(secrets.chunker_key);
    repository->set_opened_by(slot.name);
    require_no_rollback(*repository, options);
    return repository;
}

namespace {

// The file that says, for a location, that an encrypted repository was seen there.
std::string encryption_mark(std::string const& location, OpenOptions const& options) {
    Blake3 hasher;
    std::error_code unreachable;
    auto path = std::filesystem::weakly_canonical(location, unreachable);
    if (unreachable) path = std::filesystem::absolute(location).lexically_normal();
    hasher.update(as_bytes(path.string()));
    return options.cache_folder + "/encrypted/" + hasher.digest().hex();
}

// Whoever exchanges an encrypted repository for an open one must not be sent plaintext. Of what was
// opened: the next time the store may show another config.
void require_no_downgrade(std::string const& location, OpenOptions const& options, Mode opened) {
    std::string const mark = encryption_mark(location, options);
    bool const was_encrypted = ::access(mark.c_str(), F_OK) == 0;
    bool const is_encrypted = opened == Mode::encrypted;
    if (was_encrypted && !is_encrypted) {
        throw RepositoryError(RepositoryFailure::unusable,
                              location +
                                  ": an encrypted repository was seen here before, this one " +
                                  "is not encrypted. If that is your wish, remove " + mark);
    }
    if (was_encrypted || !is_encrypted) return;
    make_folders(options.cache_folder + "/encrypted");
    replace_small_file(mark, "");
}

}  // namespace

Mode repository_mode_at(std::string const& location) {
    auto const store = open_local_store(location);
    try {
        return read_config(*store).prefix.mode;
    } catch (RepositoryError const& error) {
        throw RepositoryError(error.kind(), location + ": " + error.what());
    }
}

std::shared_ptr<Repository> init_repository(std::string const& location, InitOptions const& init,
                                            Credentials const& credentials,
                                            OpenOptions const& options) {
    create_local_store(location);
    std::shared_ptr<Backend> const store = open_local_store(location);
    auto repository = init_repository(store, init, credentials, options);
    if (init.mode == Mode::none) ::unlink(encryption_mark(location, options).c_str());
    require_no_downgrade(location, options, init.mode);
    make_reserve(*store);
    return repository;
}

std::shared_ptr<Repository> open_repository(std::string const& location,
                                            Credentials const& credentials,
                                            OpenOptions const& options) {
    auto repository = open_repository(open_local_store(location), credentials, options);
    require_no_downgrade(location, options, repository_mode(*repository));
    return repository;
}

}  // namespace coffre
