#include "format/bundle.h"

#include "format/limits.h"

namespace coffre {

Bytes encode_bundle(Bundle const& bundle) {
    Writer out;
    out.varint(bundle.size());
    for (auto const& row : bundle) {
        out.id(row.pack);
        out.id(row.session);
        out.varint(row.pack_size);
        out.sized(row.directory);
    }
    return out.take();
}

Bundle decode_bundle(ByteView bytes) {
    Reader in(bytes, "bundle");
    Bundle bundle;
    for (auto n = in.count(limits::packs_per_bundle, "number of packs"); n > 0; --n) {
        BundleRow row;
        row.pack = in.id<PackId>();
        row.session = in.id<SessionId>();
        row.pack_size = in.bounded(limits::pack_size, "pack size");
        ByteView const directory = in.sized(limits::pack_size, "directory");
        row.directory.assign(directory.begin(), directory.end());
        bundle.push_back(std::move(row));
    }
    in.expect_end();
    return bundle;
}

}  // namespace coffre
