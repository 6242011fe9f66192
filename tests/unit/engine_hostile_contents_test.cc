// What a hostile key holder may say that files and folders are made of: sizes, lists, blocks, the
// shape of trees. Names, links and rights are in engine_hostile_test.cc.
#include <zstd.h>

#include "format/limits.h"
#include "hostile_scene.h"

namespace coffre {
namespace {

using namespace test;
using Cases = std::vector<HostileCase>;
using Nodes = std::vector<Node>;

constexpr std::uint64_t large = std::uint64_t{1} << 62U;

HostileCase simple(std::string const& name, Expected expected, std::string const& says,
                   std::function<Nodes(HostileRepo&)> const& nodes) {
    return {name, expected, says,
            [nodes](HostileRepo& repo, Scene const&) { repo.publish(nodes(repo)); }};
}

// --- Files ---

// A file whose fields are changed after it was made.
HostileCase of_file(std::string const& name, Expected expected, std::string const& says,
                    std::function<void(HostileRepo&, Node&)> const& change) {
    return simple("File" + name, expected, says, [change](HostileRepo& repo) {
        Node file = repo.file("file", "hostile");
        change(repo, file);
        return Nodes{repo.file("before"), file, repo.file("last")};
    });
}

// Chunk, weight and size say `told`; the chunk holds seven bytes.
HostileCase of_weight(std::uint64_t told) {
    return of_file(
        "Weight" + std::to_string(told), Expected::reported, "",
        [told](HostileRepo&, Node& file) { file.size = file.content.entries[0].weight = told; });
}

HostileCase of_holes(std::string const& name, Expected expected, std::uint64_t size,
                     std::vector<Hole> const& holes) {
    return of_file("Holes" + name, expected, "", [size, holes](HostileRepo&, Node& file) {
        file.size = size;
        file.holes = holes;
    });
}

// A byte, a hole of one, a byte, a hole of one ...
Node full_of_holes(HostileRepo& repo, std::string const& name, std::size_t count) {
    Node file = repo.file(name, std::string(count, 'x'));
    for (std::size_t i = 0; i < count; ++i) file.holes.push_back({2 * i + 1, 1});
    file.size = 2 * count;
    return file;
}

HostileCase of_many_holes(std::string const& name, Expected expected, std::size_t count) {
    return of_file("Holes" + name, expected, "", [count](HostileRepo& repo, Node& file) {
        file = full_of_holes(repo, file.name, count);
    });
}

Cases file_cases() {
    Cases cases{
        of_file("SizeAbove", Expected::reported, "content and size differ",
                [](HostileRepo&, Node& file) { file.size = 8; }),
        of_file("SizeBelow", Expected::reported, "content and size differ",
                [](HostileRepo&, Node& file) { file.size = 6; }),
        of_file("SizeWithoutContent", Expected::reported, "content and size differ",
                [](HostileRepo&, Node& file) { file.content = {}; }),
        of_file("ContentWithoutSize", Expected::reported, "content and size differ",
                [](HostileRepo&, Node& file) { file.size = 0; }),
        of_file("SizeBeyondTheLimit", Expected::reported, "file size",
                [](HostileRepo&, Node& file) { file.size = std::uint64_t{1} << 63U; }),
        of_file("HashOfOthers", Expected::reported, "reads back with other contents",
                [](HostileRepo&, Node& file) { file.hash = FileHash{}; }),
        of_file("MissingChunk", Expected::reported, "is missing from the repository",
                [](HostileRepo&, Node& file) { file.content.entries[0].id = ChunkId{}; }),
        of_file("MissingChunkOfAMany", Expected::reported, "is missing from the repository",
                [](HostileRepo&, Node& file) {
                    file.content.entries.push_back({ChunkId{}, 5});
                    file.size += 5;
                }),
        of_file("MetaAsData", Expected::reported, "no copy can be read",
                [](HostileRepo& repo, Node& file) {
                    file.content.entries[0].id = repo.store(PackKind::meta, as_bytes("hostile"));
                }),
        of_holes("BeyondTheEnd", Expected::reported, 17, {{10, 11}}),
        of_holes("BehindTheEnd", Expected::reported, 17, {{20, 10}}),
        of_holes("Overlapping", Expected::reported, 17, {{0, 8}, {4, 6}}),
        of_holes("Descending", Expected::reported, 17, {{8, 5}, {0, 5}}),
        of_holes("OfNothing", Expected::reported, 7, {{3, 0}}),
        of_holes("OfAllAndContent", Expected::reported, 7, {{0, 7}}),
        of_holes("Wrapping", Expected::reported, 17, {{UINT64_MAX, 11}}),
        of_holes("Half", Expected::reported, 7, {{0, std::uint64_t{1} << 63U}}),
        of_many_holes("TooMany", Expected::reported, 65'537),
        of_many_holes("AsManyAsAllowed", Expected::whole, 65'536),
        of_holes("OneByOne", Expected::whole, 17, {{1, 1}, {3, 4}, {8, 5}}),
        of_holes("Adjacent", Expected::reported, 17, {{1, 5}, {6, 5}}),
        of_holes("TerabyteBefore", Expected::whole, 7 + (large >> 22U), {{0, large >> 22U}}),
        of_holes("TerabyteWithin", Expected::whole, 7 + (large >> 22U), {{3, large >> 22U}}),
        of_holes("LargestFile", Expected::either, INT64_MAX, {{0, INT64_MAX - 7}}),
    };
    for (auto const told : {std::uint64_t{1}, std::uint64_t{6}, std::uint64_t{8},
                            limits::chunk_size, limits::chunk_size + 1, std::uint64_t{1} << 32U,
                            (std::uint64_t{1} << 32U) + 7, large, std::uint64_t{INT64_MAX}})
        cases.push_back(of_weight(told));
    return cases;
}

// --- Lists ---

HostileCase of_content(std::string const& name, Expected expected, std::string const& says,
                       std::function<Content(HostileRepo&)> const& content) {
    return simple("List" + name, expected, says, [content](HostileRepo& repo) {
        Content const list = content(repo);
        Node file = repo.file_of("file", list, list.weight());
        FileHasher hasher;
        hasher.update(as_bytes("hostile"));
        file.hash = hasher.hash();
        return Nodes{file};
    });
}

// `levels` of recipes, each with its `width` entries the same one.
ListEntry shared(HostileRepo& repo, ListEntry entry, unsigned levels, std::size_t width) {
    for (unsigned level = 0; level < levels; ++level)
        entry = repo.recipe(static_cast<std::uint8_t>(level), std::vector(width, entry));
    return entry;
}

ListEntry weighing(ListEntry entry, std::uint64_t weight) {
    return {entry.id, weight};
}

Cases list_level_cases() {
    auto const hostile = [](HostileRepo& repo) { return repo.chunk("hostile"); };
    return {
        of_content("OfEightLevels", Expected::whole, "",
                   [=](HostileRepo& repo) {
                       return Content{8, {shared(repo, hostile(repo), 8, 1)}};
                   }),
        of_content("OfNineLevels", Expected::reported, "recipe level 9",
                   [=](HostileRepo& repo) {
                       return Content{9, {shared(repo, hostile(repo), 9, 1)}};
                   }),
        of_content("OfLevel255", Expected::reported, "recipe level 255",
                   [=](HostileRepo& repo) {
                       return Content{255, {hostile(repo)}};
                   }),
        of_content("SaysALevelTooMany", Expected::reported, "level is 0, expected 1",
                   [=](HostileRepo& repo) {
                       return Content{2, {shared(repo, hostile(repo), 1, 1)}};
                   }),
        of_content("SaysALevelTooFew", Expected::reported, "level is 1, expected 0",
                   [=](HostileRepo& repo) {
                       return Content{1, {shared(repo, hostile(repo), 2, 1)}};
                   }),
        of_content("OfADataChunk", Expected::reported, "",
                   [=](HostileRepo& repo) {
                       return Content{1, {hostile(repo)}};
                   }),
        of_content("OfATree", Expected::reported, "not a recipe",
                   [](HostileRepo& repo) {
                       return Content{1, {repo.piece({repo.file("x")})}};
                   }),
        of_content("RecipeAsData", Expected::reported, "no copy can be read",
                   [=](HostileRepo& repo) {
                       return Content{0, {shared(repo, hostile(repo), 1, 1)}};
                   }),
        of_content("OfNothing", Expected::reported, "recipes of nothing",
                   [](HostileRepo&) {
                       return Content{3, {}};
                   }),
        of_content("OfAnEmptyRecipe", Expected::reported, "empty",
                   [](HostileRepo& repo) {
                       return Content{1, {weighing(repo.recipe(0, {}), 7)}};
                   }),
        of_content("MissingRecipe", Expected::reported, "is missing from the repository",
                   [](HostileRepo&) {
                       return Content{1, {{ChunkId{}, 7}}};
                   }),
    };
}

Cases list_weight_cases() {
    auto const hostile = [](HostileRepo& repo) { return repo.chunk("hostile"); };
    return {
        of_content("TooManyInline", Expected::reported, "number of list entries",
                   [=](HostileRepo& repo) {
                       return Content{0, std::vector(33, hostile(repo))};
                   }),
        of_content("TooManyInARecipe", Expected::reported, "number of list entries",
                   [=](HostileRepo& repo) {
                       return Content{1, {shared(repo, hostile(repo), 1, 1025)}};
                   }),
        of_content("WeighsMore", Expected::reported, "recipe has another size",
                   [=](HostileRepo& repo) {
                       return Content{1, {weighing(shared(repo, hostile(repo), 1, 1), 8)}};
                   }),
        of_content("WeighsLess", Expected::reported, "recipe has another size",
                   [=](HostileRepo& repo) {
                       return Content{1, {weighing(shared(repo, hostile(repo), 1, 2), 7)}};
                   }),
        of_content("WeighsLessDeepDown", Expected::reported, "recipe has another size",
                   [=](HostileRepo& repo) {
                       auto const lying = weighing(shared(repo, hostile(repo), 1, 2), 7);
                       return Content{2, {repo.recipe(1, {lying})}};
                   }),
        of_content("WeightsOverflowInline", Expected::reported, "beyond 64 bits",
                   [=](HostileRepo& repo) {
                       return Content{0, std::vector(4, weighing(hostile(repo), large))};
                   }),
        of_content("WeightsOverflowInARecipe", Expected::reported, "beyond 64 bits",
                   [=](HostileRepo& repo) {
                       auto const half = weighing(hostile(repo), std::uint64_t{1} << 63U);
                       auto const recipe = repo.recipe(0, {half, half, hostile(repo)});
                       return Content{1, {weighing(recipe, 7)}};
                   }),
        // 2^80 entries of nothing.
        of_content("OfNothingForever", Expected::reported, "",
                   [](HostileRepo& repo) {
                       return Content{8, {shared(repo, weighing(repo.chunk("x"), 0), 8, 1024)}};
                   }),
        of_content("OfNothingBesideSomething", Expected::reported, "",
                   [=](HostileRepo& repo) {
                       return Content{0, {hostile(repo), weighing(repo.chunk("x"), 0)}};
                   }),
        of_content("HugeFile", Expected::reported, "",
                   [](HostileRepo& repo) {
                       auto const chunk = repo.chunk(std::string(1 << 20, '\0'));
                       return Content{4, std::vector(4, shared(repo, chunk, 4, 1024))};
                   }),
        // Not by its size: it has a hole, so no space is asked for ahead.
        simple("ListHugeFileWithAHole", Expected::reported, "",
               [](HostileRepo& repo) {
                   auto const chunk = repo.chunk(std::string(1 << 20, 'x'));
                   Content const content{4, std::vector(4, shared(repo, chunk, 4, 1024))};
                   Node file = repo.file_of("file", content, content.weight() + 5);
                   file.holes = {{0, 5}};
                   return Nodes{file};
               }),
    };
}

// --- Pieces of folders ---

HostileCase of_folder(std::string const& name, Expected expected, std::string const& says,
                      std::function<Content(HostileRepo&)> const& content) {
    auto const craft = [content](HostileRepo& repo, Scene const&) {
        Nodes const top{repo.folder_of("folder", content(repo)), repo.file("good")};
        repo.publish(repo.folder("root", top), {10, 10, 10});
    };
    return {"Folder" + name, expected, says, craft};
}

HostileCase of_piece(std::string const& name, std::string const& says,
                     std::function<Bytes(HostileRepo&)> const& bytes) {
    return of_folder("Piece" + name, Expected::reported, says, [bytes](HostileRepo& repo) {
        return Content{0, {{repo.store(PackKind::meta, bytes(repo)), 1}}};
    });
}

Bytes written(Node const& node) {
    Writer out;
    write_node(out, node);
    return out.take();
}

Bytes with_last_byte(Bytes bytes, int change) {
    if (change < 0) bytes.pop_back();
    if (change > 0) bytes.push_back(std::byte{0});
    return bytes;
}

Cases folder_cases() {
    auto const one = [](HostileRepo& repo) { return repo.piece({repo.file("x")}); };
    return {
        of_folder("WeighsMore", Expected::reported, "another number of nodes",
                  [=](HostileRepo& repo) {
                      return Content{0, {weighing(one(repo), 2)}};
                  }),
        of_folder("WeighsNothing", Expected::reported, "",
                  [=](HostileRepo& repo) {
                      return Content{0, {weighing(one(repo), 0)}};
                  }),
        of_folder("OfTheSamePieceTwice", Expected::reported, "names out of order",
                  [=](HostileRepo& repo) {
                      return Content{0, std::vector(2, one(repo))};
                  }),
        of_folder("OfTheSamePieceForever", Expected::reported, "",
                  [=](HostileRepo& repo) {
                      return Content{8, std::vector(32, shared(repo, one(repo), 8, 1024))};
                  }),
        of_folder("OfData", Expected::reported, "no copy can be read",
                  [](HostileRepo& repo) {
                      return Content{0, {repo.chunk("Tx")}};
                  }),
        of_folder("OfARecipe", Expected::reported, "not a tree",
                  [=](HostileRepo& repo) {
                      return Content{0, {repo.recipe(0, {one(repo)})}};
                  }),
        of_folder("Missing", Expected::reported, "is missing from the repository",
                  [](HostileRepo&) {
                      return Content{0, {{ChunkId{}, 1}}};
                  }),
        of_folder("OfItsOwnRecipes", Expected::whole, "",
                  [=](HostileRepo& repo) {
                      return Content{8, {shared(repo, one(repo), 8, 1)}};
                  }),
        of_piece("OfNothing", "a piece without nodes",
                 [](HostileRepo&) { return encode_tree_piece(0, {}); }),
        of_piece("OfFewer", "",
                 [](HostileRepo& repo) { return encode_tree_piece(2, written(repo.file("x"))); }),
        of_piece("OfMore", "",
                 [](HostileRepo& repo) {
                     return with_last_byte(encode_tree_piece({repo.file("x")}), 1);
                 }),
        of_piece("CutOff", "",
                 [](HostileRepo& repo) {
                     return with_last_byte(encode_tree_piece({repo.file("x")}), -1);
                 }),
        of_piece(
            "OfTooMany", "number of nodes",
            [](HostileRepo& repo) { return encode_tree_piece(std::vector(1025, repo.file("x"))); }),
        of_piece(
            "SaysVeryMany", "number of nodes",
            [](HostileRepo& repo) { return encode_tree_piece(SIZE_MAX, written(repo.file("x"))); }),
        of_piece("OfOtherBytes", "not a tree",
                 [](HostileRepo&) { return Bytes(10, std::byte{'X'}); }),
    };
}

// --- Blocks ---

BlockRow row_of(ChunkId const& id, std::uint64_t size, Codec codec = Codec::raw) {
    BlockRow row;
    row.plain_size = static_cast<std::uint32_t>(size);
    row.codec = codec;
    row.chunks = {{id, 0, row.plain_size}};
    return row;
}

// The file's only chunk lies in what `add` adds; it holds "hostile", or so it is said.
HostileCase of_block(std::string const& name, Expected expected, std::string const& says,
                     std::function<void(HostileRepo&, ChunkId const&)> const& add) {
    return simple("Block" + name, expected, says, [add](HostileRepo& repo) {
        ChunkId const id = repo.name(PackKind::data, as_bytes("hostile"));
        add(repo, id);
        Node file = repo.file_of("file", {0, {{id, 7}}}, 7);
        FileHasher hasher;
        hasher.update(as_bytes("hostile"));
        file.hash = hasher.hash();
        return Nodes{file, repo.file("other", "other")};
    });
}

// A frame that unfolds to `size` zeros, by one thread's few kilobytes.
Bytes frame_of_zeros(std::uint64_t size, bool says_size) {
    std::unique_ptr<ZSTD_CCtx, decltype(&::ZSTD_freeCCtx)> const context(::ZSTD_createCCtx(),
                                                                         &::ZSTD_freeCCtx);
    ::ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, 1);
    if (says_size) ::ZSTD_CCtx_setPledgedSrcSize(context.get(), size);
    Bytes const zeros(1 << 20);
    Bytes frame;
    Bytes part(1 << 17);
    for (std::uint64_t done = 0; done < size; done += zeros.size()) {
        bool const is_last = done + zeros.size() >= size;
        ZSTD_inBuffer in{zeros.data(), std::min<std::uint64_t>(zeros.size(), size - done), 0};
        for (std::size_t rest = 1; rest != 0 || in.pos < in.size;) {
            ZSTD_outBuffer out{part.data(), part.size(), 0};
            rest = ::ZSTD_compressStream2(context.get(), &out, &in,
                                          is_last ? ZSTD_e_end : ZSTD_e_flush);
            append(frame, ByteView(part).first(out.pos));
        }
    }
    return frame;
}

Cases block_cases() {
    ByteView const hostile = as_bytes("hostile");
    return {
        of_block("Good", Expected::whole, "",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     repo.add_block(PackKind::data, row_of(id, 7), hostile);
                 }),
        of_block("Longer", Expected::reported, "another size",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     repo.add_block(PackKind::data, row_of(id, 6), hostile);
                 }),
        of_block("Shorter", Expected::reported, "another size",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     repo.add_block(PackKind::data, row_of(id, 8), hostile);
                 }),
        of_block("OfOtherBytes", Expected::reported, "has other bytes",
                 [](HostileRepo& repo, ChunkId const& id) {
                     repo.add_block(PackKind::data, row_of(id, 7), as_bytes("HOSTILE"));
                 }),
        of_block("WhoseChunkEndsEarly", Expected::reported, "has other bytes",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     BlockRow row = row_of(id, 7);
                     row.chunks[0].size = 3;
                     repo.add_block(PackKind::data, row, hostile);
                 }),
        of_block("WhoseFirstCopyIsWrong", Expected::either, "",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     repo.add_block(PackKind::data, row_of(id, 7), as_bytes("HOSTILE"));
                     repo.add_block(PackKind::data, row_of(id, 7), hostile);
                 }),
        of_block("ThatIsNotSealed", Expected::reported, "",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     repo.add_block(PackKind::data, row_of(id, 7), hostile).key = KeyId{};
                 }),
    };
}

