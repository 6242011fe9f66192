#include "engine/maintain/bundle_merge.h"

#include <algorithm>
#include <optional>
#include <set>

#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::size_t rows_of_small = 8;
constexpr std::size_t bytes_of_small = 512 * limits::kib;
constexpr std::size_t many_small_bundles = 16;

// Many of these make few: else each merge would find as many again.
bool is_small(Bundle const& bundle) {
    std::size_t bytes = 0;
    for (auto const& row : bundle) bytes += row.directory.size();
    return bundle.size() < rows_of_small && bytes < bytes_of_small;
}

class Merge {
public:
    Merge(Repository& repository, MergeFor purpose, std::function<bool(PackId const&)> const& goes)
        : repository_(repository), purpose_(purpose), goes_(goes) {}

    std::vector<BundleId> const& run() {
        std::vector<BundleId> small;
        for (auto const& object : repository_.store().list("bundles/")) {
            auto const id = BundleId::parse(last_component(object.name));
            auto bundle = id ? read(*id) : std::nullopt;
            if (!bundle) continue;
            bool const is_touched = std::any_of(bundle->begin(), bundle->end(),
                                                [&](auto const& row) { return goes_(row.pack); });
            if (is_touched) {
                replace(*id, std::move(*bundle));
            } else if (purpose_ == MergeFor::collection && is_small(*bundle)) {
                small.push_back(*id);
            }
        }
        if (small.size() >= many_small_bundles) merge(small);
        flush();
        return replaced_;
    }

    // Somebody else has replaced one meanwhile, perhaps without a row that was written here again.
    // The one that is still there when this is asked is met by whoever replaces it later.
    bool is_overtaken() const {
        return std::any_of(replaced_.begin(), replaced_.end(), [this](BundleId const& id) {
            return !repository_.store().stat(names::bundle(id));
        });
    }

    void take_back() {
        for (auto const& id : made_) repository_.store().remove(names::bundle(id));
    }

private:
    void merge(std::vector<BundleId> const& bundles) {
        for (auto const& id : bundles) {
            if (auto bundle = read(id)) replace(id, std::move(*bundle));
        }
    }

    // Nothing when somebody else has replaced it since it was listed, or a repair has told of it.
    std::optional<Bundle> read(BundleId const& id) {
        try {
            return read_bundle(repository_.store(), repository_.keys(), names::bundle(id));
        } catch (RepositoryError const& error) {
            bool const may_be_left =
                error.kind() == RepositoryFailure::corrupt &&
                (purpose_ == MergeFor::repair || !repository_.store().stat(names::bundle(id)));
            if (!may_be_left) throw;
            return std::nullopt;
        }
    }

    // A collection that was killed may have left the same rows in another bundle.
    void replace(BundleId const& id, Bundle bundle) {
        replaced_.push_back(id);
        for (auto& row : bundle) {
            if (goes_(row.pack) || !written_.insert(row.pack).second) continue;
            open_.add(std::move(row));
            if (open_.is_full(packs_per_merged_bundle)) flush();
        }
    }

    void flush() {
        if (open_.empty()) return;
        made_.push_back(put_bundle(repository_.store(), repository_.keys(), open_.take()));
    }

    Repository& repository_;
    MergeFor const purpose_;
    std::function<bool(PackId const&)> const& goes_;
    std::vector<BundleId> replaced_;
    std::vector<BundleId> made_;
    std::set<PackId> written_;
    OpenBundle open_;
};

}  // namespace

std::vector<BundleId> merge_bundles(Repository& repository, MergeFor purpose,
                                    std::function<bool(PackId const&)> const& goes) {
    for (;;) {
        Merge merge(repository, purpose, goes);
        auto replaced = merge.run();
        if (!merge.is_overtaken() || mutant("overtaken-merge")) return replaced;
        merge.take_back();
    }
}

}  // namespace coffre
