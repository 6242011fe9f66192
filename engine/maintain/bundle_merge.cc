#include "engine/maintain/bundle_merge.h"

#include <algorithm>

#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"

namespace coffre {

namespace {

constexpr std::size_t small_bundle = 8;
constexpr std::size_t many_small_bundles = 16;

class Merge {
public:
    Merge(Repository& repository, std::function<bool(PackId const&)> const& goes)
        : repository_(repository), goes_(goes) {}

    std::vector<BundleId> run() {
        auto const listed = repository_.store().list("bundles/");
        std::vector<BundleId> small;
        for (auto const& object : listed) {
            auto const id = BundleId::parse(last_component(object.name));
            if (!id) continue;
            if (!repository_.store().stat(object.name))
                continue;  // replaced meanwhile, by a repair
            Bundle bundle = read(*id);
            bool const is_touched = std::any_of(bundle.begin(), bundle.end(),
                                                [&](auto const& row) { return goes_(row.pack); });
            if (is_touched) {
                replace(*id, std::move(bundle));
            } else if (bundle.size() < small_bundle) {
                small.push_back(*id);
            }
        }
        if (small.size() >= many_small_bundles) {
            for (auto const& id : small) replace(id, read(id));
        }
        flush();
        return std::move(replaced_);
    }

private:
    Bundle read(BundleId const& id) {
        return read_bundle(repository_.store(), repository_.keys(), names::bundle(id));
    }

    void replace(BundleId const& id, Bundle bundle) {
        replaced_.push_back(id);
        for (auto& row : bundle) {
            if (goes_(row.pack)) continue;
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
    OpenBundle open_;
};

}  // namespace

std::vector<BundleId> merge_bundles(Repository& repository,
                                    std::function<bool(PackId const&)> const& goes) {
    return Merge(repository, goes).run();
}

}  // namespace coffre
