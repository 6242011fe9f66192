#include <stdexcept>

#include "engine/patterns.h"
#include "tests/fuzz/fuzz.h"

namespace {

// Whoever looks for a match must be led there: every folder above one says that there may be one.
void check_way(coffre::PatternList const& list, std::string const& path) {
    for (std::size_t slash = path.rfind('/'); slash != 0 && slash != std::string::npos;
         slash = path.rfind('/', slash - 1)) {
        coffre::require(list.may_match_beneath(path.substr(0, slash)),
                        "a folder above a match may hold one");
    }
}

}  // namespace

// The input is a pattern, a line end, and a path.
int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    std::string const text = to_text(std::as_bytes(std::span(data, size)));
    std::size_t const end = text.find('\n');
    if (end == std::string::npos) return 0;
    std::string const path = "/" + text.substr(end + 1);
    PatternList list;
    try {
        list.add(text.substr(0, end));
    } catch (std::invalid_argument const&) {
        return 0;
    }
    bool const is_plain = path.find("//") == std::string::npos && !path.ends_with('/');
    if (list.matches(path) && is_plain) check_way(list, path);
    list.add("!" + std::string("x"));
    list.matches(path);
    list.may_match_beneath(path);
    return 0;
}
