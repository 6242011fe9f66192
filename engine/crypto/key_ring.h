// The keys of one open repository: everything derived from its master secrets.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>

#include "engine/crypto/block_seal.h"
#include "format/key_slot.h"
#include "format/object.h"

namespace coffre {

using SecretMark = Id<struct SecretMarkTag, 16>;

// Move-only; the secrets are wiped with it. Immutable after construction, so threads may share it.
class KeyRing {
public:
    // `masters` must start with epoch 1. In mode none it is the public master, alone.
    KeyRing(Mode mode, RepositoryId repository, std::vector<MasterSecret> const& masters);

    Mode mode() const { return mode_; }
    RepositoryId const& repository() const { return repository_; }

    // A whole object: header | epoch u32 | sealed content | XXH3-64 of all before it.
    // Forgets, log records and killed slots are signed too (`seal_signed_object`).
    Bytes seal_object(ObjectKind kind, std::string_view name, ByteView content) const;
    Bytes seal_signed_object(ObjectKind kind, std::string_view name, ByteView content) const;
    // Throws RepositoryError{corrupt} naming the object.
    Bytes open_object(ObjectKind kind, std::string const& name, ByteView object) const;
    Bytes open_signed_object(ObjectKind kind, std::string const& name, ByteView object) const;

    // A pack's directory, bound to the pack's name and clear header.
    Bytes seal_directory(std::string_view pack_name, ByteView pack_header, ByteView content) const;
    Bytes open_directory(std::string const& pack_name, ByteView pack_header, ByteView sealed) const;

    // The config's sealed rest, bound to its prefix.
    Bytes seal_config(ByteView prefix, ByteView content) const;
    Bytes open_config(ByteView prefix, ByteView sealed) const;

    // A fresh key for a session, and how it is stored beside the blocks. In mode none: no key.
    SessionKey make_session_key(PackKind kind) const;
    WrappedKey wrap(SessionKey const& key) const;
    // Throws FormatError when the wrapped key is not of this repository.
    SessionKey unwrap(WrappedKey const& wrapped) const;

    // All of them, for a key slot.
    std::vector<MasterSecret> master_secrets() const;
    std::uint32_t newest_epoch() const { return masters_.rbegin()->first; }
    // Tells the master secret of this epoch, which must be there, from any other: for what this
    // machine remembers. Says nothing about the secret.
    SecretMark mark(std::uint32_t epoch) const;

    // Secrets of purposes outside of this class, from epoch 1.
    SecretKey derive(std::string_view label) const;
    Key signing_public_key() const;
    Key boxing_public_key() const;

private:
    SecretKey const& object_key(ObjectKind kind) const;
    SecretKey const& master(std::uint32_t epoch) const;
    Bytes open_checked(ObjectKind kind, std::string const& name, ByteView object) const;

    Mode mode_;
    RepositoryId repository_;
    std::map<std::uint32_t, SecretKey> masters_;
    std::map<ObjectKind, SecretKey> object_keys_;
    SecretKey index_key_;
    SecretKey sign_seed_;
    SecretKey box_seed_;
    Key sign_public_{};
};

}  // namespace coffre