Cases bomb_cases() {
    ByteView const hostile = as_bytes("hostile");
    return {
        of_block("ThatIsNoFrame", Expected::reported, "does not announce its size",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     repo.add_block(PackKind::data, row_of(id, 7, Codec::zstd), hostile);
                 }),
        of_block("BombOfAGigabyte", Expected::reported, "does not announce its size",
                 [](HostileRepo& repo, ChunkId const& id) {
                     repo.add_block(PackKind::data, row_of(id, 7, Codec::zstd),
                                    frame_of_zeros(1U << 30U, true));
                 }),
        of_block("BombThatDoesNotSay", Expected::reported, "does not announce its size",
                 [](HostileRepo& repo, ChunkId const& id) {
                     repo.add_block(PackKind::data, row_of(id, 7, Codec::zstd),
                                    frame_of_zeros(1U << 30U, false));
                 }),
        of_block("BombBehindAFrame", Expected::reported, "is not one frame",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     Bytes frames = frame_of_zeros(7, true);
                     append(frames, frame_of_zeros(1U << 28U, true));
                     repo.add_block(PackKind::data, row_of(id, 7, Codec::zstd), frames);
                 }),
        of_block("OfTheSameChunkVeryOften", Expected::reported, "",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     BlockRow row = row_of(id, 100'000);
                     row.chunks.clear();
                     for (std::uint32_t at = 0; at < 100'000; ++at)
                         row.chunks.push_back({id, at, 1});
                     repo.add_block(PackKind::data, row, Bytes(100'000));
                 }),
        of_block("InVeryManyBadCopies", Expected::reported, "no copy can be read",
                 [](HostileRepo& repo, ChunkId const& id) {
                     for (int i = 0; i < 3000; ++i)
                         repo.add_block(PackKind::data, row_of(id, 7), as_bytes("HOSTILE"));
                 }),
    };
}

// --- Deltas ---

// The chunk "hostile" as a delta on these.
void add_delta(HostileRepo& repo, ChunkId const& id, unsigned depth,
               std::vector<ChunkId> const& bases, ByteView prefix) {
    BlockRow row = row_of(id, 7, Codec::zstd_delta);
    row.depth = static_cast<std::uint8_t>(depth);
    row.bases = bases;
    repo.add_block(PackKind::data, row, delta_frame(as_bytes("hostile"), prefix));
}

// Chunks "<depth>" that rest on each other, from `first` on with what stands before.
ChunkId add_chain(HostileRepo& repo, unsigned first, unsigned last, ChunkId base,
                  std::string base_content) {
    for (unsigned depth = first; depth <= last; ++depth) {
        std::string const content = "chain " + std::to_string(depth);
        ChunkId const id = repo.name(PackKind::data, as_bytes(content));
        BlockRow row = row_of(id, content.size(), Codec::zstd_delta);
        row.depth = static_cast<std::uint8_t>(depth);
        row.bases = {base};
        repo.add_block(PackKind::data, row, delta_frame(as_bytes(content), as_bytes(base_content)));
        base = id;
        base_content = content;
    }
    return base;
}

// Each chunk of a level rests on all of the level below: width^7 blocks to decode, for one file.
void add_fan(HostileRepo& repo, ChunkId const& id, unsigned width, std::size_t size) {
    std::vector<ChunkId> below;
    for (unsigned level = 0; level < limits::delta_depth; ++level) {
        std::vector<ChunkId> ids;
        for (unsigned i = 0; i < width; ++i) {
            Bytes content(size);
            content[0] = static_cast<std::byte>(level);
            content[1] = static_cast<std::byte>(i);
            ids.push_back(repo.name(PackKind::data, content));
            BlockRow row = row_of(ids.back(), size, level == 0 ? Codec::zstd : Codec::zstd_delta);
            row.depth = static_cast<std::uint8_t>(level);
            row.bases = below;
            // Needs nothing of its prefix; that has to be decoded all the same.
            repo.add_block(PackKind::data, row, delta_frame(content, {}));
        }
        below = ids;
    }
    add_delta(repo, id, limits::delta_depth, below, {});
}

Cases delta_cases() {
    auto const base = [](HostileRepo& repo) { return repo.chunk("base").id; };
    return {
        of_block("DeltaOfOne", Expected::whole, "",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     add_delta(repo, id, 1, {base(repo)}, as_bytes("base"));
                 }),
        of_block("DeltaOfADeepChain", Expected::whole, "",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     auto const last = add_chain(repo, 1, 7, base(repo), "base");
                     add_delta(repo, id, 8, {last}, as_bytes("chain 7"));
                 }),
        of_block("DeltaOfItself", Expected::reported, "no copy can be read",
                 [](HostileRepo& repo, ChunkId const& id) { add_delta(repo, id, 1, {id}, {}); }),
        of_block("DeltaOfItselfDeep", Expected::reported, "no copy can be read",
                 [](HostileRepo& repo, ChunkId const& id) { add_delta(repo, id, 8, {id}, {}); }),
        of_block("DeltasOfEachOther", Expected::reported, "no copy can be read",
                 [](HostileRepo& repo, ChunkId const& id) {
                     ChunkId const other = repo.name(PackKind::data, as_bytes("other one"));
                     add_delta(repo, id, 8, {other}, {});
                     add_delta(repo, other, 7, {id}, {});
                 }),
        of_block("DeltaThatSaysLess", Expected::reported, "no copy can be read",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     auto const last = add_chain(repo, 1, 4, base(repo), "base");
                     add_delta(repo, id, 4, {last}, as_bytes("chain 4"));
                 }),
        of_block(
            "DeltaOfAMissingBase", Expected::reported, "is missing from the repository",
            [](HostileRepo& repo, ChunkId const& id) { add_delta(repo, id, 1, {ChunkId{}}, {}); }),
        of_block("DeltaOfMeta", Expected::reported, "no copy can be read",
                 [](HostileRepo& repo, ChunkId const& id) {
                     ChunkId const meta = repo.store(PackKind::meta, as_bytes("base"));
                     add_delta(repo, id, 1, {meta}, as_bytes("base"));
                 }),
        of_block("DeltaOfTooMuch", Expected::reported, "bases are too large",
                 [](HostileRepo& repo, ChunkId const& id) {
                     auto const zeros = repo.chunk(std::string(limits::chunk_size, '\0'));
                     add_delta(repo, id, 1, {zeros.id, zeros.id, zeros.id}, {});
                 }),
        of_block("DeltasInAFan", Expected::either, "",
                 [](HostileRepo& repo, ChunkId const& id) { add_fan(repo, id, 64, 1000); }),
        of_block("LargeDeltasInAFan", Expected::reported, "rests on too many blocks",
                 [](HostileRepo& repo, ChunkId const& id) { add_fan(repo, id, 16, 1U << 20U); }),
        of_block("BadCopiesInAFan", Expected::reported, "",
                 [=](HostileRepo& repo, ChunkId const& id) {
                     ChunkId below{};
                     for (unsigned depth = 1; depth < 8; ++depth) {
                         ChunkId const at =
                             repo.name(PackKind::data, as_bytes("bad " + std::to_string(depth)));
                         for (int copy = 0; copy < 8; ++copy)
                             add_delta(repo, at, depth, {below}, {});
                         below = at;
                     }
                     add_delta(repo, id, 8, {below}, {});
                 }),
    };
}

