#include "engine/snapshot/directory_builder.h"

#include "format/limits.h"

namespace coffre {

void DirectoryBuilder::add(Node const& entry, ChunkNamer const& namer, StoreMeta const& store) {
    require_readable(entry);
    if (entry.name <= last_name_) {
        throw FormatError("\"" + entry.name + "\": names out of order");
    }
    last_name_ = entry.name;
    write_node(piece_, entry);
    ++piece_entries_;
    Writer form;
    write_digest_form(form, entry);
    digest_.update(form.view());
    bool const is_full = piece_.view().size() >= limits::piece_target;
    if (is_full || ends_list(piece_entries_, namer.cut_prefix(entry.name))) close_piece(store);
}

void DirectoryBuilder::close_piece(StoreMeta const& store) {
    Bytes const nodes = piece_.take();
    piece_ = Writer();
    pieces_.add({store(encode_tree_piece(piece_entries_, nodes)), piece_entries_}, store);
    piece_entries_ = 0;
}

Node DirectoryBuilder::finish(std::uint64_t flags, StoreMeta const& store) {
    if (piece_entries_ > 0) close_piece(store);
    directory_.flags |= flags;
    directory_.content = pieces_.finish(store);
    directory_.digest = digest_.digest();
    return std::move(directory_);
}

}  // namespace coffre
