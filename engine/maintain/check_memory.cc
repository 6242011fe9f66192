#include "engine/maintain/check_memory.h"

#include <algorithm>
#include <filesystem>

#include "engine/crypto/hash.h"
#include "engine/util/small_file.h"
#include "format/limits.h"
#include "format/wire.h"

namespace coffre {

namespace {

constexpr std::string_view file_mark = "coffre-checks-2";
constexpr std::uint64_t row_size = PackId::size + sizeof(std::int64_t);
constexpr std::uint64_t most_bytes = limits::log_entries * row_size;

void write_time(Writer& out, std::int64_t time_s) {
    out.u64(static_cast<std::uint64_t>(time_s));
}

std::int64_t read_time(Reader& in) {
    return static_cast<std::int64_t>(in.u64());
}

// A run at 0 is none.
void write_run(Writer& out, std::optional<CheckRun> const& run) {
    write_time(out, run.value_or(CheckRun{}).time_s);
    out.u64(run.value_or(CheckRun{}).errors);
}

std::optional<CheckRun> read_run(Reader& in) {
    CheckRun run;
    run.time_s = read_time(in);
    run.errors = in.u64();
    return run.time_s != 0 ? std::optional(run) : std::nullopt;
}

void forget_if_ahead(std::optional<CheckRun>& run, std::int64_t now_s) {
    if (run && run->time_s > now_s) run.reset();
}

std::optional<CheckRun> later(std::optional<CheckRun> const& a, std::optional<CheckRun> const& b) {
    return a && (!b || a->time_s >= b->time_s) ? a : b;
}

}  // namespace

CheckMemory::CheckMemory(std::string const& folder, std::int64_t now_s)
    : folder_(folder),
      file_(folder + "/checks"),
      known_(load(file_, now_s)),
      damaged_(noted_damaged(folder)) {}

std::optional<std::int64_t> CheckMemory::verified_s(PackId const& pack) const {
    auto const found = known_.packs.find(pack);
    if (found == known_.packs.end() || was_damaged(pack)) return std::nullopt;
    return found->second;
}

Verification CheckMemory::verification(PackSizes const& packs) const {
    Verification result;
    for (auto const& [pack, size] : packs) {
        if (was_damaged(pack)) ++result.packs_damaged;
        auto const time_s = verified_s(pack);
        if (time_s) {
            result.oldest_s = std::min(result.oldest_s.value_or(*time_s), *time_s);
        } else {
            ++result.packs_never;
            result.bytes_never += size;
        }
    }
    return result;
}

void CheckMemory::note_verified(PackId const& pack, std::int64_t time_s) {
    known_.packs.insert_or_assign(pack, time_s);
    noted_.insert_or_assign(pack, time_s);
    if (damaged_.erase(pack) > 0) note_sound(folder_, pack);
}

void CheckMemory::note_damaged(PackId const& pack) {
    damaged_.insert(pack);
    coffre::note_damaged(folder_, pack);
}

void CheckMemory::save(PackSizes const& packs, std::int64_t now_s) {
    Known now = load(file_, now_s);
    for (auto const& [pack, time_s] : noted_) now.packs.insert_or_assign(pack, time_s);
    std::erase_if(now.packs, [&](auto const& row) { return !packs.contains(row.first); });
    std::erase_if(damaged_, [&](PackId const& pack) {
        if (packs.contains(pack)) return false;
        note_sound(folder_, pack);
        return true;
    });
    now.structure = later(known_.structure, now.structure);
    now.read_data = later(known_.read_data, now.read_data);
    replace_small_file(file_, to_text(encode(now)));
    known_ = std::move(now);
    noted_.clear();
}

Bytes CheckMemory::encode(Known const& known) {
    Writer out;
    out.text(file_mark);
    write_run(out, known.structure);
    write_run(out, known.read_data);
    out.u64(known.packs.size());
    for (auto const& [pack, time_s] : known.packs) {
        out.id(pack);
        write_time(out, time_s);
    }
    out.u64(xxh3(out.view()));
    return out.take();
}

CheckMemory::Known CheckMemory::decode(ByteView bytes) {
    Reader in(bytes, "memory of checks");
    Known known;
    if (in.text(64, "mark") != file_mark) in.fail("not such a file");
    known.structure = read_run(in);
    known.read_data = read_run(in);
    for (auto rows = in.u64(); rows > 0; --rows) {
        auto const pack = in.id<PackId>();
        known.packs.emplace_hint(known.packs.end(), pack, read_time(in));
    }
    ByteView const covered = bytes.first(bytes.size() - in.remaining());
    if (in.u64() != xxh3(covered)) in.fail("checksum differs");
    in.expect_end();
    return known;
}

CheckMemory::Known CheckMemory::load(std::string const& file, std::int64_t now_s) {
    Known known = read(file);
    std::erase_if(known.packs, [&](auto const& row) { return row.second > now_s; });
    forget_if_ahead(known.structure, now_s);
    forget_if_ahead(known.read_data, now_s);
    return known;
}

CheckMemory::Known CheckMemory::read(std::string const& file) {
    try {
        std::error_code absent;
        auto const size = std::filesystem::file_size(file, absent);
        if (absent || size > most_bytes) return {};
        if (auto const text = read_small_file(file, size)) return decode(as_bytes(*text));
    } catch (SourceError const&) {
        // Only a hint is lost: packs are read once more.
    } catch (FormatError const&) {
    }
    return {};
}

}  // namespace coffre
