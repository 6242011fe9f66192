// When a pack is full.
#include "engine/repository/packer.h"

#include <gtest/gtest.h>

#include "format/limits.h"

namespace coffre {
namespace {

// Blocks that hold nothing, but for what their rows say.
SealedBlock block_of(std::size_t bytes, std::size_t chunks) {
    SealedBlock block;
    block.stored.resize(bytes);
    block.row.stored_size = static_cast<std::uint32_t>(bytes);
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
    for (unsigned i = 0; i < 20; ++i) packer_.add(block_of(limits::mib, 1), {});
    ASSERT_EQ(full_.size(), 1U);
    EXPECT_EQ(full_[0].directory.blocks.size(), 16U);
    packer_.flush();
    ASSERT_EQ(full_.size(), 2U);
    EXPECT_EQ(full_[1].directory.blocks.size(), 4U);
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

TEST(PackFillTest, IsWhatItHoldsMostOf) {
    EXPECT_DOUBLE_EQ((PackFill{4 * limits::mib, 1, 1}.share()), 0.25);
    EXPECT_DOUBLE_EQ((PackFill{1, 16 * 1024, 1}.share()), 0.5);
    EXPECT_DOUBLE_EQ((PackFill{1, 1, 1024}.share()), 1);
}

}  // namespace
}  // namespace coffre
