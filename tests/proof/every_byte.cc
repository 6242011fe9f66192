// Every byte of a repository is changed, every object cut, extended, removed, exchanged and taken
// from elsewhere: a check that reads everything names it, and what is read back is exact or an
// error.
#include <gtest/gtest.h>

#include <array>

#include "engine/repository/forgets.h"
#include "engine/repository/gc_state.h"
#include "proof.h"

namespace coffre::proof {
namespace {

std::string folder_of(std::string const& name) {
    return name.substr(0, name.find('/'));
}

// A repository of two snapshots, in memory, and of a third one that is forgotten, after a
// collection.
class Sound {
public:
    Sound(Mode mode, std::string const& source, std::string const& key_file) : mode_(mode) {
        if (mode == Mode::encrypted) credentials_.key_file = key_file;
        InitOptions init;
        init.mode = mode;
        init.chunker = {256, 1024, 4096};
        auto const store = std::make_shared<MemoryBackend>();
        auto const repository = init_repository(store, init, credentials_, options());
        std::size_t const size = is_long() ? 20'000 : 6'000;
        write_file(source + "/noise", random_bytes(1, size));
        write_file(source + "/text", compressible_text(2, 20'000));
        make_folder(source + "/folder");
        write_file(source + "/folder/small", "small");
        make_symlink(source + "/link", "text");
        save(*repository, {source});
        first_ = store->objects();
        write_file(source + "/text", compressible_text(3, 5000));
        write_file(source + "/more", random_bytes(4, size / 6));
        save(*repository, {source});
        newest_ = list_snapshots(*repository).snapshots.back().snapshot;
        last_ = *save(*repository, {source}).id;
        tars_ = all_tars(*repository);
        put_forgets(*repository, {last_}, "");
        for (auto const kind : {LogKind::condemn, LogKind::sweep, LogKind::checkpoint,
                                LogKind::condemn, LogKind::sweep}) {
            auto const number = store->list("gclog/").size();
            append_to_gc_log(*store, repository->keys(), number, {kind, {}, {}, {}});
        }
        objects_ = store->objects();
        ::unlink((source + "/link").c_str());
    }

    Mode mode() const { return mode_; }
    Credentials const& credentials() const { return credentials_; }
    OpenOptions options() const { return {cache_.path(), false}; }
    Objects const& first() const { return first_; }
    Objects const& objects() const { return objects_; }
    std::map<std::string, std::string> const& tars() const { return tars_; }
    SessionId const& forgotten() const { return last_; }
    // Who has not seen it cannot miss it, and nothing that is to be kept rests on it.
    bool is_spare(std::string const& name) const {
        return folder_of(name) == "sessions" || folder_of(name) == "forgets" ||
               name == names::snapshot(last_) || is_spare_record(name);
    }
    Snapshot const& newest() const { return newest_; }

private:
    // Before the checkpoint, or the last one.
    static bool is_spare_record(std::string const& name) {
        return folder_of(name) == "gclog" && name != names::log_record(2) &&
               name != names::log_record(3);
    }

    Mode mode_;
    TempFolder cache_;
    Credentials credentials_;
    Objects first_;  // after the first snapshot
    Objects objects_;
    std::map<std::string, std::string> tars_;  // by snapshot
    Snapshot newest_;                          // that is not forgotten
    SessionId last_;
};

// What a machine that has never seen the repository makes of it.
struct Verdict {
    Names messages;  // why it cannot be opened, or of a check that reads everything
    std::map<std::string, std::string> tars;
    std::vector<std::string> unreadable;  // snapshots

    bool names(std::string const& object) const { return any_contains(messages, object); }
};

// Without what is named as damaged: files, or folders with all that was in them.
TreeImage undamaged(TreeImage image, RestoreResult const& result) {
    for (auto const& damage : result.damaged) {
        if (damage.path == "/") return {};
        image = without(std::move(image), damage.path);
    }
    return image;
}

class EveryByte : public testing::TestWithParam<Mode> {
protected:
    Verdict verdict_on(Objects objects) {
        Verdict verdict;
        TempFolder const cache;
        auto const store = std::make_shared<MemoryBackend>();
        store->replace_all(std::move(objects));
        try {
            auto const repository =
                open_repository(store, sound_.credentials(), {cache.path(), false});
            read(*repository, verdict);
        } catch (RepositoryError const& error) {
            verdict.messages.emplace_back(error.what());
        }
        return verdict;
    }

    // Whatever was done: a snapshot that can be read is exact, and a check that finds nothing may
    // be believed.
    void expect_honest(Verdict const& verdict, Cases& cases) {
        for (auto const& [id, tar] : verdict.tars) {
            auto const expected = sound_.tars().find(id);
            bool const exact = expected != sound_.tars().end() && expected->second == tar;
            cases.expect(exact, "snapshot " + id + " is read with other contents");
        }
        if (!verdict.messages.empty()) return;
        for (auto const& id : verdict.unreadable) {
            cases.fail("check finds nothing, but cannot read " + id);
        }
    }

    // The object is changed to this: someone must say so.
    void expect_named(std::string const& name, Bytes bytes, std::string const& what, Cases& cases) {
        if (bytes == sound_.objects().at(name)) return;
        cases.run(what + " of " + name, [&] {
            Objects objects = sound_.objects();
            objects[name] = std::move(bytes);
            Verdict const verdict = verdict_on(std::move(objects));
            expect_honest(verdict, cases);
            // What opens a repository is refused by its kind.
            bool const opens = name == names::config || folder_of(name) == "keys";
            cases.expect(verdict.names(opens ? folder_of(name) : name),
                         "not named; said: " + joined(verdict.messages));
        });
    }

    // Objects up to this many bytes are tried without gaps also in a short run.
    static constexpr std::size_t small = 200;
    static std::size_t step_of(Bytes const& bytes, std::size_t short_step) {
        return is_long() || bytes.size() <= small ? 1 : short_step;
    }

    TempFolder source_;
    TempFolder keys_;
    Sound sound_{GetParam(), source_.path(), keys_ / "key"};

    // Both objects change places: both are to be named.
    void expect_exchange_named(std::string const& name, std::string const& other, Cases& cases) {
        Objects objects = sound_.objects();
        if (objects[name] == objects[other]) return;
        std::swap(objects[name], objects[other]);
        cases.run("exchange of " + name + " and " + other, [&] {
            Verdict const verdict = verdict_on(std::move(objects));
            expect_honest(verdict, cases);
            bool const both = verdict.names(name) && verdict.names(other);
            bool const refused = verdict.tars.empty() && verdict.messages.size() == 1;
            cases.expect(both || refused, "not named; said: " + joined(verdict.messages));
        });
    }

    // In mode none anybody can make a repository that is sound; its objects then contradict ours.
    void expect_refused(std::string const& name, Bytes bytes, std::string const& what,
                        Cases& cases) {
        cases.run(name + " " + what, [&] {
            Objects objects = sound_.objects();
            objects[name] = std::move(bytes);
            Verdict const verdict = verdict_on(std::move(objects));
            expect_honest(verdict, cases);
            cases.expect(!verdict.messages.empty(), "check finds nothing");
        });
    }

    using Restored = std::pair<std::optional<RestoreResult>, TreeImage>;

    // Nothing as a result when the restore was refused as a whole.
    Restored restore_of(Objects objects, Snapshot const& snapshot) {
        TempFolder const cache;
        TempFolder const target;
        auto const store = std::make_shared<MemoryBackend>();
        store->replace_all(std::move(objects));
        RestoreRequest request;
        request.from = {{}, snapshot, source_.path()};
        request.target = target.path();
        request.threads = 1;
        Progress progress;
        Restored restored;
        try {
            auto const repository =
                open_repository(store, sound_.credentials(), {cache.path(), false});
            restored.first = restore_snapshot(*repository, request, progress);
        } catch (RepositoryError const&) {
            restored.first = std::nullopt;
        }
        restored.second = image_of(target.path());
        return restored;
    }

    void expect_exact_or_named(Objects objects, Snapshot const& snapshot, TreeImage const& exact,
                               Cases& cases) {
        auto const [result, image] = restore_of(std::move(objects), snapshot);
        if (!result) return cases.add("refused");
        if (result->damaged.empty()) {
            cases.add("exact");
            return cases.expect(image == exact, "nothing is named and the files differ");
        }
        cases.add("named");
        cases.expect(undamaged(exact, *result) == undamaged(image, *result),
                     "files that are not named differ");
        for (auto const& damage : result->damaged) {
            bool const left = image.contains(damage.path);
            cases.expect(!left || image.at(damage.path) == exact.at(damage.path),
                         damage.path + " is named and was left behind");
        }
    }

private:
    static void read(Repository& repository, Verdict& verdict) {
        try {
            verdict.messages = check(repository).errors;
            for (auto const& named : list_snapshots(repository).snapshots) {
                std::string const id = named.id.hex();
                try {
                    std::string tar;
                    dump_tar(repository, named.snapshot, "",
                             [&](ByteView part) { tar += to_text(part); });
                    verdict.tars[id] = std::move(tar);
                } catch (RepositoryError const&) {
                    verdict.unreadable.push_back(id);
                }
            }
        } catch (RepositoryError const& error) {
            verdict.messages.emplace_back(error.what());
        }
    }
};

INSTANTIATE_TEST_SUITE_P(Modes, EveryByte, testing::Values(Mode::none, Mode::encrypted),
                         [](auto const& mode) {
                             return mode.param == Mode::none ? "None" : "Encrypted";
                         });

TEST_P(EveryByte, NothingIsWrongBefore) {
    Verdict const verdict = verdict_on(sound_.objects());
    EXPECT_EQ(verdict.messages, Names{});
    auto left = sound_.tars();
    left.erase(sound_.forgotten().hex());
    EXPECT_EQ(verdict.tars, left);
    EXPECT_EQ(left.size(), 2U);
}

TEST_P(EveryByte, FlippedIsNoticed) {
    Cases cases("flipped bytes", "cases");
    constexpr std::array flips{std::byte{0x01}, std::byte{0x80}, std::byte{0xff}};
    for (auto const& [name, bytes] : sound_.objects()) {
        std::size_t const step = step_of(bytes, 7 * thinning);
        for (std::size_t at = 0; at < bytes.size(); at += step) {
            // A short run gives each of its bytes one of the flips.
            std::size_t const first = step == 1 ? 0 : at / step % flips.size();
            std::size_t const last = step == 1 ? flips.size() : first + 1;
            for (std::size_t i = first; i < last; ++i) {
                Bytes damaged = bytes;
                damaged[at] ^= flips[i];
                expect_named(name, std::move(damaged), "byte " + std::to_string(at), cases);
            }
        }
    }
}

TEST_P(EveryByte, CutIsNoticed) {
    Cases cases("cut objects", "cases");
    for (auto const& [name, bytes] : sound_.objects()) {
        std::size_t const step = is_long() ? 1 : bytes.size() / 30 + 1;
        for (std::size_t size = 0; size < bytes.size(); size += step) {
            expect_named(name,
                         Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)),
                         "the first " + std::to_string(size) + " bytes", cases);
        }
    }
}

TEST_P(EveryByte, ExtendedIsNoticed) {
    Cases cases("extended objects", "cases");
    for (auto const& [name, bytes] : sound_.objects()) {
        for (unsigned more = 1; more <= 64; more += is_long() ? 1U : 9U) {
            Bytes longer = bytes;
            append(longer, as_bytes(random_bytes(more, more)));
            expect_named(name, std::move(longer), std::to_string(more) + " bytes more", cases);
        }
    }
}

TEST_P(EveryByte, ExchangedIsNoticed) {
    Cases cases("exchanged objects", "cases");
    for (auto const& [name, bytes] : sound_.objects()) {
        for (auto const& [other, other_bytes] : sound_.objects()) {
            if (other > name) expect_exchange_named(name, other, cases);
            if (other != name) expect_named(name, other_bytes, other + " in place", cases);
        }
    }
}

TEST_P(EveryByte, RemovedIsNoticedUnlessNothingRestsOnIt) {
    Cases cases("removed objects", "cases");
    for (auto const& [name, bytes] : sound_.objects()) {
        cases.run("without " + name, [&, name = name] {
            Objects objects = sound_.objects();
            objects.erase(name);
            Verdict const verdict = verdict_on(std::move(objects));
            expect_honest(verdict, cases);
            if (sound_.is_spare(name))
                return cases.expect(verdict.messages.empty(), joined(verdict.messages));
            cases.expect(!verdict.messages.empty(), "check finds nothing");
        });
    }
}

// Another repository's object in the place of one of ours; the sibling has the same key file.
TEST_P(EveryByte, AnotherRepositorysIsNoticed) {
    Cases cases("another repository's objects", "cases");
    TempFolder const source;
    TempFolder const keys;
    Sound const sibling(GetParam(), source.path(), keys_ / "key");
    Sound const stranger(GetParam(), source.path(), keys / "key");
    for (Sound const* const from : {&sibling, &stranger}) {
        for (auto const& [name, bytes] : sound_.objects()) {
            for (auto const& [other, other_bytes] : from->objects()) {
                if (folder_of(other) != folder_of(name)) continue;
                expect_refused(name, other_bytes, "from elsewhere: " + other, cases);
            }
        }
    }
}

TEST_P(EveryByte, OlderStatesAreNoticed) {
    Cases cases("older states", "cases");
    for (auto const& [name, bytes] : sound_.first()) {
        // Written once: an older version of a single object does not exist.
        cases.run("older " + name, [&, &name = name, &bytes = bytes] {
            cases.expect(sound_.objects().at(name) == bytes, "was changed by a later snapshot");
        });
    }
    cases.run("all of the first snapshot's state", [&] {
        auto const store = std::make_shared<MemoryBackend>();
        store->replace_all(sound_.first());
        auto const failure =
            failure_of([&] { open_repository(store, sound_.credentials(), sound_.options()); });
        cases.expect(failure == RepositoryFailure::rolled_back, "not reported as rolled back");
    });
    for (auto const& [name, bytes] : sound_.first()) {
        cases.run("only " + name + " is lost from the first state", [&, name = name] {
            Objects objects = sound_.first();
            objects.erase(name);
            expect_honest(verdict_on(std::move(objects)), cases);
        });
    }
}

// A restore leaves exact files, and names the others.
TEST_P(EveryByte, RestoredFilesAreExactOrNamed) {
    Cases cases("restores of damaged packs", "cases");
    auto const& newest = sound_.newest();
    TreeImage const exact = restore_of(sound_.objects(), newest).second;
    ASSERT_GT(exact.size(), 4U);
    for (auto const& [name, bytes] : sound_.objects()) {
        if (folder_of(name) != "packs") continue;
        std::size_t const step = is_long() ? 1 : bytes.size() / 15 + 1;
        for (std::size_t at = 0; at < bytes.size(); at += step) {
            cases.run("byte " + std::to_string(at) + " of " + name, [&, name = name] {
                Objects objects = sound_.objects();
                objects[name][at] ^= std::byte{0x10};
                expect_exact_or_named(std::move(objects), newest, exact, cases);
            });
        }
    }
}

}  // namespace
}  // namespace coffre::proof
