#include "engine/node_filter.h"

#include <algorithm>

#include "engine/util/paths.h"

namespace coffre {

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::string NodeFilter::as_compared(std::string text) const {
    if (letters_ == Case::ignored) std::transform(text.begin(), text.end(), text.begin(), lower);
    return text;
}

void NodeFilter::add_pattern(std::string const& pattern) {
    std::string const text = as_compared(pattern);
    patterns_.add(text);
    bool const takes_back = text.starts_with('!');
    has_paths_ = has_paths_ || takes_back || text.find('/') != std::string::npos;
    if (takes_back) return;
    auto components = components_of(text);
    std::erase(components, ".");
    last_names_.add("/" + components.back());
}

bool NodeFilter::matches_size(Node const& node) const {
    if (!larger_than && !smaller_than) return true;
    return node.is_file() && (!larger_than || node.size > *larger_than) &&
           (!smaller_than || node.size < *smaller_than);
}

bool NodeFilter::matches_fields(Node const& node) const {
    bool const is_kind =
        kinds.empty() || std::find(kinds.begin(), kinds.end(), node.kind) != kinds.end();
    return is_kind && matches_size(node) && (!oldest || node.mtime >= *oldest) &&
           (!newest || node.mtime <= *newest);
}

// Most names match the end of no pattern, which is soon found out.
bool NodeFilter::matches_path(std::string const& folder, std::string const& name) const {
    if (patterns_.empty()) return true;
    std::string const compared = "/" + as_compared(name);
    if (!last_names_.matches(compared)) return false;
    return !has_paths_ || patterns_.matches(as_compared(folder) + compared);
}

bool NodeFilter::matches(std::string const& folder, Node const& node) const {
    return matches_fields(node) && matches_path(folder, node.name);
}

bool NodeFilter::may_match_beneath(std::string const& folder) const {
    return !has_paths_ || patterns_.may_match_beneath(as_compared(folder));
}

}  // namespace coffre
