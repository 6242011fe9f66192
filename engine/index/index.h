// Which pack and block holds a chunk: the local projection of the repository's bundles.
//
// Disposable: lost, damaged, foreign or stale, it is built again from the bundles. Every value
// carries a keyed check, so what this program did not write reads as absent.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "engine/index/lmdb.h"
#include "format/bundle.h"

namespace coffre {

using PackNumber = std::uint32_t;  // local to this index

struct ChunkPlace {
    PackNumber pack = 0;
    std::uint32_t block = 0;  // its row in the pack's directory

    bool operator==(ChunkPlace const&) const = default;
};

struct IndexedPack {
    PackId id;
    SessionId session;
    std::uint64_t size = 0;
};

// Readers may be used beside the one writer. Every member throws IndexDamaged.
class Index {
public:
    // Opens or makes the database in the folder `path`, which exists. `seed` keys the checks and
    // differs between repositories, so another's index reads as damaged.
    Index(std::string const& path, std::uint64_t seed);

    // Deletes the database of the folder `path`.
    static void erase(std::string const& path);

    std::set<BundleId> bundles() const;
    void add(BundleId const& id, Bundle const& bundle);

    // Whether all that the snapshot needs was found in this database, which a new one cannot know.
    bool is_whole(SessionId const& snapshot) const;
    // Says so; `before` is asked for no more.
    void note_whole(SessionId const& snapshot, std::optional<SessionId> const& before);

    class Load;
    class View;

private:
    friend class Load;
    friend class View;
    struct Tables {
        MDB_dbi chunks = 0;       // chunk id -> places (several)
        MDB_dbi packs = 0;        // pack number -> id, session, size
        MDB_dbi directories = 0;  // pack number -> directory
        MDB_dbi numbers = 0;      // pack id -> pack number
        MDB_dbi bundles = 0;      // bundle id -> nothing
        MDB_dbi whole = 0;        // snapshot id -> nothing
    };
    void require_whole_file() const;
    bool open_tables(unsigned transaction_flags);
    LmdbTransaction begin_writing();

    std::string path_;
    LmdbEnvironment environment_;
    Tables tables_;
    std::uint64_t seed_;
    bool pages_were_checked_ = false;
};

// Look-ups. Each sees the newest moment of the index and holds none between calls, so a view may
// live long. One thread at a time.
class Index::View {
public:
    // Keeps `index` open.
    explicit View(std::shared_ptr<Index const> index);
    View(View&&) = default;
    View& operator=(View&&) = delete;  // the old transaction would outlive its database
    View(View const&) = delete;
    View& operator=(View const&) = delete;
    ~View() = default;

    // The first place of the chunk in a pack for which `usable` holds.
    std::optional<ChunkPlace> find(ChunkId const& id,
                                   std::function<bool(PackNumber)> const& usable) const;
    // A place of the chunk in each pack that has it.
    std::vector<ChunkPlace> places(ChunkId const& id) const;
    IndexedPack pack(PackNumber number) const;
    PackDirectory directory(PackNumber number) const;
    std::optional<PackNumber> number(PackId const& id) const;
    std::uint64_t chunk_count() const;
    PackNumber pack_count() const;
    // Each pack, in order of numbers.
    void each_pack(std::function<void(PackNumber, IndexedPack const&)> const& visit) const;

private:
    // While one exists, what LMDB points to stays as it is.
    class Moment {
    public:
        explicit Moment(View const& view);
        ~Moment();
        Moment(Moment const&) = delete;
        Moment& operator=(Moment const&) = delete;

    private:
        View const& view_;
    };
    // In order, until `visit` returns false.
    template <class Visit>
    void each_place(ChunkId const& id, Visit const& visit) const;
    Bytes pack_row(std::uint8_t table, PackNumber number) const;

    std::shared_ptr<Index const> index_;
    LmdbTransaction transaction_;
    mutable unsigned moments_ = 0;
};

}  // namespace coffre