// --- Directories of packs, and bundles ---

using Change = std::function<void(PackDirectory&)>;

// The bundle says of the data pack what `change` makes of its directory.
HostileCase of_directory(std::string const& name, std::string const& says, Change const& change,
                         bool is_true_too = false) {
    auto const craft = [change, is_true_too](HostileRepo& repo, Scene const&) {
        Node const root = repo.folder("root", {repo.file("file"), repo.file("other", "other")});
        repo.publish(root, {10, 10, 10});
        Bundle all;
        std::string const stored = repo->objects("bundles/").at(0);
        Bytes const object = repo->store().objects().at(stored);
        all = decode_bundle(
            unpad((*repo)->keys().open_object(ObjectKind::bundle, stored, object), "bundle"));
        for (auto& row : all) {
            PackDirectory directory = decode_pack_directory(row.directory);
            if (directory.kind == PackKind::data) change(directory);
            row.directory = encode_pack_directory(directory);
        }
        if (!is_true_too) repo->store().remove(stored);
        repo.put_bundle(all);
    };
    return {"Directory" + name, Expected::reported, says, craft};
}

Cases directory_cases() {
    return {
        of_directory("Empty", "is missing", [](PackDirectory& d) { d.blocks.clear(); }),
        of_directory("OfTheOtherKind", "", [](PackDirectory& d) { d.kind = PackKind::meta; }),
        of_directory("WithoutKeys", "",
                     [](PackDirectory& d) {
                         d.keys.clear();
                         for (auto& block : d.blocks) block.key = KeyId{};
                     }),
        of_directory("OfALaterEpoch", "", [](PackDirectory& d) { d.keys[0].epoch = 7; }),
        of_directory("OfAForeignKey", "",
                     [](PackDirectory& d) { d.keys[0].wrapped[40] ^= std::byte{1}; }),
        of_directory("OfAShortKey", "", [](PackDirectory& d) { d.keys[0].wrapped.resize(3); }),
        of_directory("OfAReservedKey", "",
                     [](PackDirectory& d) { d.keys[0].type = WrapType::client; }),
        of_directory("WithOffsetsBeyond", "",
                     [](PackDirectory& d) { d.blocks.back().offset += 100U << 20U; }),
        of_directory("WithOffsetsBeyondTheLimit", "",
                     [](PackDirectory& d) { d.blocks.back().offset += 200U << 20U; }),
        of_directory("WithLargeStoredSize", "",
                     [](PackDirectory& d) { d.blocks.back().stored_size = 17U << 20U; }),
        of_directory("WithTooLargeStoredSize", "stored size",
                     [](PackDirectory& d) { d.blocks.back().stored_size = 18U << 20U; }),
        of_directory("WithNothingStored", "",
                     [](PackDirectory& d) { d.blocks.back().stored_size = 0; }),
    };
}

