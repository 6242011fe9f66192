#include <stdexcept>

#include "cli/output.h"
#include "engine/crypto/recovery_key.h"
#include "engine/snapshots.h"
#include "tests/fuzz/fuzz.h"

// What users type: sizes, durations, times, recovery keys. Each may be refused, and nothing else.
int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    std::string const text = to_text(std::as_bytes(std::span(data, size)));
    try {
        cli::parse_size(text);
    } catch (std::invalid_argument const&) {
    }
    try {
        require(cli::parse_duration(text) >= 0, "a duration is not negative");
    } catch (std::invalid_argument const&) {
    }
    try {
        parse_time(text);
    } catch (std::invalid_argument const&) {
    } catch (RepositoryError const&) {
    }
    std::string const key = as_recovery_key(text);
    require(as_recovery_key(key) == key, "a recovery key is read as itself");
    require(key == text || !is_mistyped_recovery_key(text), "a recovery key has no mistake");
    std::string const shown = cli::printable(text);
    bool const controls =
        shown.find('\x1b') != std::string::npos || shown.find("\xc2\x9b") != std::string::npos;
    require(!controls, "nothing that is shown controls a terminal");
    return 0;
}
