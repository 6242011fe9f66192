// Builds a pack in memory: blocks one after the other, then directory, checksums and footer.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>

#include "engine/crypto/key_ring.h"
#include "engine/util/pages.h"
#include "format/bundle.h"

namespace coffre {

// A block as it lies in a pack. Plaintext cannot get into one but through seal_block().
struct SealedBlock {
    PackKind kind = PackKind::data;
    BlockRow row;  // its offset and stored size are set when it gets a place in a pack
    Bytes stored;
};

// The checksums of a pack: of what is given in whole units while it is still in a processor's
// cache, and of the rest at the end.
class ChecksumTable {
public:
    // Checksums of the units that lie between the byte `from` and the end of `bytes`, a pack so
    // far.
    struct Units {
        std::size_t first = 0;  // the number of the first unit
        std::vector<std::uint64_t> checksums;
    };
    static Units of_units(ByteView bytes, std::size_t from);

    void add(Units const& units);
    // The table of the whole pack.
    Bytes finish(ByteView bytes) const;

private:
    std::map<std::size_t, std::uint64_t> known_;  // by number
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

// A block's place in the memory of a pack.
struct BlockPlace {
    std::span<std::byte> pack;  // up to the block's end
    std::size_t offset = 0;

    std::span<std::byte> bytes() const { return pack.subspan(offset); }
};

// Lists the block in the pack and returns where its bytes are to be put, as many as
// `row.stored_size`: before the pack is finished, by any thread. Without room for them the pack's
// memory grows, and places that were returned before are no longer valid.
BlockPlace place_block(OpenPack& pack, BlockRow row);

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
