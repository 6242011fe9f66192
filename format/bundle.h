// The objects `bundles/<id>`: copies of many packs' directories, for clients that start empty.
//
// docs/format.md, section "bundles".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/pack.h"

namespace coffre {

struct BundleRow {
    PackId pack;
    SessionId session;
    std::uint64_t pack_size = 0;
    Bytes directory;  // as encode_pack_directory made it

    bool operator==(BundleRow const&) const = default;
};

using Bundle = std::vector<BundleRow>;

Bytes encode_bundle(Bundle const& bundle);
// The directories are not decoded.
Bundle decode_bundle(ByteView bytes);

}  // namespace coffre
