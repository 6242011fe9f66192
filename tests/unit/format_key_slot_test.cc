#include "format/key_slot.h"

#include "format/limits.h"
#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

SlotPrefix decode_whole_slot(ByteView bytes) {
    Reader in(bytes, "key slot");
    SlotPrefix prefix = decode_slot_prefix(in);
    in.expect_end();
    return prefix;
}

bool accepts_cost(KdfCost const& cost) {
    SlotPrefix slot = samples::passphrase_slot();
    slot.cost = cost;
    return format_error([&] { decode_whole_slot(encode_slot_prefix(slot)); }).empty();
}

SlotSecrets with_epochs(std::vector<std::uint32_t> const& epochs) {
    SlotSecrets secrets;
    for (auto const epoch : epochs) secrets.masters.push_back({epoch, samples::key(epoch)});
    return secrets;
}

TEST(SlotPrefix, RoundTripsBothKinds) {
    for (auto const& slot : {samples::passphrase_slot(), samples::key_file_slot()}) {
        EXPECT_EQ(decode_whole_slot(encode_slot_prefix(slot)), slot);
    }
}

TEST(SlotPrefix, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode_slot_prefix(samples::passphrase_slot()), decode_whole_slot,
                     encode_slot_prefix);
    expect_canonical(encode_slot_prefix(samples::key_file_slot()), decode_whole_slot,
                     encode_slot_prefix);
}

TEST(SlotPrefix, BytesStayWhatTheyAre) {
    EXPECT_EQ(to_hex(encode_slot_prefix(samples::passphrase_slot())),
              "636f66667265010201"
              "03000000"
              "00000100"
              "02000000"
              "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
              "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
}

TEST(SlotPrefix, RefusesACostOutsideTheLimits) {
    EXPECT_TRUE(accepts_cost({1, 8}));
    EXPECT_TRUE(accepts_cost({16, 4U * 1024 * 1024}));
    EXPECT_FALSE(accepts_cost({0, 64}));
    EXPECT_FALSE(accepts_cost({17, 64}));
    EXPECT_FALSE(accepts_cost({1, 7}));
    EXPECT_FALSE(accepts_cost({1, 4U * 1024 * 1024 + 1}));
}

TEST(SlotPrefix, AKeyFileHasNoCost) {
    SlotPrefix slot = samples::key_file_slot();
    slot.cost = {1, 8};
    EXPECT_THROW(decode_whole_slot(encode_slot_prefix(slot)), FormatError);
}

TEST(SlotPrefix, HoldsAtLeastOneMasterAndAtMostTheLimit) {
    SlotPrefix slot = samples::passphrase_slot();
    for (std::uint32_t const epochs : {1U, 1024U}) {
        slot.epochs = epochs;
        EXPECT_NO_THROW(decode_whole_slot(encode_slot_prefix(slot)));
    }
    for (std::uint32_t const epochs : {0U, 1025U}) {
        slot.epochs = epochs;
        EXPECT_THROW(decode_whole_slot(encode_slot_prefix(slot)), FormatError);
    }
}

TEST(SlotInfo, RoundTrips) {
    EXPECT_EQ(decode_slot_info(encode_slot_info(samples::slot_info())), samples::slot_info());
}

TEST(SlotInfo, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode_slot_info(samples::slot_info()), decode_slot_info, encode_slot_info);
}

TEST(SlotSecrets, RoundTrip) {
    SlotSecrets const secrets = samples::slot_secrets();
    EXPECT_EQ(decode_slot_secrets(encode_slot_secrets(secrets)), secrets);
}

TEST(SlotSecrets, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode_slot_secrets(samples::slot_secrets()), decode_slot_secrets,
                     encode_slot_secrets);
}

TEST(SlotSecrets, EpochsCountFromOne) {
    EXPECT_NO_THROW(decode_slot_secrets(encode_slot_secrets(with_epochs({1, 2, 3}))));
    for (auto const& epochs :
         std::vector<std::vector<std::uint32_t>>{{0}, {2}, {1, 3}, {1, 1}, {2, 1}}) {
        EXPECT_THROW(decode_slot_secrets(encode_slot_secrets(with_epochs(epochs))), FormatError);
    }
}

TEST(SlotSecrets, HoldAtLeastOneMasterAndAtMostTheLimit) {
    EXPECT_THROW(decode_slot_secrets(encode_slot_secrets({})), FormatError);
    std::vector<std::uint32_t> epochs;
    while (epochs.size() <= limits::masters_per_slot) {
        epochs.push_back(static_cast<std::uint32_t>(epochs.size() + 1));
    }
    EXPECT_THROW(decode_slot_secrets(encode_slot_secrets(with_epochs(epochs))), FormatError);
    epochs.pop_back();
    EXPECT_NO_THROW(decode_slot_secrets(encode_slot_secrets(with_epochs(epochs))));
}

TEST(SlotPrefix, KeepsEachField) {
    expect_keeps_each(
        samples::passphrase_slot(),
        {[](SlotPrefix& s) { s = samples::key_file_slot(); },
         [](SlotPrefix& s) { s.cost.passes = 4; }, [](SlotPrefix& s) { s.cost.memory_kib = 8; },
         [](SlotPrefix& s) { s.epochs = 1; }, [](SlotPrefix& s) { s.salt[15] = std::byte{1}; },
         [](SlotPrefix& s) { s.commitment[31] = std::byte{1}; }},
        decode_whole_slot, encode_slot_prefix);
}

TEST(SlotPrefix, RefusesUnknownKinds) {
    for (unsigned const kind : {0U, 3U}) {
        SlotPrefix slot = samples::passphrase_slot();
        slot.kind = static_cast<SlotKind>(kind);
        EXPECT_EQ(format_error([&] { decode_whole_slot(encode_slot_prefix(slot)); }),
                  "key slot: unknown slot kind " + std::to_string(kind));
    }
}

TEST(SlotPrefix, ARefusedCostIsNamed) {
    SlotPrefix slot = samples::passphrase_slot();
    slot.cost = {17, 64};
    EXPECT_EQ(format_error([&] { decode_whole_slot(encode_slot_prefix(slot)); }),
              "key slot: key derivation cost of 17 passes over 64 KiB is outside the limits");
}

TEST(SlotInfo, KeepsEachField) {
    expect_keeps_each(samples::slot_info(),
                      {[](SlotInfo& i) { i.label += "2"; }, [](SlotInfo& i) { i.host.clear(); },
                       [](SlotInfo& i) { i.created_ns = 5; }},
                      decode_slot_info, encode_slot_info);
}

TEST(SlotInfo, RefusesTextsAboveTheLimit) {
    std::string const text(limits::text_size + 1, 'x');
    EXPECT_EQ(format_error([&] {
                  decode_slot_info(encode_slot_info({text, "", 0}));
              }),
              "key slot: label is 65537, above the limit of 65536");
    EXPECT_EQ(format_error([&] {
                  decode_slot_info(encode_slot_info({"", text, 0}));
              }),
              "key slot: host is 65537, above the limit of 65536");
}

TEST(SlotSecrets, KeepEachField) {
    expect_keeps_each(samples::slot_secrets(),
                      {[](SlotSecrets& s) { s.masters.pop_back(); },
                       [](SlotSecrets& s) { s.masters[1].secret[31] = std::byte{0}; }},
                      decode_slot_secrets, encode_slot_secrets);
}

}  // namespace
}  // namespace coffre
