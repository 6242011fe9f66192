// The index is disposable: whatever happens to its file, the answers stay the same.
#include "engine/index/load.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "engine_test_repo.h"
#include "tests/proof/hooked_backend.h"

namespace coffre {
namespace {

using namespace test;

using Names = std::vector<std::string>;

template <class IdType>
IdType id_of(unsigned number) {
    IdType id;
    id.bytes[0] = static_cast<std::byte>(number);
    id.bytes[1] = static_cast<std::byte>(number >> 8U);
    return id;
}

// A pack with a block for each list of chunks.
BundleRow row(unsigned pack, std::vector<std::vector<unsigned>> const& blocks) {
    PackDirectory directory;
    std::uint64_t offset = pack_header_size;
    for (auto const& chunks : blocks) {
        BlockRow block;
        block.offset = offset;
        block.stored_size = 100;
        block.plain_size = static_cast<std::uint32_t>(10 * chunks.size());
        for (unsigned i = 0; i < chunks.size(); ++i) {
            block.chunks.push_back({id_of<ChunkId>(chunks[i]), 10 * i, 10});
        }
        offset += 100;
        directory.blocks.push_back(std::move(block));
    }
    return {id_of<PackId>(pack), id_of<SessionId>(pack + 100), 1000 + pack,
            encode_pack_directory(directory)};
}

bool any_pack(PackNumber) {
    return true;
}

class IndexFile : public testing::Test {
protected:
    TempFolder folder_;
    std::shared_ptr<Index> index_ = std::make_shared<Index>(folder_.path(), 1);
};

TEST_F(IndexFile, FindsWhatABundleListed) {
    index_->add(id_of<BundleId>(1), {row(1, {{10, 11}, {12}}), row(2, {{13}})});
    auto const view = Index::View(index_);
    auto const place = view.find(id_of<ChunkId>(12), any_pack);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->block, 1U);
    EXPECT_EQ(view.pack(place->pack).id, id_of<PackId>(1));
    EXPECT_EQ(view.pack(place->pack).session, id_of<SessionId>(101));
    EXPECT_EQ(view.pack(place->pack).size, 1001U);
    EXPECT_EQ(view.directory(place->pack).blocks.size(), 2U);
    EXPECT_EQ(view.number(id_of<PackId>(1)), place->pack);
    EXPECT_EQ(view.number(id_of<PackId>(9)), std::nullopt);
    EXPECT_EQ(view.find(id_of<ChunkId>(14), any_pack), std::nullopt);
    EXPECT_EQ(view.chunk_count(), 4U);
    EXPECT_EQ(index_->bundles(), std::set<BundleId>{id_of<BundleId>(1)});
}

TEST_F(IndexFile, KnowsSeveralPlacesOfAChunk) {
    index_->add(id_of<BundleId>(1), {row(1, {{10}}), row(2, {{11}, {10}})});
    index_->add(id_of<BundleId>(2), {row(3, {{10}})});
    auto const view = Index::View(index_);
    EXPECT_EQ(view.places(id_of<ChunkId>(10)).size(), 3U);
    for (unsigned pack : {1U, 2U, 3U}) {
        auto const number = view.number(id_of<PackId>(pack));
        auto const only = view.find(id_of<ChunkId>(10), [&](PackNumber n) { return n == number; });
        ASSERT_TRUE(only) << pack;
        EXPECT_EQ(only->pack, number);
        EXPECT_EQ(only->block, pack == 2 ? 1U : 0U);
    }
    EXPECT_EQ(view.find(id_of<ChunkId>(10), [](PackNumber) { return false; }), std::nullopt);
    EXPECT_EQ(view.places(id_of<ChunkId>(99)).size(), 0U);
}

TEST_F(IndexFile, TakesABundleTwiceAsOnce) {
    index_->add(id_of<BundleId>(1), {row(1, {{10}})});
    index_->add(id_of<BundleId>(1), {row(1, {{10}})});
    index_->add(id_of<BundleId>(2), {row(1, {{10}})});
    auto const view = Index::View(index_);
    EXPECT_EQ(view.places(id_of<ChunkId>(10)).size(), 1U);
    EXPECT_EQ(view.chunk_count(), 1U);
    EXPECT_EQ(index_->bundles().size(), 2U);
}

TEST_F(IndexFile, AddsABundleWholeOrNotAtAll) {
    BundleRow broken = row(2, {{11}});
    broken.directory.pop_back();
    EXPECT_THROW(index_->add(id_of<BundleId>(1), {row(1, {{10}}), broken}), FormatError);
    EXPECT_EQ(index_->bundles().size(), 0U);
    EXPECT_EQ(Index::View(index_).find(id_of<ChunkId>(10), any_pack), std::nullopt);
    EXPECT_EQ(Index::View(index_).number(id_of<PackId>(1)), std::nullopt);
}

std::set<PackId> packs_of(Index::View const& view, unsigned chunk) {
    std::set<PackId> packs;
    for (auto const& place : view.places(id_of<ChunkId>(chunk))) {
        packs.insert(view.pack(place.pack).id);
    }
    return packs;
}

std::set<PackId> packs(std::vector<unsigned> const& numbers) {
    std::set<PackId> ids;
    for (unsigned const number : numbers) ids.insert(id_of<PackId>(number));
    return ids;
}

TEST_F(IndexFile, LoadsManyBundlesAsOneByOne) {
    index_->add(id_of<BundleId>(1), {row(1, {{10}, {20}})});
    Index::Load load(*index_);
    load.add(id_of<BundleId>(2), {row(2, {{30, 10}})});
    load.add(id_of<BundleId>(3), {row(3, {{5}}), row(4, {{10}})});
    EXPECT_EQ(index_->bundles().size(), 1U);
    load.finish();
    EXPECT_EQ(index_->bundles().size(), 3U);
    auto const view = Index::View(index_);
    EXPECT_EQ(packs_of(view, 10), packs({1, 2, 4}));
    EXPECT_EQ(packs_of(view, 5), packs({3}));
    EXPECT_EQ(packs_of(view, 20), packs({1}));
    EXPECT_EQ(packs_of(view, 30), packs({2}));
    EXPECT_EQ(view.chunk_count(), 6U);
}

// A bundle that cannot be read takes none of the others with it.
TEST_F(IndexFile, LoadsTheOthersOfADamagedBundle) {
    BundleRow broken = row(2, {{11}});
    broken.directory.pop_back();
    Index::Load load(*index_);
    load.add(id_of<BundleId>(1), {row(1, {{10}})});
    EXPECT_THROW(load.add(id_of<BundleId>(2), {row(3, {{12}}), broken}), FormatError);
    load.finish();
    EXPECT_EQ(index_->bundles(), std::set<BundleId>{id_of<BundleId>(1)});
    EXPECT_TRUE(Index::View(index_).find(id_of<ChunkId>(10), any_pack));
    EXPECT_FALSE(Index::View(index_).find(id_of<ChunkId>(12), any_pack));
}

TEST_F(IndexFile, LoadsAgainWhatWasCutShort) {
    {
        Index::Load load(*index_);
        load.add(id_of<BundleId>(1), {row(1, {{10}})});
    }
    EXPECT_EQ(index_->bundles().size(), 0U);
    EXPECT_FALSE(Index::View(index_).find(id_of<ChunkId>(10), any_pack));
    index_->add(id_of<BundleId>(1), {row(1, {{10}})});
    EXPECT_EQ(packs_of(Index::View(index_), 10), packs({1}));
}

// Another program fills the same index at the same time: no row of either is lost.
TEST_F(IndexFile, LoadsBesideAnother) {
    auto const rows_of = [](unsigned first) {
        Bundle bundle;
        for (unsigned pack = 0; pack < 60; ++pack) {
            std::vector<unsigned> chunks;
            for (unsigned i = 0; i < 1000; ++i) chunks.push_back(first + 2 * (pack * 1000 + i));
            bundle.push_back(row(first * 100 + pack, {chunks}));
        }
        return bundle;
    };
    std::thread other([&] { index_->add(id_of<BundleId>(1), rows_of(1)); });
    index_->add(id_of<BundleId>(2), rows_of(2));
    other.join();
    auto const view = Index::View(index_);
    EXPECT_EQ(index_->bundles().size(), 2U);
    unsigned missing = 0;
    for (unsigned chunk = 1; chunk <= 65'000; ++chunk) {
        missing += view.find(id_of<ChunkId>(chunk), any_pack) ? 0U : 1U;
    }
    EXPECT_EQ(missing, 0U);
}

TEST_F(IndexFile, AViewSeesWhatIsAddedLater) {
    auto const view = Index::View(index_);
    EXPECT_EQ(view.find(id_of<ChunkId>(10), any_pack), std::nullopt);
    index_->add(id_of<BundleId>(1), {row(1, {{10}})});
    EXPECT_TRUE(view.find(id_of<ChunkId>(10), any_pack));
}

TEST_F(IndexFile, VisitsEachPack) {
    for (unsigned i = 0; i < 300; ++i) index_->add(id_of<BundleId>(i), {row(i, {{i}})});
    PackNumber next = 0;
    Index::View(index_).each_pack([&](PackNumber number, IndexedPack const& pack) {
        EXPECT_EQ(number, next);
        EXPECT_EQ(pack.id, id_of<PackId>(next));
        ++next;
    });
    EXPECT_EQ(next, 300U);
}

TEST(Index, DoesNotTrustWhatAnotherSeedWrote) {
    TempFolder const folder;
    { Index(folder.path(), 1).add(id_of<BundleId>(1), {row(1, {{10}})}); }
    auto const other = std::make_shared<Index const>(folder.path(), 2);
    EXPECT_THROW(other->bundles(), IndexDamaged);
    auto const view = Index::View(other);
    EXPECT_THROW(view.find(id_of<ChunkId>(10), any_pack), IndexDamaged);
    EXPECT_THROW(view.pack(0), IndexDamaged);
    EXPECT_THROW(view.number(id_of<PackId>(1)), IndexDamaged);
}

// A repository with two snapshots and an index that something happens to.
class IndexDisposed : public testing::Test {
protected:
    void SetUp() override {
        write_file(source_ / "one", random_bytes(1, 300'000));
        write_file(source_ / "two", compressible_text(2, 300'000));
        repo_.save(source_.path());
        old_index_ = read_file(repo_.index_file());
        write_file(source_ / "three", random_bytes(3, 300'000));
        latest_ = repo_.save(source_.path()).snapshot;
        index_ = read_file(repo_.index_file());
        tree_ = image_of(source_.path());
    }
    // The repository is opened when its index holds this.
    void open_with(std::string const& content) {
        std::string const file = repo_.index_file();
        repo_.close();
        write_file(file, content);
        repo_.reopen();
    }
    void expect_same_answers(std::string const& what) {
        SCOPED_TRACE(what);
        EXPECT_EQ(repo_.restored(latest_, source_.path()), tree_);
        EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
        auto request = saving({source_.path()});
        request.parent = ParentChoice::none;
        auto const again = repo_.take(std::move(request));
        EXPECT_LT(again.snapshot.statistics.bytes_added, 10'000U);
        EXPECT_EQ(repo_.restored(again.snapshot, source_.path()), tree_);
    }
    // Where the bytes lie in the index, each occurrence.
    std::vector<std::size_t> places_of(ByteView bytes) const {
        std::vector<std::size_t> places;
        std::string const text = to_text(bytes);
        for (std::size_t at = index_.find(text); at != std::string::npos;
             at = index_.find(text, at + 1)) {
            places.push_back(at);
        }
        return places;
    }
    template <class Visit>
    void for_each_chunk(PackKind kind, Visit const& visit) {
        Index::View const view = repo_->index_view();
        view.each_pack([&](PackNumber number, IndexedPack const& pack) {
            PackDirectory const directory = view.directory(number);
            if (directory.kind != kind) return;
            for (auto const& block : directory.blocks) {
                for (auto const& chunk : block.chunks) visit(pack, chunk.id);
            }
        });
    }
    // The index with all bytes damaged that lie `distance` after one of the ids.
    template <class IdType>
    std::string damaged_after(std::set<IdType> const& ids, std::size_t distance) const {
        std::string content = index_;
        for (auto const& id : ids) {
            for (std::size_t const at : places_of(id.bytes)) content[at + distance] ^= 0x40;
        }
        EXPECT_NE(content, index_);
        return content;
    }
    std::set<ChunkId> chunks() {
        std::set<ChunkId> ids = chunks(PackKind::meta);
        ids.merge(chunks(PackKind::data));
        return ids;
    }
    std::set<ChunkId> chunks(PackKind kind) {
        std::set<ChunkId> ids;
        for_each_chunk(kind, [&](IndexedPack const&, ChunkId const& id) { ids.insert(id); });
        return ids;
    }
    std::set<PackId> packs() {
        std::set<PackId> ids;
        for (auto const kind : {PackKind::meta, PackKind::data}) {
            for_each_chunk(kind,
                           [&](IndexedPack const& pack, ChunkId const&) { ids.insert(pack.id); });
        }
        return ids;
    }

    TempFolder source_;
    TestRepo repo_;
    Snapshot latest_;
    TreeImage tree_;
    std::string old_index_;
    std::string index_;
};

TEST_F(IndexDisposed, Deleted) {
    std::string const file = repo_.index_file();
    repo_.close();
    std::filesystem::remove(file);
    repo_.reopen();
    expect_same_answers("deleted");
}

TEST_F(IndexDisposed, Truncated) {
    for (std::size_t const size :
         {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{4096}, std::size_t{5000},
          std::size_t{8192}, index_.size() / 2, index_.size() - 4096, index_.size() - 1}) {
        open_with(index_.substr(0, size));
        expect_same_answers("cut to " + std::to_string(size));
    }
}

TEST_F(IndexDisposed, Junk) {
    open_with(random_bytes(4, 100'000));
    expect_same_answers("random bytes");
    open_with(std::string(100'000, '\0'));
    expect_same_answers("zeros");
    open_with("not a database\n");
    expect_same_answers("text");
}

TEST_F(IndexDisposed, AnotherRepositorys) {
    TestRepo other;
    other.save(source_.path());
    open_with(read_file(other.index_file()));
    expect_same_answers("another repository's");
}

TEST_F(IndexDisposed, OlderThanTheRepository) {
    open_with(old_index_);
    expect_same_answers("older");
}

TEST_F(IndexDisposed, NewerThanTheRepository) {
    for (auto const& name : repo_.objects("bundles/")) repo_.store().remove(name);
    open_with(index_);
    // What the bundles do not say is not so, even if the index says it.
    EXPECT_FALSE(repo_.errors().empty());
    auto request = saving({source_.path()});
    request.parent = ParentChoice::none;
    EXPECT_GT(repo_.take(std::move(request)).snapshot.statistics.bytes_added, 800'000U);
}

TEST_F(IndexDisposed, DamagedInItsRowsOfChunks) {
    // key: chunk id (32) | value: pack (4), block (4), check (8)
    for (std::size_t const distance : {32U, 36U, 40U, 47U}) {
        open_with(damaged_after(chunks(), distance));
        expect_same_answers("value byte " + std::to_string(distance - 32));
    }
}

TEST_F(IndexDisposed, DamagedInItsRowsOfPacks) {
    // value: pack (16), session (16), size (8), directory; and as a key before its number
    for (std::size_t const distance : {16U, 20U, 33U, 39U, 50U}) {
        open_with(damaged_after(packs(), distance));
        expect_same_answers("byte " + std::to_string(distance));
    }
}

TEST_F(IndexDisposed, DamagedInItsKeys) {
    for (std::size_t const distance : {0U, 31U}) {
        open_with(damaged_after(chunks(), distance));
        expect_same_answers("byte " + std::to_string(distance) + " of chunk ids");
    }
    for (std::size_t const distance : {0U, 15U}) {
        open_with(damaged_after(packs(), distance));
        expect_same_answers("byte " + std::to_string(distance) + " of pack ids");
    }
}

// Another process of this machine: what it enters after the store was listed is not gone.
TEST(IndexShared, IsNotBuiltAnewForABundleThatAnotherProcessEnters) {
    TempFolder const source;
    write_file(source / "file", "one");
    TestRepo repo;
    repo.save(source.path());
    bool is_entered = false;
    auto const beside = std::make_shared<proof::HookedBackend>(
        repo.observed(), [&](proof::Moment moment, Verb verb, std::string const& name) {
            bool const is_listed = moment == proof::Moment::after && verb == Verb::list;
            if (!is_listed || name != "bundles/" || std::exchange(is_entered, true)) return;
            write_file(source / "file", "another");
            repo.save(source.path());
        });
    auto const other = open_repository(beside, repo.credentials(), repo.options());
    auto const before = other->index_generation();
    other->refresh_index();
    EXPECT_TRUE(is_entered);
    EXPECT_EQ(other->index_generation(), before);
}

// Damage that shows only while a command runs: it builds the index again and starts over.
class IndexDamagedMeanwhile : public IndexDisposed {
protected:
    void SetUp() override {
        IndexDisposed::SetUp();
        repo_->refresh_index();
        content_ = damaged_after(chunks(PackKind::data), 33);
    }
    void TearDown() override { EXPECT_TRUE(is_damaged_); }
    // Once the index was opened and found sound, and before the first chunk is looked up.
    void damage_index_after(Verb verb, std::string const& prefix) {
        repo_.observe([this, verb, prefix](Verb v, std::string const& name) {
            if (is_damaged_ || v != verb || !name.starts_with(prefix)) return;
            is_damaged_ = true;
            std::fstream file(repo_.index_file(), std::ios::binary | std::ios::in | std::ios::out);
            file.write(content_.data(), static_cast<std::streamsize>(content_.size()));
        });
    }
    std::string content_;
    std::atomic<bool> is_damaged_{false};
};

TEST_F(IndexDamagedMeanwhile, ASnapshotSavesAStreamWholeOrNotAtAll) {
    auto const with_stream = [&] {
        auto request = saving({source_.path()});
        request.parent = ParentChoice::none;
        request.streams.push_back(stream("dump", random_bytes(1, 300'000)));
        return request;
    };
    damage_index_after(Verb::put, "sessions/");
    auto const failure = failure_of([&] { repo_.take(with_stream()); });
    repo_.observe_nothing();
    if (failure) {
        EXPECT_EQ(repo_.ids().size(), 2U);
    } else {
        EXPECT_EQ(repo_.dumped(repo_.find("latest").snapshot, "dump"), random_bytes(1, 300'000));
    }
    EXPECT_EQ(repo_.dumped(repo_.take(with_stream()).snapshot, "dump"), random_bytes(1, 300'000));
}

class IndexDamagedDuringRestore : public IndexDamagedMeanwhile,
                                  public testing::WithParamInterface<Overwrite> {};
INSTANTIATE_TEST_SUITE_P(Modes, IndexDamagedDuringRestore,
                         testing::Values(Overwrite::always, Overwrite::if_changed,
                                         Overwrite::if_newer, Overwrite::never));

TEST_P(IndexDamagedDuringRestore, TheFilesAreExact) {
    TempFolder const target;
    RestoreRequest request;
    request.from = {{}, latest_, source_.path()};
    request.target = target.path();
    request.overwrite = GetParam();
    request.threads = 1;
    damage_index_after(Verb::get, "packs/");  // the tree is being read
    auto const result = repo_.restore(request);
    repo_.observe_nothing();
    EXPECT_TRUE(result.failures.empty());
    EXPECT_EQ(image_of(target.path()), tree_);
}

}  // namespace
}  // namespace coffre