Cases row_cases() {
    return {
        of_directory("WithLargePlainSize", "",
                     [](PackDirectory& d) { d.blocks.back().plain_size = 16U << 20U; }),
        of_directory("WithTooLargePlainSize", "plain size",
                     [](PackDirectory& d) { d.blocks.back().plain_size = 17U << 20U; }),
        of_directory("WithAChunkBeyondItsBlock", "beyond its block",
                     [](PackDirectory& d) { d.blocks.back().chunks[0].size += 1; }),
        of_directory("WithAChunkFarBeyond", "",
                     [](PackDirectory& d) { d.blocks.back().chunks[0].offset = 1U << 31U; }),
        of_directory("WithAnUnknownCodec", "",
                     [](PackDirectory& d) { d.blocks.back().codec = static_cast<Codec>(9); }),
        of_directory("WithDeltasTooDeep", "delta depth 9",
                     [](PackDirectory& d) {
                         d.blocks.back().codec = Codec::zstd_delta;
                         d.blocks.back().depth = 9;
                         d.blocks.back().bases.resize(1);
                     }),
        of_directory("WithDeltasWithoutDepth", "delta depth 0",
                     [](PackDirectory& d) {
                         d.blocks.back().codec = Codec::zstd_delta;
                         d.blocks.back().bases.resize(1);
                     }),
        of_directory("WithTooManyBases", "delta bases",
                     [](PackDirectory& d) {
                         d.blocks.back().codec = Codec::zstd_delta;
                         d.blocks.back().depth = 1;
                         d.blocks.back().bases.resize(65);
                     }),
        of_directory("WithDeltasWithoutBases", "without base",
                     [](PackDirectory& d) {
                         d.blocks.back().codec = Codec::zstd_delta;
                         d.blocks.back().depth = 1;
                     }),
        of_directory(
            "ThatIsToldTwice", "",
            [](PackDirectory& d) { std::swap(d.blocks[0].chunks, d.blocks[1].chunks); }, true),
        of_directory("WhoseBlocksChangePlaces", "",
                     [](PackDirectory& d) { std::swap(d.blocks[0].chunks, d.blocks[1].chunks); }),
    };
}

