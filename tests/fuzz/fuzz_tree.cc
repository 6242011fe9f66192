#include "format/tree.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    auto const encode = [](std::vector<Node> const& nodes) {
        Writer digest_forms;
        for (auto const& node : nodes) write_digest_form(digest_forms, node);
        return encode_tree_piece(nodes);
    };
    return check_canonical(data, size, decode_tree_piece, encode);
}
