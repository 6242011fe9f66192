#include "engine/restore/fetch.h"

#include <algorithm>

#include "engine/repository/tree_reader.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

// The first windows are small, so that the workers soon have something to do; then the larger they
// are, the fewer blocks are needed by several.
constexpr std::size_t first_window_writes = 2048;
constexpr std::size_t most_window_writes = 16 * first_window_writes;
constexpr std::size_t copies_cache = 8 * limits::mib;
constexpr std::uint64_t window_memory = 32 * limits::mib;  // paths and attributes may be long

// The chunk's bytes, where the block's directory says they are; empty when it does not know it.
ByteView chunk_in(BlockSource const& source, Bytes const& plain, ChunkId const& id,
                  std::size_t& hint) {
    if (plain.empty()) return {};
    auto const* const row = find_row(*source.row, id, hint);
    return row == nullptr ? ByteView() : ByteView(plain).subspan(row->offset, row->size);
}

// Chunks that follow each other in the block as in the file are written as one.
class WriteRun {
public:
    explicit WriteRun(FileWriter& writer) : writer_(writer) {}

    void add(FileWrite const& write, ByteView bytes) {
        if (!goes_on(write, bytes)) finish();
        if (writes_.empty()) bytes_ = bytes.first(0);
        writes_.push_back(&write);
        bytes_ = {bytes_.data(), bytes_.size() + bytes.size()};
    }
    void finish() {
        if (writes_.empty()) return;
        writer_.write(*writes_.front(), bytes_);
        for (auto const* write : writes_) writer_.release(*write->file);
        writes_.clear();
    }

private:
    bool goes_on(FileWrite const& write, ByteView bytes) const {
        return !writes_.empty() && !writer_.takes_chunks_apart() &&
               write.file == writes_.front()->file &&
               write.offset == writes_.front()->offset + bytes_.size() &&
               bytes.data() == bytes_.data() + bytes_.size();
    }

    FileWriter& writer_;
    std::vector<FileWrite const*> writes_;
    ByteView bytes_;
};

}  // namespace

Fetcher::Fetcher(ChunkReader& reader, FileWriter& writer, unsigned threads)
    : reader_(reader),
      writer_(writer),
      threads_(threads),
      copies_(reader.repository(), copies_cache),
      bound_(first_window_writes) {}

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
    if (++planned_ >= bound_ || planned_memory_ >= window_memory) hand_on_window();
}

// Nothing when this place is of no use: its pack has no key for it, or the index turns out to be
// damaged; then that is built again, and places have other numbers.
std::optional<BlockSource> Fetcher::source_of(ChunkPlace const& place) {
    std::lock_guard const lock(mutex_);
    try {
        return copies_.source(place);
    } catch (IndexDamaged const&) {
        copies_.recover();
        return std::nullopt;
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        return std::nullopt;
    }
}

void Fetcher::finish() {
    hand_on_window();
    await_window();
}

void Fetcher::await_window() {
    if (running_) running_->finish();
    running_.reset();
}

// There are two windows at the most, one planned and one fetched: that bounds their memory.
void Fetcher::hand_on_window() {
    await_window();
    running_ = std::make_unique<Stage>(
        threads_, window_.size() + 1,
        [this](std::shared_ptr<Job> const& job) {
            fetch(*job);
            return 0;
        },
        [](int) {});
    for (auto& [place, writes] : window_) {
        auto source = source_of({place.first, place.second});
        if (source) {
            // Its pack's whole directory would be held, too.
            source->row = std::make_shared<BlockRow const>(*source->row);
            running_->push(std::make_shared<Job>(Job{std::move(*source), std::move(writes)}));
            continue;
        }
        for (auto const& write : writes) {
            write_from_copies(write);
            writer_.release(*write.file);
        }
    }
    window_.clear();
    planned_ = 0;
    planned_memory_ = 0;
    bound_ = std::min(2 * bound_, most_window_writes);
}

// Empty when this copy of the block cannot be read: then each chunk is looked for in its others.
Bytes Fetcher::read_block(BlockSource const& source) {
    Repository& repository = reader_.repository();
    try {
        Bytes const stored =
            repository.store().get(source.pack_name, source.row->offset, source.row->stored_size);
        if (source.row->bases.empty()) {
            return decode_block(stored, *source.row, *source.key, repository.id(), {});
        }
        std::lock_guard const lock(mutex_);
        return copies_.decode(source, stored);
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
    WriteRun run(writer_);
    std::size_t next_row = 0;
    for (auto const& write : job.writes) {
        ByteView const bytes = chunk_in(job.source, plain, write.chunk, next_row);
        bool const is_it = namer.name(PackKind::data, bytes) == write.chunk;
        if (bytes.size() == write.size && (is_it || mutant("any-chunk"))) {
            run.add(write, bytes);
        } else {
            write_from_copies(write);
            writer_.release(*write.file);
        }
    }
    run.finish();
}

void Fetcher::write_from_copies(FileWrite const& write) {
    try {
        std::lock_guard const lock(mutex_);
        Bytes const bytes = copies_.read(PackKind::data, write.chunk);
        if (bytes.size() != write.size) {
            throw corrupt("a chunk has another size");
        }
        writer_.write(write, bytes);
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        writer_.mark_damaged(*write.file, error.what());
    }
}

}  // namespace coffre
