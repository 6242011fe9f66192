#include "engine/maintain/bundle_merge.h"

#include <algorithm>
#include <optional>
#include <set>

#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "format/limits.h"

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
    Merge(Repository& repository, std::function<bool(PackId const&)> const& goes)
        : repository_(repository), goes_(goes) {}

    std::vector<BundleId> run(SmallBundles small_ones) {
        std::vector<BundleId> small;
        for (auto const& object : repository_.store().list("bundles/")) {
            auto const id = BundleId::parse(last_component(object.name));
            auto bundle = id ? read(*id) : std::nullopt;
            if (!bundle) continue;
            bool const is_touched = std::any_of(bundle->begin(), bundle->end(),
                                                [&](auto const& row) { return goes_(row.pack); });
            if (is_touched) {
                replace(*id, std::move(*bundle));
            } else if (small_ones == SmallBundles::are_merged && is_small(*bundle)) {
                small.push_back(*id);
            }
        }
        if (small.size() >= many_small_bundles) merge(small);
        flush();
        return std::move(replaced_);
    }

private:
    void merge(std::vector<BundleId> const& bundles) {
        for (auto const& id : bundles) {
            if (auto bundle = read(id)) replace(id, std::move(*bundle));
        }
    }

    // Nothing when somebody else has replaced it since it was listed.
    std::optional<Bundle> read(BundleId const& id) {
        try {
            return read_bundle(repository_.store(), repository_.keys(), names::bundle(id));
        } catch (RepositoryError const& error) {
            bool const is_gone = error.kind() == RepositoryFailure::corrupt &&
                                 !repository_.store().stat(names::bundle(id));
            if (!is_gone) throw;
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
        if (!open_.empty()) put_bundle(repository_.store(), repository_.keys(), open_.take());
    }

    Repository& repository_;
    std::function<bool(PackId const&)> const& goes_;
    std::vector<BundleId> replaced_;
    std::set<PackId> written_;
    OpenBundle open_;
};

}  // namespace

std::vector<BundleId> merge_bundles(Repository& repository, SmallBundles small,
                                    std::function<bool(PackId const&)> const& goes) {
    return Merge(repository, goes).run(small);
}

}  // namespace coffre