// --- The shape of the tree ---

HostileCase of_shape(std::string const& name, Expected expected, std::string const& says,
                     std::function<void(HostileRepo&)> const& publish) {
    return {"Shape" + name, expected, says,
            [publish](HostileRepo& repo, Scene const&) { publish(repo); }};
}

Node nested(HostileRepo& repo, Node inner, std::size_t depth, std::string const& name) {
    for (std::size_t i = 0; i < depth; ++i) inner = repo.folder(name, {inner});
    return inner;
}

// 2^levels files.
Node doubled(HostileRepo& repo, unsigned levels) {
    Node node = repo.folder("a", {repo.file("file")});
    for (unsigned i = 0; i < levels; ++i)
        node = repo.folder("a", {renamed(node, "a"), renamed(node, "b")});
    return renamed(node, "root");
}

// A piece of eight megabytes that decode to many more: holes take two bytes each.
ListEntry piece_of_holes(HostileRepo& repo, std::optional<Node> const& child) {
    Node const file = full_of_holes(repo, "holes", limits::holes_per_node);
    Bytes nodes;
    std::size_t count = 0;
    if (child) {
        append(nodes, written(*child));
        ++count;
    }
    Bytes const one = written(renamed(file, "b00"));
    for (int i = 0; nodes.size() + one.size() < limits::chunk_size - 100; ++i, ++count) {
        std::string const name = "b" + std::to_string(10 + i);
        nodes.push_back(one[0]);
        append(nodes, as_bytes(name));
        append(nodes, ByteView(one).subspan(1 + name.size()));
    }
    return {repo.store(PackKind::meta, encode_tree_piece(count, nodes)), count};
}

