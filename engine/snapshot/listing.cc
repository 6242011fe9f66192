#include "engine/snapshot/listing.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t looks_at_once = 512;
// The kernel takes a lease away after 45 s.
constexpr std::chrono::milliseconds lease_interval{100};
constexpr int lease_looks = 500;

// Returns errno when the folder could not be listed to its end.
int list_names(int folder, Names& names) {
    alignas(struct dirent64) std::array<std::byte, 32 * limits::kib> buffer;
    while (true) {
        ssize_t const size = ::getdents64(folder, buffer.data(), buffer.size());
        if (size < 0) return errno;
        if (size == 0) return 0;
        for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
            void const* const place = buffer.data() + at;
            auto const* const entry = static_cast<struct dirent64 const*>(place);
            std::string_view const name = entry->d_name;
            if (name != "." && name != "..") names.add(name);
            at += entry->d_reclen;
        }
    }
}

}  // namespace

void Names::add(std::string_view name) {
    starts_.push_back(text_.size());
    text_.append(name).push_back('\0');
}

void Names::sort() {
    std::sort(starts_.begin(), starts_.end(),
              [this](std::size_t a, std::size_t b) { return at(a) < at(b); });
    auto const repeated =
        std::unique(starts_.begin(), starts_.end(),
                    [this](std::size_t a, std::size_t b) { return at(a) == at(b); });
    starts_.erase(repeated, starts_.end());
}

void Names::keep_only(std::string_view name) {
    std::erase_if(starts_, [&](std::size_t start) { return at(start) != name; });
}

Fd open_source(int folder, char const* name, int flags) {
    Fd fd(::openat(folder, name, flags | O_NOATIME));
    if (!fd && errno == EPERM) fd = Fd(::openat(folder, name, flags));
    // Somebody holds a lease on the file, as a file server does, and is asked now to give it back.
    for (int i = 0; !fd && errno == EWOULDBLOCK && i < lease_looks; ++i) {
        std::this_thread::sleep_for(lease_interval);
        fd = Fd(::openat(folder, name, flags));
    }
    return fd;
}

Listing list_folder(int above, char const* name) {
    Listing listing;
    listing.folder = open_source(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!listing.folder || ::fstat(listing.folder.get(), &listing.status) != 0) {
        listing.error = errno;
        return listing;
    }
    listing.names_error = list_names(listing.folder.get(), listing.names);
    listing.names.sort();
    listing.looks = look_at_entries(listing.folder.get(), listing.names, 0);
    return listing;
}

std::vector<EntryLook> look_at_entries(int folder, Names const& names, std::size_t begin) {
    std::vector<EntryLook> looks(std::min(names.size() - begin, looks_at_once));
    for (std::size_t i = 0; i < looks.size(); ++i) {
        char const* const name = names[begin + i].data();
        bool const is_there = ::fstatat(folder, name, &looks[i].status, AT_SYMLINK_NOFOLLOW) == 0;
        if (!is_there) looks[i].error = errno;
    }
    return looks;
}

}  // namespace coffre
