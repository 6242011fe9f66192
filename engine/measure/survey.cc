#include "engine/measure/survey.h"

#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>
#include <set>
#include <tuple>

#include "engine/crypto/hash.h"
#include "engine/error.h"
#include "engine/util/clock.h"
#include "engine/util/fd.h"
#include "engine/util/source_file.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::uint64_t piece_size = 4 * limits::mib;
constexpr std::size_t most_pieces = 100'000;  // their paths take memory
constexpr std::time_t month = std::time_t{30} * 24 * 3600;

struct CloseFts {
    void operator()(FTS* tree) const { ::fts_close(tree); }
};

std::uint64_t rank_of(std::string const& path, std::uint64_t offset) {
    return xxh3_keyed(as_bytes(path), offset);
}

// What is named is not.
bool is_excluded(FTSENT const& entry, PatternList const& exclude) {
    return !exclude.empty() && entry.fts_level > FTS_ROOTLEVEL && exclude.matches(entry.fts_path);
}

// Nothing where that cannot be told.
std::vector<Hole> holes_of(std::string const& path, struct stat const& status) {
    if (!SourceFile::may_have_holes(status)) return {};
    Fd const file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file) return {};
    try {
        return SourceFile(file.get(), status).holes();
    } catch (SourceError const&) {
        return {};
    }
}

class Survey {
public:
    Survey(PieceSampler& sampler, Progress& progress) : sampler_(sampler), progress_(progress) {}

    void add(FTSENT const& entry) {
        switch (entry.fts_info) {
            case FTS_D:
                ++found_.directories;
                break;
            case FTS_F:
                add_file(entry.fts_path, *entry.fts_statp);
                break;
            case FTS_DNR:
            case FTS_ERR:
            case FTS_NS:
                ++found_.unreadable;
                progress_.report_failure(entry.fts_path, std::strerror(entry.fts_errno));
                break;
            default:
                break;
        }
    }
    PathsFound const& found() const { return found_; }

private:
    void add_file(std::string const& path, struct stat const& status) {
        if (status.st_nlink > 1 && !met_.insert({status.st_dev, status.st_ino}).second) return;
        auto const holes = holes_of(path, status);
        auto size = static_cast<std::uint64_t>(status.st_size);
        for (auto const& hole : holes) size -= hole.size;
        ++found_.files;
        ++progress_.files;
        found_.bytes += size;
        if (status.st_mtime > now_ - month) found_.bytes_of_month += size;
        std::uint64_t at = 0;
        for (auto const& hole : holes) {
            sampler_.offer(path, hole.offset - at, at);
            at = hole.offset + hole.size;
        }
        sampler_.offer(path, static_cast<std::uint64_t>(status.st_size) - at, at);
    }

    PieceSampler& sampler_;
    Progress& progress_;
    PathsFound found_;
    std::time_t now_ = std::time(nullptr);
    std::set<std::pair<dev_t, ino_t>> met_;  // files of several names
};

}  // namespace

void PieceSampler::offer(std::string const& path, std::uint64_t size, std::uint64_t begin) {
    std::uint64_t const end = begin + size;
    for (std::uint64_t offset = begin; offset < end; offset += piece_size) {
        auto const part = static_cast<std::uint32_t>(std::min(piece_size, end - offset));
        std::uint64_t const rank = rank_of(path, offset);
        if (rank < lowest_left_out_) add({rank, path, offset, part});
    }
}

void PieceSampler::add(Piece piece) {
    bytes_ += piece.size;
    pieces_.push(std::move(piece));
    while ((bytes_ > bound_ || pieces_.size() > most_pieces) && pieces_.size() > 1) {
        lowest_left_out_ = pieces_.top().rank;
        bytes_ -= pieces_.top().size;
        pieces_.pop();
    }
}

std::vector<Piece> PieceSampler::take() {
    std::vector<Piece> pieces;
    for (; !pieces_.empty(); pieces_.pop()) pieces.push_back(pieces_.top());
    std::sort(pieces.begin(), pieces.end(), [](Piece const& a, Piece const& b) {
        return std::tie(a.path, a.offset) < std::tie(b.path, b.offset);
    });
    return pieces;
}

PathsFound survey_paths(std::vector<std::string> const& paths, PatternList const& exclude,
                        PieceSampler& sampler, Progress& progress) {
    auto const start = std::chrono::steady_clock::now();
    std::vector<std::string> names = paths;
    std::vector<char*> roots;
    for (auto& name : names) {
        std::error_code absent;
        auto const absolute = std::filesystem::absolute(name, absent);
        if (!absent) name = absolute.lexically_normal();
        struct stat status {};
        if (::lstat(name.c_str(), &status) != 0) {
            throw SourceError(name, name + ": " + errno_text());
        }
        roots.push_back(name.data());
    }
    roots.push_back(nullptr);
    std::unique_ptr<FTS, CloseFts> const tree(
        ::fts_open(roots.data(), FTS_PHYSICAL | FTS_NOCHDIR, nullptr));
    if (!tree) throw SourceError(paths.front(), "cannot walk: " + errno_text());
    Survey survey(sampler, progress);
    while (FTSENT* const entry = ::fts_read(tree.get())) {
        progress.check_stop();
        if (is_excluded(*entry, exclude)) {
            ::fts_set(tree.get(), entry, FTS_SKIP);
        } else {
            survey.add(*entry);
        }
    }
    PathsFound found = survey.found();
    found.seconds = seconds_since(start);
    return found;
}

}  // namespace coffre
