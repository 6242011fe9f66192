#include "engine/util/attributes.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "engine/error.h"
#include "engine/util/fd.h"
#include "format/limits.h"

namespace coffre {

namespace {

[[noreturn]] void fail(std::string const& doing) {
    throw SourceError("", "cannot " + doing + ": " + errno_text());
}

// What `fill` gives: asked for its size first when it is large, and again when it grew meanwhile.
// Nothing when there is none.
template <class Fill>
std::optional<Bytes> read_value(Fill const& fill, std::string const& what) {
    Bytes value(256);
    for (;;) {
        ssize_t size = fill(std::span(value));
        if (size >= 0) {
            value.resize(static_cast<std::size_t>(size));
            return value;
        }
        if (errno == ENODATA || errno == ENOTSUP) return std::nullopt;
        if (errno == ERANGE) size = fill(std::span<std::byte>());
        if (size < 0) fail("read " + what);
        value.resize(static_cast<std::size_t>(size) + 1);
    }
}

std::vector<std::string> sorted_names(Bytes const& list) {
    std::vector<std::string> names;
    std::string const text = to_text(list);
    for (std::size_t at = 0; at < text.size(); at += names.back().size() + 1) {
        names.emplace_back(text.c_str() + at);
    }
    std::sort(names.begin(), names.end());
    // Some kernels list one twice.
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

}  // namespace

Attributes Attributes::of_entry(int folder, std::string const& name) {
    if (folder == AT_FDCWD) return {-1, name};
    return {-1, "/proc/self/fd/" + std::to_string(folder) + "/" + name};
}

Attributes Attributes::of_path_only(int fd) {
    return {-1, "/proc/self/fd/" + std::to_string(fd), true};
}

ssize_t Attributes::list(std::span<std::byte> into) const {
    auto* const names = static_cast<char*>(static_cast<void*>(into.data()));
    if (fd_ >= 0) return ::flistxattr(fd_, names, into.size());
    return (is_link_to_it_ ? ::listxattr : ::llistxattr)(path_.c_str(), names, into.size());
}

ssize_t Attributes::get(std::string const& name, std::span<std::byte> into) const {
    if (fd_ >= 0) return ::fgetxattr(fd_, name.c_str(), into.data(), into.size());
    auto const get = is_link_to_it_ ? ::getxattr : ::lgetxattr;
    return get(path_.c_str(), name.c_str(), into.data(), into.size());
}

std::vector<Xattr> Attributes::read() const {
    auto const names =
        read_value([&](std::span<std::byte> into) { return list(into); }, "the attributes");
    if (!names || names->empty()) return {};
    std::vector<Xattr> found;
    std::uint64_t total = 0;
    bool fits = true;
    for (auto const& name : sorted_names(*names)) {
        auto value = read_value([&](std::span<std::byte> into) { return get(name, into); },
                                "attribute " + name);
        if (!value) continue;  // removed since it was listed
        total += name.size() + value->size();
        fits =
            fits && name.size() <= limits::name_size && value->size() <= limits::xattr_value_size;
        found.push_back({name, std::move(*value)});
    }
    fits = fits && total <= limits::xattrs_size && found.size() <= limits::xattrs_per_node;
    if (!fits) {
        throw SourceError("", "the attributes are too large to be saved");
    }
    return found;
}

void Attributes::set(std::string const& name, ByteView value) const {
    auto const set = is_link_to_it_ ? ::setxattr : ::lsetxattr;
    int const result = fd_ >= 0 ? ::fsetxattr(fd_, name.c_str(), value.data(), value.size(), 0)
                                : set(path_.c_str(), name.c_str(), value.data(), value.size(), 0);
    if (result != 0) fail("set attribute " + name);
}

void Attributes::remove(std::string const& name) const {
    auto const remove = is_link_to_it_ ? ::removexattr : ::lremovexattr;
    int const result =
        fd_ >= 0 ? ::fremovexattr(fd_, name.c_str()) : remove(path_.c_str(), name.c_str());
    if (result != 0 && errno != ENODATA) fail("remove attribute " + name);
}

}  // namespace coffre
