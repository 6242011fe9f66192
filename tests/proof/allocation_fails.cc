// Memory runs out at the 1st, 2nd, 3rd ... allocation of every decoder: it ends in std::bad_alloc
// or in its own error, and gives back all it took.
#include <gtest/gtest.h>

#include "failing_new.h"
#include "proof.h"
#include "tests/unit/format_samples.h"

namespace coffre::proof {
namespace {

struct Decoder {
    std::string name;
    Bytes sample;
    std::function<void(ByteView)> decode;
};

std::vector<Decoder> small_object_decoders() {
    return {
        {"config prefix", encode_config_prefix(samples::public_prefix()),
         [](ByteView bytes) {
             Reader in(bytes, "config");
             decode_config_prefix(in);
         }},
        {"config secrets", encode_config_secrets(samples::config_secrets()),
         [](ByteView bytes) { decode_config_secrets(bytes); }},
        {"slot prefix", encode_slot_prefix(samples::passphrase_slot()),
         [](ByteView bytes) {
             Reader in(bytes, "key slot");
             decode_slot_prefix(in);
         }},
        {"slot secrets", encode_slot_secrets(samples::slot_secrets()),
         [](ByteView bytes) { decode_slot_secrets(bytes); }},
        {"session", encode_session(samples::session()),
         [](ByteView bytes) { decode_session(bytes); }},
        {"log record", encode_log_record(samples::log_record()),
         [](ByteView bytes) { decode_log_record(bytes); }},
        {"forget", encode_forget(samples::forget()), [](ByteView bytes) { decode_forget(bytes); }},
        {"slot", encode_slot({samples::snapshot()}), [](ByteView bytes) { decode_slot(bytes); }},
    };
}

std::vector<Decoder> content_decoders() {
    return {
        {"pack header", encode_pack_header(samples::pack_header()),
         [](ByteView bytes) { decode_pack_header(bytes); }},
        {"pack directory", encode_pack_directory(samples::pack_directory()),
         [](ByteView bytes) { decode_pack_directory(bytes); }},
        {"pack footer", encode_pack_footer(samples::pack_footer()),
         [](ByteView bytes) { decode_pack_footer(bytes, samples::footer_pack_size); }},
        {"bundle", encode_bundle(samples::bundle()), [](ByteView bytes) { decode_bundle(bytes); }},
        {"recipe", encode_recipe(0, samples::list_entries()),
         [](ByteView bytes) { decode_recipe(bytes, 0); }},
        {"tree piece", encode_tree_piece(samples::nodes()),
         [](ByteView bytes) { decode_tree_piece(bytes); }},
        {"padding", pad(samples::counting(97)), [](ByteView bytes) { unpad(bytes, "padding"); }},
    };
}

class AllocationFails : public testing::TestWithParam<Decoder> {
protected:
    // What became of one attempt: its complaint, or nothing.
    static std::string attempt(ByteView bytes, std::uint64_t allocations) {
        std::int64_t const before = live_allocations();
        bool is_bad_alloc = false;
        bool is_other = false;
        fail_after(allocations);
        try {
            GetParam().decode(bytes);
        } catch (std::bad_alloc const&) {
            is_bad_alloc = true;
        } catch (FormatError const&) {
            // Of damaged bytes; a valid sample is decoded without failures first.
        } catch (...) {
            is_other = true;
        }
        bool const has_failed = stop_failing();
        if (is_other || (is_bad_alloc && !has_failed)) return "ends in another error";
        return live_allocations() == before ? "" : "keeps memory";
    }
    // Fails at every allocation until there is none left to fail.
    static void fail_at_every(Bytes const& bytes, std::string const& what, Cases& cases) {
        for (std::uint64_t allocations = 0;; ++allocations) {
            cases.run(what + ", allocation " + std::to_string(allocations + 1), [&] {
                std::string const complaint = attempt(bytes, allocations);
                cases.expect(complaint.empty(), complaint);
            });
            if (!stop_failing()) return;
        }
    }
};

INSTANTIATE_TEST_SUITE_P(SmallObjects, AllocationFails, testing::ValuesIn(small_object_decoders()));
INSTANTIATE_TEST_SUITE_P(Contents, AllocationFails, testing::ValuesIn(content_decoders()));

TEST_P(AllocationFails, OfAValidObject) {
    Cases cases("allocations of " + GetParam().name, "cases");
    EXPECT_NO_THROW(GetParam().decode(GetParam().sample));
    fail_at_every(GetParam().sample, "valid", cases);
}

TEST_P(AllocationFails, OfDamagedObjects) {
    Cases cases("allocations of damaged " + GetParam().name, "cases");
    Bytes const& sample = GetParam().sample;
    std::size_t const step = is_long() ? 1 : sample.size() / 40 + 1;
    for (std::size_t at = 0; at < sample.size(); at += step) {
        fail_at_every(Bytes(sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(at)),
                      "cut to " + std::to_string(at), cases);
        Bytes flipped = sample;
        flipped[at] ^= std::byte{0x81};
        fail_at_every(flipped, "byte " + std::to_string(at), cases);
    }
}

}  // namespace
}  // namespace coffre::proof
