// The disk says that it could not write: no snapshot relies on that, and the failure is told.
#include <cerrno>

#include "failing_system.h"
#include "proof.h"

namespace coffre::proof {
namespace {

class FailingSync : public testing::Test {
protected:
    FailingSync() {
        write_rich_tree(source_.path());
        repository_ = init_repository(folder_ / "store", {Mode::none, {}, {}}, {}, options());
        first_ = take().value();
    }
    OpenOptions options() const { return {folder_ / "cache", false}; }

    // Nothing when it failed. A failure that did not end it counts as told, too.
    std::optional<Snapshot> take() {
        SnapshotRequest request;
        request.paths = {source_.path()};
        Progress progress;
        progress.on_failure = [&](std::string const&, std::string const&) { was_told_ = true; };
        try {
            return take_snapshot(*repository_, request, progress).snapshot;
        } catch (RepositoryError const&) {
            was_told_ = true;
            return std::nullopt;
        }
    }
    void reopen() { repository_ = open_repository(folder_ / "store", {}, options()); }

    TempFolder source_;
    TempFolder folder_;
    std::shared_ptr<Repository> repository_;
    Snapshot first_;
    bool was_told_ = false;
};

TEST_F(FailingSync, IsNeverTakenForSuccess) {
    Cases cases("failing sync", "calls");
    TreeImage const expected = image_of(source_.path());
    bool has_failed = true;
    int call = 1;
    for (; has_failed; ++call) {
        was_told_ = false;
        reopen();
        write_file(source_ / "changing", std::to_string(call));
        fail_system_call(SystemCall::sync, call, EIO);
        take();
        has_failed = stop_failing_system_calls();
        cases.run("call " + std::to_string(call), [&] {
            cases.expect(was_told_ == has_failed, "a failed sync was passed over in silence");
            reopen();
            TempFolder const target;
            RestoreRequest request;
            request.from = {{}, first_, source_.path()};
            request.target = target.path();
            request.privileged = true;
            Progress progress;
            restore_snapshot(*repository_, request, progress);
            cases.expect(image_of(target.path()) == expected, "the first snapshot differs");
        });
    }
    EXPECT_GT(call, 8) << "syncs were not made to fail";
}

}  // namespace
}  // namespace coffre::proof
