#include "format/config.h"
#include "tests/fuzz/fuzz.h"

// The input is read as a prefix, and as the secrets.
int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    auto const decode_prefix = [](ByteView bytes) {
        Reader in(bytes, "config");
        ConfigPrefix prefix = decode_config_prefix(in);
        in.expect_end();
        return prefix;
    };
    check_canonical(data, size, decode_prefix, encode_config_prefix);
    return check_canonical(data, size, decode_config_secrets, encode_config_secrets);
}
