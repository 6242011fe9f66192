#include "engine/snapshot/record.h"

#include "format/mutant.h"

namespace coffre {

bool ReusablePacks::is_usable(PackNumber pack) {
    auto const [known, is_new] = usable_.try_emplace(pack);
    if (is_new) {
        bool const is_kept = log_.usable(view_.pack(pack).id) || mutant("reuse-condemned");
        known->second = is_kept && repository_.can_read(view_, pack);
    }
    return known->second;
}

void ReusablePacks::mark_reused(PackNumber pack) {
    if (!marked_.insert(pack).second) return;
    IndexedPack const indexed = view_.pack(pack);
    reused_.emplace(indexed.id, indexed.size);
}

Recorder::Recorder(Repository& repository, GcState const& log, ClaimedChunks& claimed,
                   std::function<void(Block)> const& hand_on)
    : repository_(repository),
      view_(repository.index_view()),
      packs_(repository, view_, log),
      claimed_(claimed) {
    store_meta_ = [this](Bytes const& bytes) {
        ChunkId const id = repository_.namer().name(PackKind::meta, bytes);
        store(PackKind::meta, id, bytes);
        return id;
    };
    for (auto const kind : {PackKind::data, PackKind::meta}) {
        blocks_.emplace(kind, BlockBuilder(kind, hand_on));
    }
}

bool Recorder::is_known(ChunkId const& id) {
    if (claimed_.contains(id)) return true;
    auto const place = view_.find(id, [&](PackNumber pack) { return packs_.is_usable(pack); });
    if (place) packs_.mark_reused(place->pack);
    return place.has_value();
}

void Recorder::store(PackKind kind, ChunkId const& id, ByteView bytes) {
    if (is_known(id)) {
        ++statistics_.chunks_reused;
        return;
    }
    claimed_.claim(id);
    ++statistics_.chunks_new;
    statistics_.bytes_added += bytes.size();
    blocks_.at(kind).add(id, bytes);
}

void Recorder::add(Batch const& batch) {
    for (auto const& event : batch.events) {
        std::visit(
            [&](auto const& e) {
                if constexpr (std::is_same_v<std::decay_t<decltype(e)>, FileChunk>) {
                    on_chunk(e, batch.bytes(e));
                } else {
                    on(e);
                }
            },
            event);
    }
}

void Recorder::on(EnterDirectory const& event) {
    directories_.emplace_back(event.node);
}

void Recorder::on(LeaveDirectory const& event) {
    if (directories_.size() == 1) add_streams_before("");
    Node node = directories_.back().finish(event.flags, store_meta_);
    directories_.pop_back();
    if (directories_.empty()) {
        root_ = std::move(node);
    } else {
        add_entry(node);
    }
}

void Recorder::on(AddNode const& event) {
    if (event.inherited) ++statistics_.files_unmodified;
    add_entry(event.node);
}

void Recorder::on(AddLink const& event) {
    auto const known = remembered_.find(InodeKey::of(event.node));
    Node node = known->second;
    node.name = event.node.name;
    if (event.is_last) remembered_.erase(known);
    add_entry(node);
}

void Recorder::on(BeginFile const& event) {
    OpenFile& file = files_[event.lane];
    file = OpenFile{};
    file.node = event.node;
    file.is_new = event.is_new;
}

void Recorder::on_chunk(FileChunk const& chunk, ByteView bytes) {
    OpenFile& file = files_.at(chunk.lane);
    store(PackKind::data, chunk.id, bytes);
    file.hasher.update(bytes);
    file.chunks.add({chunk.id, bytes.size()}, store_meta_);
    file.size += bytes.size();
}

void Recorder::on(EndFile const& event) {
    auto const open = files_.extract(event.lane);
    OpenFile& file = open.mapped();
    statistics_.bytes_read += file.size;
    if (event.failed) return;
    file.node.flags |= event.flags;
    file.node.holes = event.holes;
    file.node.size = file.size;
    for (auto const& hole : event.holes) file.node.size += hole.size;
    file.node.content = file.chunks.finish(store_meta_);
    file.node.hash = file.hasher.hash();
    ++(file.is_new ? statistics_.files_new : statistics_.files_changed);
    if (event.remembered) remembered_.emplace(InodeKey::of(file.node), file.node);
    if (event.lane == 0) return add_entry(file.node);
    stream_nodes_.emplace(file.node.name, file.node);
}

void Recorder::add_entry(Node const& node) {
    if (directories_.size() == 1) {
        add_streams_before(node.name);
        require_no_stream(node.name);
    }
    count(node);
    directories_.back().add(node, repository_.namer(), store_meta_);
}

// Streams take their places among the root's entries; an empty name stands for the end.
void Recorder::add_streams_before(std::string const& name) {
    while (!stream_nodes_.empty()) {
        auto const& [stream, node] = *stream_nodes_.begin();
        if (!name.empty() && stream >= name) return;
        count(node);
        directories_.back().add(node, repository_.namer(), store_meta_);
        stream_nodes_.erase(stream_nodes_.begin());
    }
}

// The name was free before the streams were read.
void Recorder::require_no_stream(std::string const& name) const {
    if (!stream_nodes_.contains(name)) return;
    throw RepositoryError(
        RepositoryFailure::stream_failed,
        "stream \"" + name + "\": the name is taken by /" + name + ", which was made meanwhile");
}

void Recorder::count(Node const& node) {
    if (node.is_file()) {
        ++statistics_.files;
        statistics_.bytes += node.size;
    } else if (node.is_directory()) {
        ++statistics_.directories;
    } else {
        ++statistics_.others;
    }
}

void Recorder::finish() {
    for (auto& [kind, blocks] : blocks_) blocks.flush();
}

}  // namespace coffre
