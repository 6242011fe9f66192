// Builds a pack in memory: blocks one after the other, then directory, checksums and footer.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/crypto/key_ring.h"
#include "engine/util/pages.h"
#include "format/bundle.h"

namespace coffre {

// A block as it lies in a pack. Plaintext cannot get into one but through seal_block().
struct SealedBlock {
    PackKind kind = PackKind::data;
    BlockRow row;  // its offset is set when it gets a place in a pack
    Bytes stored;
};

// The checksums of a pack's bytes so far, made while these are still in the processor's cache.
class ChecksumTable {
public:
    // `bytes` is all there is; it has only grown since the last call.
    void extend(ByteView bytes);
    // The table, with the checksum of what is less than a whole unit at the end.
    Bytes finish(ByteView bytes);

private:
    Writer table_;
    std::size_t covered_ = 0;
};

// A pack that is complete but for its directory.
struct OpenPack {
    PackId id;
    PackHeader header;
    PackDirectory directory;
    PageBuffer bytes;  // header and blocks
    ChecksumTable checksums;
};

struct FinishedPack {
    std::string name;
    PageBuffer bytes;
    BundleRow row;
};

// A pack with its header and no block, in `memory`.
OpenPack begin_pack(PackKind kind, SessionId const& session, std::vector<WrappedKey> keys,
                    Pages memory = {});

void append_block(OpenPack& pack, SealedBlock block);

// Pads, seals the directory, adds checksums and footer; and reads the directory back before it is
// trusted. Throws RepositoryError when it does not read back.
FinishedPack finish_pack(KeyRing const& keys, OpenPack pack);

// The directory of a pack that was read whole: every checksum and length is checked first.
// Throws RepositoryError{corrupt} naming the pack.
struct VerifiedPack {
    PackHeader header;
    PackDirectory directory;
};
VerifiedPack verify_pack(KeyRing const& keys, std::string const& name, ByteView bytes);

// The same whatever the checksums say: the directory's seal holds all the same.
VerifiedPack open_pack(KeyRing const& keys, std::string const& name, ByteView bytes);

// The same as far as it goes without a key: header, footer, and the checksum of every 64 KiB.
void verify_checksums(std::string const& name, ByteView bytes);

}  // namespace coffre
