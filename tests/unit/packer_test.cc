// When a pack is full, and what lies in it.
#include "engine/repository/packer.h"

#include <gtest/gtest.h>

#include <thread>

#include "format/limits.h"
#include "tests/unit/engine_test_repo.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

// Blocks that hold nothing, but for what their rows say.
SealedBlock block_of(std::size_t bytes, std::size_t chunks) {
    SealedBlock block;
    block.stored.resize(bytes);
    block.row.chunks.resize(chunks);
    return block;
}

WrappedKey some_key() {
    WrappedKey key;
    key.id = random_id<KeyId>();
    return key;
}

class PackerTest : public testing::Test {
protected:
    std::vector<OpenPack> full_;
    Packer packer_{SessionId{}, [this](OpenPack pack) { full_.push_back(std::move(pack)); }};
};

TEST_F(PackerTest, APackIsFullByItsBytes) {
    for (unsigned i = 0; i < 20; ++i) packer_.add(block_of(full_pack_bytes / 16, 1), {});
    ASSERT_EQ(full_.size(), 1U);
    EXPECT_EQ(full_[0].directory.blocks.size(), 16U);
    packer_.flush();
    ASSERT_EQ(full_.size(), 2U);
    EXPECT_EQ(full_[1].directory.blocks.size(), 4U);
    EXPECT_EQ(packer_.stored_bytes(), full_pack_bytes / 16 * 20);
}

TEST_F(PackerTest, APackIsFullByItsChunks) {
    for (unsigned i = 0; i < 40; ++i) packer_.add(block_of(10, 1024), {});
    ASSERT_EQ(full_.size(), 1U);
    EXPECT_EQ(full_[0].directory.blocks.size(), 32U);
}

TEST_F(PackerTest, APackIsFullByItsKeys) {
    for (unsigned i = 0; i < 2048; ++i) {
        WrappedKey const key = some_key();
        SealedBlock block = block_of(10, 1);
        block.row.key = key.id;
        packer_.add(std::move(block), {some_key(), key});
    }
    ASSERT_EQ(full_.size(), 2U);
    EXPECT_EQ(full_[0].directory.keys.size(), 1024U);
    EXPECT_EQ(full_[1].directory.keys.size(), 1024U);
}

TEST_F(PackerTest, APackHasTheKeysOfItsBlocksOnce) {
    WrappedKey const key = some_key();
    for (unsigned i = 0; i < 3; ++i) {
        SealedBlock block = block_of(10, 1);
        block.row.key = key.id;
        packer_.add(std::move(block), {key, some_key()});
    }
    packer_.add(block_of(10, 1), {some_key()});
    packer_.flush();
    ASSERT_EQ(full_.size(), 1U);
    EXPECT_EQ(full_[0].directory.keys, std::vector<WrappedKey>{key});
}

TEST_F(PackerTest, ABlockTooLargeForTheOpenPackGetsAnother) {
    packer_.add(block_of(10, 1), {});
    packer_.add(block_of(2 * full_pack_bytes, 1), {});
    packer_.add(block_of(5 * full_pack_bytes, 1), {});
    packer_.add(block_of(10, 1), {});
    packer_.flush();
    ASSERT_EQ(full_.size(), 4U);
    for (auto const& pack : full_) EXPECT_EQ(pack.directory.blocks.size(), 1U);
}

TEST(PackFillTest, IsWhatItHoldsMostOf) {
    EXPECT_DOUBLE_EQ((PackFill{full_pack_bytes / 4, 1, 1}.share()), 0.25);
    EXPECT_DOUBLE_EQ((PackFill{1, 16 * 1024, 1}.share()), 0.5);
    EXPECT_DOUBLE_EQ((PackFill{1, 1, 1024}.share()), 1);
}

// Blocks of several threads: each has a number, and as many bytes as that asks for.
class SharedPacker : public testing::TestWithParam<Mode> {
protected:
    static constexpr std::size_t blocks = 240;
    static constexpr std::size_t threads = 4;

    // Some of them do not fit into an open pack.
    static Bytes content(std::size_t number) {
        std::size_t const size =
            number % 20 == 7 ? full_pack_bytes / 4 * 3 : number * 7919 % 300'000;
        return Bytes(1 + size, static_cast<std::byte>(number));
    }
    static ChunkId name(std::size_t number) {
        return samples::id<ChunkId>(static_cast<std::uint8_t>(number));
    }
    static EncodedBlock block(std::size_t number) {
        EncodedBlock block;
        block.kind = number % 8 == 0 ? PackKind::meta : PackKind::data;
        block.content = content(number);
        block.row.plain_size = static_cast<std::uint32_t>(block.content.size());
        block.row.chunks = {{name(number), 0, block.row.plain_size}};
        return block;
    }

    test::TestRepo repo_{GetParam()};
    SessionKeys keys_{repo_->keys()};
    std::vector<OpenPack> packs_;
    Packer packer_{SessionId{}, [this](OpenPack pack) { packs_.push_back(std::move(pack)); }};
};

TEST_P(SharedPacker, PutsEachBlockWhereTheDirectorySays) {
    {
        std::vector<std::jthread> workers;
        for (std::size_t first = 0; first < threads; ++first) {
            workers.emplace_back([this, first] {
                for (std::size_t i = first; i < blocks; i += threads) {
                    packer_.seal(block(i), keys_, repo_->id());
                }
            });
        }
    }
    packer_.flush();
    EXPECT_GT(packs_.size(), 2U);
    std::map<ChunkId, std::pair<PackKind, Bytes>> found;
    for (auto& open : packs_) {
        FinishedPack const pack = finish_pack(repo_->keys(), std::move(open));
        auto const directory = verify_pack(repo_->keys(), pack.name, pack.bytes.view()).directory;
        for (auto const& row : directory.blocks) {
            ByteView const stored = pack.bytes.view().subspan(row.offset, row.stored_size);
            Bytes plain = decode_block(stored, row, keys_.of(directory.kind), repo_->id(), {});
            found.emplace(row.chunks.at(0).id, std::pair(directory.kind, std::move(plain)));
        }
    }
    ASSERT_EQ(found.size(), blocks);
    for (std::size_t i = 0; i < blocks; ++i) {
        EXPECT_EQ(found.at(name(i)), std::pair(block(i).kind, content(i))) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Threads, SharedPacker, testing::Values(Mode::none, Mode::encrypted));

}  // namespace
}  // namespace coffre