// Each folder is entered while the pieces of all above it are held.
void publish_large_pieces(HostileRepo& repo, unsigned depth) {
    std::optional<Node> node;
    for (unsigned i = 0; i < depth; ++i) {
        node = repo.folder_of("a", {0, {piece_of_holes(repo, node)}});
    }
    repo.publish(renamed(*node, "root"), {1'000'000, 1'000'000, 0});
}

// Files of a chunk and two megabytes of attributes each.
void publish_large_attributes(HostileRepo& repo, unsigned pieces) {
    std::vector<ListEntry> entries;
    for (unsigned i = 0; i < pieces; ++i) {
        Nodes nodes;
        for (char const* const last : {"a", "b", "c"}) {
            nodes.push_back(repo.file(std::to_string(1000 + i) + last));
            nodes.back().xattrs = {{"user.x", Bytes(limits::mib - 100)},
                                   {"user.y", Bytes(limits::mib - 100)}};
        }
        entries.push_back(repo.piece(nodes));
    }
    repo.publish(repo.folder_of("root", {1, {repo.recipe(0, entries)}}), {1'000'000, 0, 0});
}

void publish_many_entries(HostileRepo& repo, unsigned pieces) {
    std::vector<ListEntry> entries;
    for (unsigned i = 0; i < pieces; ++i) {
        Nodes nodes;
        for (unsigned j = 0; j < limits::list_max_entries; ++j) {
            std::string const number =
                std::to_string(10'000'000 + i * limits::list_max_entries + j);
            nodes.push_back(node_of(number, NodeKind::fifo));
        }
        entries.push_back(repo.piece(nodes));
    }
    Content const content{1, {repo.recipe(0, entries)}};
    repo.publish(repo.folder_of("root", content), {0, 0, content.weight()});
}

