// The seeds of the fuzz targets, tests/fuzz/corpus/<target>/sample-*: the encoded samples.
//
// COFFRE_WRITE_CORPUS=1 writes them anew after a change of the format.
// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

namespace fs = std::filesystem;

using Seeds = std::map<std::string, Bytes>;  // by "<target>/sample-<what>"

Bytes joined(ByteView first, ByteView second) {
    Bytes bytes(first.begin(), first.end());
    append(bytes, second);
    return bytes;
}

Bytes sized_footer() {
    Writer out;
    out.u64(samples::footer_pack_size);
    return joined(out.view(), encode_pack_footer(samples::pack_footer()));
}

Bytes wire_records() {
    Writer out;
    for (std::uint64_t const value : {std::uint64_t{0}, std::uint64_t{300}, ~std::uint64_t{0}}) {
        out.varint(value);
        out.signed_varint(static_cast<std::int64_t>(value) - 200);
        out.text("text");
        out.u16(static_cast<std::uint16_t>(value));
    }
    return out.take();
}

Bytes zstd_input(std::size_t plain_size, std::string_view prefix, std::string_view frame_hex) {
    Writer out;
    out.varint(plain_size);
    out.text(prefix);
    out.raw(from_hex(frame_hex).value());
    return out.take();
}

Bytes chunker_input(std::size_t size) {
    Bytes bytes(size);
    std::uint32_t state = 1;
    for (auto& byte : bytes)
        byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24U);
    return bytes;
}

void add_format_seeds(Seeds& seeds) {
    seeds["fuzz_config/sample-encrypted"] = encode_config_prefix(samples::encrypted_prefix());
    seeds["fuzz_config/sample-public"] = encode_config_prefix(samples::public_prefix());
    seeds["fuzz_config/sample-secrets"] = encode_config_secrets(samples::config_secrets());
    seeds["fuzz_key_slot/sample-passphrase"] = encode_slot_prefix(samples::passphrase_slot());
    seeds["fuzz_key_slot/sample-key-file"] = encode_slot_prefix(samples::key_file_slot());
    seeds["fuzz_key_slot/sample-info"] = encode_slot_info(samples::slot_info());
    seeds["fuzz_key_slot/sample-secrets"] = encode_slot_secrets(samples::slot_secrets());
    seeds["fuzz_pack_header/sample-meta"] = encode_pack_header(samples::pack_header());
    seeds["fuzz_pack_directory/sample-rich"] = encode_pack_directory(samples::pack_directory());
    seeds["fuzz_pack_directory/sample-empty"] = encode_pack_directory({});
    seeds["fuzz_pack_footer/sample-small"] = sized_footer();
    seeds["fuzz_bundle/sample-two"] = encode_bundle(samples::bundle());
    seeds["fuzz_bundle/sample-empty"] = encode_bundle({});
    seeds["fuzz_session/sample-beat"] = encode_session(samples::session());
    seeds["fuzz_gc_log/sample-checkpoint"] = encode_log_record(samples::log_record());
    seeds["fuzz_gc_log/sample-empty"] = encode_log_record({});
    seeds["fuzz_forget/sample-policy"] = encode_forget(samples::forget());
    seeds["fuzz_slot/sample-snapshot"] = encode_slot({samples::snapshot()});
    seeds["fuzz_slot/sample-killed"] = encode_slot({});
}

void add_tree_seeds(Seeds& seeds) {
    seeds["fuzz_recipe/sample-chunks"] = encode_recipe(0, samples::list_entries());
    seeds["fuzz_recipe/sample-recipes"] = encode_recipe(3, samples::list_entries());
    seeds["fuzz_tree/sample-all-kinds"] = encode_tree_piece(samples::nodes());
    for (auto const& node : samples::nodes()) {
        seeds["fuzz_tree/sample-kind-" + std::to_string(static_cast<int>(node.kind))] =
            encode_tree_piece({node});
    }
}

constexpr std::string_view delta_prefix =
    "row 0;row 919;row 676;row 271;row 704;row 975;row 84;row 31;row 816;row 439;"
    "row 900;row 199;row 336;row 311;row 124;row 775;row 264;row 591;row 756;row 759;";

// The frames are those of zstd 1.5.4: 200 times "a"; "prefix text!" as it is; a delta.
void add_other_seeds(Seeds& seeds) {
    seeds["fuzz_wire/sample-records"] = wire_records();
    seeds["fuzz_unpad/sample-empty"] = pad({});
    seeds["fuzz_unpad/sample-padded"] = pad(samples::counting(97));
    seeds["fuzz_zstd/sample-run"] = zstd_input(200, "", "28b52ffd20c84d00001061610100430a6001");
    seeds["fuzz_zstd/sample-raw"] =
        zstd_input(12, "", "28b52ffd200c610000707265666978207465787421");
    seeds["fuzz_zstd/sample-delta"] =
        zstd_input(286, delta_prefix, "28b52ffd601e008d0000206e65772003003b6453aa7c0cc15a1308");
    seeds["fuzz_chunker/sample-random"] = chunker_input(1500);
    seeds["fuzz_chunker/sample-run"] = Bytes(1500);
}

Seeds seeds() {
    Seeds seeds;
    add_format_seeds(seeds);
    add_tree_seeds(seeds);
    add_other_seeds(seeds);
    return seeds;
}

fs::path corpus() {
    return fs::path(COFFRE_GOLDEN_DIR).parent_path() / "fuzz" / "corpus";
}

std::string contents(fs::path const& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write(fs::path const& file, ByteView bytes) {
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << to_text(bytes);
}

TEST(FuzzCorpus, HoldsTheSamples) {
    bool const writes = std::getenv("COFFRE_WRITE_CORPUS") != nullptr;
    for (auto const& [name, bytes] : seeds()) {
        if (writes) write(corpus() / name, bytes);
        EXPECT_EQ(to_hex(as_bytes(contents(corpus() / name))), to_hex(bytes)) << name;
    }
}

TEST(FuzzCorpus, HasSeedsForEveryTarget) {
    for (auto const& entry : fs::directory_iterator(corpus().parent_path())) {
        fs::path const file = entry.path().filename();
        if (file.extension() != ".cc" || !file.string().starts_with("fuzz_")) continue;
        EXPECT_TRUE(fs::is_directory(corpus() / file.stem())) << file;
    }
}

}  // namespace
}  // namespace coffre
