#include "engine/maintain/pack_reads.h"

#include "engine/repository/names.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t bases_cache = 32 * limits::mib;

}  // namespace

PackReads::PackReads(Repository& repository, std::map<PackId, ExpectedPack> const& expected,
                     unsigned threads, Progress& progress,
                     std::function<void(PackReading const&)> done)
    : repository_(repository),
      expected_(expected),
      progress_(progress),
      stage_(
          threads, 2 * std::size_t{threads}, [this](PackId const& id) { return read(id); },
          [this, done = std::move(done)](PackReading const& reading) {
              done(reading);
              progress_.bytes += reading.bytes;
          }) {}

void PackReads::begin(std::vector<PackId> packs, Start start) {
    packs_ = std::move(packs);
    start_ = std::move(start);
    feeding_ = std::async(std::launch::async, [this] { feed(); });
}

void PackReads::feed() {
    for (auto const& pack : packs_) {
        if (is_abandoned_) return;
        progress_.check_stop();
        stage_.push(pack);
    }
}

void PackReads::finish() {
    feeding_.get();
    stage_.finish();
}

PackReading PackReads::read(PackId const& id) {
    PackReading reading;
    reading.pack = id;
    if (!is_abandoned_) reading.begun_s = start_();
    if (!reading.begun_s) {
        is_abandoned_ = true;
        return reading;
    }
    try {
        read_pack(names::pack(id), reading);
    } catch (RepositoryError const& error) {
        if (error.kind() == RepositoryFailure::denied) {
            reading.begun_s.reset();
            reading.denied = error.what();
            return reading;
        }
        if (error.kind() != RepositoryFailure::corrupt) throw;
        reading.errors.emplace_back(error.what());
    }
    return reading;
}

void PackReads::read_pack(std::string const& name, PackReading& reading) {
    Bytes const bytes = get_whole(repository_.store(), name, limits::pack_size);
    reading.bytes = bytes.size();
    VerifiedPack const pack = verify_pack(repository_.keys(), name, bytes);
    if (auto const known = expected_.find(reading.pack); known != expected_.end()) {
        bool const same = xxh3(encode_pack_directory(pack.directory)) == known->second.directory &&
                          pack.header.session == known->second.session;
        if (!same) reading.errors.push_back(name + ": its bundle says something else of it");
    }
    if (lacks_secret(name, pack.directory, reading)) return;
    for (auto const& row : pack.directory.blocks) {
        ByteView const stored = ByteView(bytes).subspan(row.offset, row.stored_size);
        read_block(name, pack, row, stored, reading);
    }
}

bool PackReads::lacks_secret(std::string const& name, PackDirectory const& directory,
                             PackReading& reading) {
    for (auto const& key : directory.keys) {
        if (key.epoch <= repository_.keys().newest_epoch()) continue;
        try {
            repository_.session_key(directory, key.id);
        } catch (FormatError const& error) {
            reading.errors.push_back(name + ": " + error.what());
            return reading.lacks_secret = true;
        }
    }
    return false;
}

void PackReads::read_block(std::string const& name, VerifiedPack const& pack, BlockRow const& row,
                           ByteView stored, PackReading& reading) {
    try {
        auto const key = repository_.session_key(pack.directory, row.key);
        Bytes const prefix = delta_prefix(pack.header.kind, row);
        Bytes const plain = decode_block(stored, row, *key, repository_.id(), prefix);
        verify_chunks(plain, row, pack.header.kind, repository_.namer());
        reading.chunks += row.chunks.size();
    } catch (FormatError const& error) {
        reading.errors.push_back(name + ": at byte " + std::to_string(row.offset) + ": " +
                                 error.what());
    }
}

// One at a time: a reader may build the index again.
Bytes PackReads::delta_prefix(PackKind kind, BlockRow const& row) {
    if (row.bases.empty()) return {};
    std::lock_guard const lock(bases_mutex_);
    if (!bases_) bases_.emplace(repository_, bases_cache);
    return bases_->delta_prefix(kind, row);
}

}  // namespace coffre