Nodes few(HostileRepo& repo) {
    return {repo.file("file"), repo.folder("folder", {repo.file("inner")}), link_to("link", "..")};
}

HostileCase of_counts(std::string const& name, Expected expected, std::string const& says,
                      Statistics const& told) {
    return of_shape("Counts" + name, expected, says, [told](HostileRepo& repo) {
        repo.publish(repo.folder("root", few(repo)), told);
    });
}

HostileCase of_root(std::string const& name, Expected expected,
                    std::function<void(HostileRepo&, Node&)> const& change) {
    return of_shape("Root" + name, expected, "", [change](HostileRepo& repo) {
        Node root = repo.folder("root", few(repo));
        change(repo, root);
        repo.publish(root, {10, 10, 10});
    });
}

Cases root_cases() {
    return {
        of_counts("SayLess", Expected::reported, "holds more than the 3 entries", {1, 1, 1}),
        of_counts("SayNothing", Expected::reported, "holds more than the 0 entries", {}),
        of_counts("Absurd", Expected::reported, "more than the target's file system",
                  {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                   UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}),
        of_counts("ThatWrap", Expected::either, "",
                  {std::uint64_t{1} << 63U, std::uint64_t{1} << 63U, 10}),
        of_root("IsAFile", Expected::reported,
                [](HostileRepo& repo, Node& root) { root = repo.file("root"); }),
        of_root("IsALink", Expected::reported,
                [](HostileRepo&, Node& root) { root = link_to("root", "/"); }),
        of_root("HasAnotherName", Expected::reported,
                [](HostileRepo&, Node& root) { root.name = "other"; }),
        of_root("HasABadName", Expected::reported,
                [](HostileRepo&, Node& root) { root.name = ".."; }),
        of_root(
            "HasEveryFlag", Expected::whole,
            [](HostileRepo&, Node& root) { root.flags = node_flags::known & ~node_flags::stream; }),
        of_root("HasUnknownFlags", Expected::reported,
                [](HostileRepo&, Node& root) { root.flags = 32; }),
        of_root("GivesRights", Expected::whole,
                [](HostileRepo&, Node& root) {
                    root.mode = 07777;
                    root.uid = 12345;
                    root.xattrs = {{"trusted.x", {}}, {"user.x", {}}};
                }),
        of_root("IsMissing", Expected::reported,
                [](HostileRepo&, Node& root) { root.content.entries[0].id = ChunkId{}; }),
        of_root("IsEmpty", Expected::whole, [](HostileRepo&, Node& root) { root.content = {}; }),
    };
}

