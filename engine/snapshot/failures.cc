#include "engine/snapshot/failures.h"

namespace coffre {

namespace {

constexpr std::size_t listed_text_size = 4096;

std::string shortened(std::string const& text) {
    if (text.size() <= listed_text_size) return text;
    return "..." + text.substr(text.size() - listed_text_size);
}

}  // namespace

void Failures::add(std::string const& path, std::string const& message) {
    ++count_;
    if (list_.size() < listed_failures) list_.push_back({shortened(path), shortened(message)});
    progress_.report_failure(path, message);
}

}  // namespace coffre
