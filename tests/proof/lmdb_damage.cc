// The index's file is damaged in every way a disk or a stranger may damage it: what the program
// answers and stores stays right.
#include <gtest/gtest.h>

#include <unistd.h>

#include <csignal>

#include "child.h"
#include "proof.h"

namespace coffre::proof {
namespace {

constexpr std::size_t page_size = 4096;
constexpr std::size_t page_header = 16;  // the flags at byte 10, then both ends of the free space
constexpr std::size_t meta_end = page_header + 136;
constexpr unsigned use_limit_s = 60;

// LMDB's page kinds, by the flags in a page's header.
std::string page_kind(std::string const& index, std::size_t page) {
    auto const flags = static_cast<unsigned char>(index[page * page_size + 10]);
    if ((flags & 8U) != 0) return "meta";
    if ((flags & 4U) != 0) return "overflow";
    if ((flags & 1U) != 0) return "branch";
    if ((flags & 2U) != 0) return "leaf";
    return "other";
}

class LmdbDamage : public testing::Test {
protected:
    void SetUp() override {
        write_file(source_ / "large", random_bytes(1, is_long() ? 1'000'000 : 150'000));
        write_file(source_ / "text", compressible_text(2, 20'000));
        old_index_ = save_and_close();
        write_file(source_ / "new", random_bytes(3, 30'000));
        index_ = save_and_close();
        TempFolder const elsewhere;
        auto const repository = open_at(elsewhere);
        tars_ = all_tars(*repository);
    }

    std::shared_ptr<Repository> open_at(TempFolder const& cache) {
        return open_repository(store_, {}, {cache.path(), false});
    }
    static std::string index_file(TempFolder const& cache, RepositoryId const& id) {
        return cache / (id.hex() + "/index/data.mdb");
    }
    std::string save_and_close() {
        InitOptions init;
        init.mode = Mode::none;
        init.chunker = {256, 1024, 4096};
        OpenOptions const options{cache_.path(), false};
        auto repository = store_->stat(names::config) ? open_repository(store_, {}, options)
                                                      : init_repository(store_, init, {}, options);
        id_ = repository->id();
        save(*repository, {source_.path()});
        repository.reset();
        return read_file(index_file(cache_, id_));
    }

    // A complaint when anything is not as with a sound index.
    std::string use_with(std::string const& index) {
        TempFolder const cache;
        make_folder(cache / (id_.hex() + "/index"));
        write_file(index_file(cache, id_), index);
        std::string complaint;
        {
            auto const repository = open_at(cache);
            if (all_tars(*repository) != tars_) complaint += "other contents; ";
            auto const report = check(*repository, CheckDepth::structure);
            if (!report.clean()) complaint += "check: " + joined(report.errors);
            auto request = saving({source_.path()});
            request.parent = ParentChoice::none;
            request.threads = 1;
            Progress progress;
            auto const next = take_snapshot(*repository, request, progress);
            if (next.snapshot.statistics.bytes_added > 20'000) ::_exit(stored_again);
        }
        TempFolder const elsewhere;
        auto const repository = open_at(elsewhere);
        auto const after = all_tars(*repository);
        // Nothing changed since the second snapshot, so the third has the same contents.
        std::multiset<std::string> contents;
        for (auto const& [id, tar] : after) contents.insert(tar);
        std::multiset<std::string> expected;
        for (auto const& [id, tar] : tars_) expected.insert(tar);
        expected.insert(newest_tar());
        if (contents != expected) complaint += "the next snapshot has other contents";
        return complaint;
    }
    std::string newest_tar() {
        std::string newest;
        for (auto const& [id, tar] : tars_) newest = tar.size() > newest.size() ? tar : newest;
        return newest;
    }

    void expect_right(std::string const& index, std::string const& what, std::string const& where,
                      Cases& cases) {
        cases.run(what + " (" + where + ")", [&] {
            auto const end = run_in_child([&] { return use_with(index); }, use_limit_s);
            if (end.well()) return;
            if (end.exit_code == stored_again) return cases.add("that stored again");
            cases.fail(end.describe());
        });
    }

    // A short run takes one of them for each byte.
    static std::string flips_of(std::size_t at) {
        std::string const all = "\x01\x80\xff";
        return is_long() ? all : all.substr(at % all.size(), 1);
    }

    static constexpr int stored_again = 4;

    TempFolder source_;
    TempFolder cache_;
    std::shared_ptr<MemoryBackend> store_ = std::make_shared<MemoryBackend>();
    RepositoryId id_;
    std::string old_index_;
    std::string index_;
    std::map<std::string, std::string> tars_;
};

TEST_F(LmdbDamage, NothingIsWrongBefore) {
    for (auto const& index : {index_, old_index_, std::string()}) {
        auto const end = run_in_child([&] { return use_with(index); }, use_limit_s);
        EXPECT_TRUE(end.well()) << end.describe();
    }
    EXPECT_GT(index_.size(), 15 * page_size);
}

TEST_F(LmdbDamage, OfWholePages) {
    Cases cases("index with lost pages", "cases");
    for (std::size_t page = 0; page < index_.size() / page_size; ++page) {
        std::string const fills[] = {std::string(page_size, '\0'), std::string(page_size, '\xff'),
                                     random_bytes(static_cast<unsigned>(page), page_size)};
        char const* const names[] = {"zeros", "ones", "noise"};
        for (std::size_t i = 0; i < 3; ++i) {
            std::string damaged = index_;
            damaged.replace(page * page_size, page_size, fills[i]);
            expect_right(damaged, "page " + std::to_string(page) + " is " + names[i],
                         page_kind(index_, page) + ", " + names[i], cases);
        }
    }
}

TEST_F(LmdbDamage, OfPageHeaders) {
    Cases cases("index with damaged page headers", "cases");
    std::size_t const step = is_long() ? 1 : 3 * thinning;
    for (std::size_t page = 0; page < index_.size() / page_size; ++page) {
        std::string const kind = page_kind(index_, page);
        std::size_t const end = kind == "meta" ? meta_end : page_header + 4;  // two entries
        std::size_t const start = kind == "meta" ? 0 : 10;
        for (std::size_t at = start + page % step; at < end; at += step) {
            for (char const flip : flips_of(at)) {
                std::string damaged = index_;
                char& byte = damaged[page * page_size + at];
                byte = static_cast<char>(byte ^ flip);
                expect_right(damaged,
                             "byte " + std::to_string(at) + " of page " + std::to_string(page),
                             kind + ", header", cases);
            }
        }
    }
}

TEST_F(LmdbDamage, OfAnyByte) {
    Cases cases("index with a damaged byte", "cases");
    for (std::uint64_t step = 0; step < (is_long() ? 100'000U : 100U / thinning); ++step) {
        auto random = random_of(step);
        std::size_t const at = pick(random, index_.size());
        std::string damaged = index_;
        damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1 + pick(random, 255)));
        expect_right(damaged, "step " + std::to_string(step), page_kind(index_, at / page_size),
                     cases);
    }
}

TEST_F(LmdbDamage, OfItsLength) {
    Cases cases("index cut or exchanged", "cases");
    for (std::size_t page = 0; page < index_.size() / page_size; ++page) {
        for (std::size_t const more : {std::size_t{0}, page_size / 2}) {
            std::size_t const size = page * page_size + more;
            expect_right(index_.substr(0, size), "cut to " + std::to_string(size), "cut", cases);
        }
    }
    expect_right(old_index_, "an older copy", "older", cases);
    expect_right(index_ + random_bytes(1, 10'000), "with noise behind it", "longer", cases);
    expect_right(old_index_ + index_.substr(old_index_.size()), "half older, half new", "mixed",
                 cases);
    expect_right(index_.substr(0, old_index_.size() / 2) + old_index_.substr(old_index_.size() / 2),
                 "half new, half older", "mixed", cases);
}

}  // namespace
}  // namespace coffre::proof