Cases shape_cases() {
    Cases cases{
        of_shape(
            "Deep", Expected::whole, "",
            [](HostileRepo& repo) { repo.publish({nested(repo, repo.file("a"), 1500, "a")}); }),
        of_shape("DeepOfLongNames", Expected::whole, "",
                 [](HostileRepo& repo) {
                     std::string const name(255, 'n');
                     repo.publish({nested(repo, repo.file("a"), 300, name)});
                 }),
        of_shape("SharedAndTrue", Expected::reported, "more than the target's file system",
                 [](HostileRepo& repo) {
                     repo.publish(doubled(repo, 40),
                                  {std::uint64_t{1} << 40U, std::uint64_t{1} << 41U, 0});
                 }),
        of_shape("SharedAndSaysLittle", Expected::reported, "holds more than",
                 [](HostileRepo& repo) {
                     repo.publish(doubled(repo, 40), {100, 100, 0});
                 }),
        of_shape("LargeAttributes", Expected::reported, "",
                 [](HostileRepo& repo) { publish_large_attributes(repo, 80); }),
        of_shape("DigestsOfOthers", Expected::whole, "",
                 [](HostileRepo& repo) {
                     Node folder = repo.folder("folder", few(repo));
                     folder.digest = Digest{};
                     repo.publish({folder});
                 }),
    };
    HostileCase wide = of_shape("Wide", Expected::whole, "",
                                [](HostileRepo& repo) { publish_many_entries(repo, 1000); });
    HostileCase deep =
        of_shape("TooDeep", Expected::reported, "nested too deeply", [](HostileRepo& repo) {
            repo.publish({nested(repo, repo.file("a"), limits::tree_depth + 10, "a")});
        });
    HostileCase heavy = of_shape("LargePieces", Expected::reported, "cannot be nested this deeply",
                                 [](HostileRepo& repo) { publish_large_pieces(repo, 40); });
    for (auto* const hostile : {&wide, &deep, &heavy}) {
        hostile->dry_run = true;  // else the file system takes its time
        cases.push_back(*hostile);
    }
    return cases;
}

class HostileContents : public testing::TestWithParam<HostileCase> {};

TEST_P(HostileContents, AreBounded) {
    run_case(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Files, HostileContents, testing::ValuesIn(file_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Levels, HostileContents, testing::ValuesIn(list_level_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Weights, HostileContents, testing::ValuesIn(list_weight_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Folders, HostileContents, testing::ValuesIn(folder_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Blocks, HostileContents, testing::ValuesIn(block_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Bombs, HostileContents, testing::ValuesIn(bomb_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Deltas, HostileContents, testing::ValuesIn(delta_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Directories, HostileContents, testing::ValuesIn(directory_cases()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Rows, HostileContents, testing::ValuesIn(row_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Roots, HostileContents, testing::ValuesIn(root_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Shapes, HostileContents, testing::ValuesIn(shape_cases()), name_of);

}  // namespace
}  // namespace coffre
