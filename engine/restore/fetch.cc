#include "engine/restore/fetch.h"

#include <thread>

#include "engine/repository/tree_reader.h"
#include "engine/util/ordered_stage.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::size_t window_writes = 32 * std::size_t{1024};
constexpr std::uint64_t window_memory = 64 * limits::mib;  // paths and attributes may be long

// The chunk's bytes, where the block's directory says they are; empty when it does not know it.
ByteView chunk_in(BlockSource const& source, Bytes const& plain, ChunkId const& id) {
    for (auto const& row : source.row.chunks) {
        if (row.id == id && !plain.empty()) return ByteView(plain).subspan(row.offset, row.size);
    }
    return {};
}

}  // namespace

Fetcher::Fetcher(ChunkReader& reader, FileWriter& writer, unsigned threads)
    : reader_(reader), writer_(writer), threads_(threads) {}

void Fetcher::plan(FileWrite write) {
    ++write.file->remaining;
    bool const is_first = write.offset == 0;
    if (is_first) planned_memory_ += memory_of(write.file->node) + write.file->path.size();
    try {
        auto const place = reader_.locate(write.chunk).front();
        window_[{place.pack, place.block}].push_back(std::move(write));
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        writer_.mark_damaged(*write.file, error.what());
        return writer_.release(*write.file);
    }
    if (++planned_ >= window_writes || planned_memory_ >= window_memory) run();
}

// Nothing when this place is of no use: its pack has no key for it, or the index turns out to be
// damaged; then that is built again, and places have other numbers.
std::optional<BlockSource> Fetcher::source_of(ChunkPlace const& place) {
    std::lock_guard const lock(reader_mutex_);
    try {
        return reader_.source(place);
    } catch (IndexDamaged const&) {
        reader_.recover();
        return std::nullopt;
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        return std::nullopt;
    }
}

void Fetcher::run() {
    OrderedStage<std::shared_ptr<Job>, int> stage(
        threads_, 2 * std::size_t{threads_},
        [&](std::shared_ptr<Job> const& job) {
            fetch(*job);
            return 0;
        },
        [](int) {});
    for (auto& [place, writes] : window_) {
        auto source = source_of({place.first, place.second});
        if (source) {
            stage.push(std::make_shared<Job>(Job{std::move(*source), std::move(writes)}));
            continue;
        }
        for (auto const& write : writes) {
            write_from_copies(write);
            writer_.release(*write.file);
        }
    }
    stage.finish();
    window_.clear();
    planned_ = 0;
    planned_memory_ = 0;
}

// Empty when this copy of the block cannot be read: then each chunk is looked for in its others.
Bytes Fetcher::read_block(BlockSource const& source) {
    Repository& repository = reader_.repository();
    try {
        Bytes const stored =
            repository.store().get(source.pack_name, source.row.offset, source.row.stored_size);
        if (source.row.bases.empty()) {
            return decode_block(stored, source.row, *source.key, repository.id(), {});
        }
        std::lock_guard const lock(reader_mutex_);
        return reader_.decode(source, stored);
    } catch (FormatError const&) {
        return {};
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        return {};
    }
}

void Fetcher::fetch(Job const& job) {
    Bytes const plain = read_block(job.source);
    ChunkNamer const& namer = reader_.repository().namer();
    for (auto const& write : job.writes) {
        ByteView const bytes = chunk_in(job.source, plain, write.chunk);
        bool const is_it = namer.name(PackKind::data, bytes) == write.chunk;
        if (bytes.size() == write.size && (is_it || mutant("any-chunk"))) {
            writer_.write(write, bytes);
        } else {
            write_from_copies(write);
        }
        writer_.release(*write.file);
    }
}

void Fetcher::write_from_copies(FileWrite const& write) {
    try {
        std::lock_guard const lock(reader_mutex_);
        Bytes const bytes = reader_.read(PackKind::data, write.chunk);
        if (bytes.size() != write.size) {
            throw RepositoryError(RepositoryFailure::corrupt, "a chunk has another size");
        }
        writer_.write(write, bytes);
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        writer_.mark_damaged(*write.file, error.what());
    }
}

}  // namespace coffre
