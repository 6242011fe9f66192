#include "engine/repository/pack_builder.h"

#include <algorithm>

#include "engine/crypto/hash.h"
#include "engine/error.h"
#include "engine/repository/names.h"

namespace coffre {

namespace {

Bytes checksum_table(ByteView bytes) {
    return ChecksumTable().finish(bytes);
}

std::uint64_t footer_checksum(ByteView table, PackFooter const& footer) {
    Bytes covered(table.begin(), table.end());
    append(covered, encode_footer_fields(footer));
    return xxh3(covered);
}

// Random bytes, not zeros: whoever holds no key cannot tell them from blocks.
void add_padding(PageBuffer& bytes) {
    fill_noise(bytes.extend(padme(bytes.size()) - bytes.size()));
}

// Compares the pack with its checksums. Throws FormatError.
PackFooter checked_footer(ByteView bytes) {
    if (bytes.size() < pack_header_size + pack_footer_size)
        throw FormatError("the pack is cut off");
    auto const footer = decode_pack_footer(bytes.last(pack_footer_size), bytes.size());
    ByteView const table =
        bytes.subspan(footer.table_offset, 8 * std::size_t{footer.table_entries});
    if (footer_checksum(table, footer) != footer.checksum) throw FormatError("footer is damaged");
    Bytes const expected = checksum_table(bytes.first(footer.table_offset));
    for (std::size_t i = 0; i < footer.table_entries; ++i) {
        if (!std::equal(table.begin() + static_cast<std::ptrdiff_t>(8 * i),
                        table.begin() + static_cast<std::ptrdiff_t>(8 * i + 8),
                        expected.begin() + static_cast<std::ptrdiff_t>(8 * i))) {
            throw FormatError("damaged between bytes " + std::to_string(i * checksum_unit) +
                              " and " + std::to_string((i + 1) * checksum_unit));
        }
    }
    return footer;
}

// Throws FormatError.
VerifiedPack opened(KeyRing const& keys, std::string const& name, ByteView bytes,
                    PackFooter const& footer) {
    ByteView const header = bytes.first(pack_header_size);
    VerifiedPack pack;
    pack.header = decode_pack_header(header);
    Bytes const directory = keys.open_directory(
        name, header, bytes.subspan(footer.directory_offset, footer.directory_size));
    pack.directory = decode_pack_directory(unpad(directory, "pack directory"));
    bool const fits =
        pack.directory.kind == pack.header.kind &&
        (pack.directory.blocks.empty() ||
         pack.directory.blocks.back().offset + pack.directory.blocks.back().stored_size <=
             footer.directory_offset);
    if (!fits) throw FormatError("directory does not fit the pack");
    return pack;
}

}  // namespace

ChecksumTable::Units ChecksumTable::of_units(ByteView bytes, std::size_t from) {
    Units units{(from + checksum_unit - 1) / checksum_unit, {}};
    for (std::size_t at = units.first * checksum_unit; at + checksum_unit <= bytes.size();
         at += checksum_unit) {
        units.checksums.push_back(xxh3(bytes.subspan(at, checksum_unit)));
    }
    return units;
}

void ChecksumTable::add(Units const& units) {
    std::size_t number = units.first;
    for (auto const checksum : units.checksums) known_.emplace(number++, checksum);
}

Bytes ChecksumTable::finish(ByteView bytes) const {
    Writer table;
    for (std::size_t at = 0; at < bytes.size(); at += checksum_unit) {
        auto const known = known_.find(at / checksum_unit);
        table.u64(known != known_.end()
                      ? known->second
                      : xxh3(bytes.subspan(at, std::min(checksum_unit, bytes.size() - at))));
    }
    return table.take();
}

OpenPack begin_pack(PackKind kind, SessionId const& session, std::vector<WrappedKey> keys,
                    Pages memory) {
    OpenPack pack;
    pack.id = random_id<PackId>();
    pack.header = {kind, session};
    pack.directory.kind = kind;
    pack.directory.keys = std::move(keys);
    pack.bytes = PageBuffer(std::move(memory));
    pack.bytes.append(encode_pack_header(pack.header));
    return pack;
}

BlockPlace place_block(OpenPack& pack, BlockRow row) {
    std::size_t const offset = pack.bytes.size();
    auto const bytes = pack.bytes.extend(row.stored_size);
    row.offset = offset;
    pack.directory.blocks.push_back(std::move(row));
    return {{bytes.data() - offset, offset + bytes.size()}, offset};
}

FinishedPack finish_pack(KeyRing const& keys, OpenPack pack) {
    FinishedPack finished;
    finished.name = names::pack(pack.id);
    PageBuffer& bytes = pack.bytes;
    if (keys.mode() == Mode::encrypted) add_padding(bytes);
    PackFooter footer;
    footer.directory_offset = bytes.size();
    finished.row.directory = encode_pack_directory(pack.directory);
    Bytes const sealed = keys.seal_directory(finished.name, bytes.view().first(pack_header_size),
                                             pad(finished.row.directory));
    bytes.append(sealed);
    footer.directory_size = static_cast<std::uint32_t>(sealed.size());
    footer.table_offset = bytes.size();
    Bytes const table = pack.checksums.finish(bytes.view());
    footer.table_entries = static_cast<std::uint32_t>(table.size() / 8);
    footer.checksum = footer_checksum(table, footer);
    bytes.append(table);
    bytes.append(encode_pack_footer(footer));
    if (open_pack(keys, finished.name, bytes.view()).directory != pack.directory) {
        throw RepositoryError(RepositoryFailure::failed,
                              finished.name + ": does not read back; memory may be faulty");
    }
    finished.row.pack = pack.id;
    finished.row.session = pack.header.session;
    finished.row.pack_size = bytes.size();
    finished.bytes = std::move(bytes);
    return finished;
}

VerifiedPack verify_pack(KeyRing const& keys, std::string const& name, ByteView bytes) {
    return naming(name, [&] { return opened(keys, name, bytes, checked_footer(bytes)); });
}

VerifiedPack open_pack(KeyRing const& keys, std::string const& name, ByteView bytes) {
    return naming(name, [&] {
        if (bytes.size() < pack_header_size + pack_footer_size)
            throw FormatError("the pack is cut off");
        return opened(keys, name, bytes,
                      decode_pack_footer(bytes.last(pack_footer_size), bytes.size()));
    });
}

void verify_checksums(std::string const& name, ByteView bytes) {
    naming(name, [&] {
        checked_footer(bytes);
        decode_pack_header(bytes.first(std::min(bytes.size(), pack_header_size)));
    });
}

}  // namespace coffre
