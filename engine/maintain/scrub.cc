// Looks for damage without any key.
#include "engine/backend/local.h"
#include "engine/check.h"
#include "engine/crypto/hash.h"
#include "engine/repository/names.h"
#include "engine/repository/pack_builder.h"
#include "engine/util/ordered_stage.h"
#include "engine/util/workers.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr char const* packs_folder = "packs/";

std::optional<ObjectKind> kind_of(std::string const& name) {
    static std::map<std::string, ObjectKind> const kinds{
        {"keys", ObjectKind::key_slot},    {"bundles", ObjectKind::bundle},
        {"sessions", ObjectKind::session}, {"snapshots", ObjectKind::snapshot},
        {"forgets", ObjectKind::forget},   {"gclog", ObjectKind::gc_log},
        {"parity", ObjectKind::parity},    {names::config, ObjectKind::config}};
    auto const found = kinds.find(name.substr(0, name.find('/')));
    return found != kinds.end() ? std::optional(found->second) : std::nullopt;
}

// Ends with the XXH3-64 of all before it. Throws FormatError.
void require_checksum(std::string const& name, ByteView object) {
    auto const kind = kind_of(name);
    if (!kind) throw FormatError("no object of a repository");
    if (object.size() < object_header_size + sizeof(std::uint64_t)) throw FormatError("cut off");
    if (has_damaged_version(object)) throw FormatError("its version is damaged");
    Reader header(object.first(object_header_size), name);
    read_object_header(header, *kind);
    Reader checksum(object.last(sizeof(std::uint64_t)), name);
    if (checksum.u64() != xxh3(object.first(object.size() - sizeof(std::uint64_t)))) {
        throw FormatError("checksum differs: the object is damaged");
    }
}

struct Scrubbed {
    std::string error;  // empty: none
    std::uint64_t bytes = 0;
    bool is_pack = false;  // and still there
};

Scrubbed scrub(Backend& store, std::string const& name) {
    Scrubbed result;
    result.is_pack = name.starts_with(packs_folder);
    try {
        Bytes const bytes =
            get_whole(store, name, result.is_pack ? limits::pack_size : limits::object_size);
        result.bytes = bytes.size();
        result.is_pack ? verify_checksums(name, bytes) : require_checksum(name, bytes);
    } catch (FormatError const& error) {
        result.error = name + ": " + error.what();
    } catch (RepositoryError const& error) {
        if (!is_of_one_object(error.kind())) throw;
        // A collection removes what it lists as well. What is missing cannot be told without a key.
        if (!store.stat(name)) return {};
        result.error = error.what();
    }
    return result;
}

}  // namespace

CheckReport scrub_store(std::string const& location, unsigned threads, Progress& progress) {
    auto const store = open_local_store(location);
    if (!store->stat(names::config)) {
        if (!store->list(packs_folder).empty())
            throw RepositoryError(RepositoryFailure::config_lost, "the object \"config\" is lost");
        throw RepositoryError(RepositoryFailure::not_found,
                              location + ": no repository there (no object \"config\")");
    }
    CheckReport report;
    unsigned const workers = worker_count(threads);
    OrderedStage<std::string, Scrubbed> stage(
        workers, 2 * std::size_t{workers},
        [&](std::string const& name) { return scrub(*store, name); },
        [&](Scrubbed const& result) {
            report.packs += result.is_pack ? 1 : 0;
            report.bytes_read += result.bytes;
            progress.bytes += result.bytes;
            if (result.error.empty()) return;
            report.errors.push_back(result.error);
            progress.report_failure("", result.error);
        });
    auto objects = store->list("");
    std::erase_if(objects, [](auto const& object) { return names::is_no_object(object.name); });
    for (auto const& object : objects) progress.total_bytes += object.size;
    for (auto const& object : objects) {
        progress.check_stop();
        stage.push(object.name);
    }
    stage.finish();
    return report;
}

}  // namespace coffre
