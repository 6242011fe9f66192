// Threads that look at the source before the walk gets there.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "engine/util/ordered_stage.h"

namespace coffre {

// What one thread may do for another: whoever comes first does it.
template <class T>
class SharedTask {
public:
    explicit SharedTask(std::packaged_task<T()> task) : task_(std::move(task)) {}

    // False when somebody else has.
    bool claim() { return !is_claimed_.test_and_set(); }
    void run_unless_claimed() {
        if (claim()) task_();
    }
    std::future<T> result() { return task_.get_future(); }

private:
    std::packaged_task<T()> task_;
    std::atomic_flag is_claimed_;
};

// A look that will be wanted. Used by the thread that wants it.
template <class T>
class Ahead {
public:
    // Counts in `pending` while it lives.
    Ahead(std::shared_ptr<SharedTask<T>> task, std::size_t& pending)
        : task_(std::move(task)), result_(task_->result()), pending_(&pending) {
        ++*pending_;
    }
    Ahead(Ahead&&) noexcept = default;
    Ahead& operator=(Ahead&&) = delete;
    Ahead(Ahead const&) = delete;
    Ahead& operator=(Ahead const&) = delete;
    // The look may use what the owner of this holds: nobody begins it after this.
    ~Ahead() {
        if (!task_) return;
        if (result_.valid() && !task_->claim()) result_.wait();
        --*pending_;
    }

    // Once. Throws what the look has thrown.
    T get() {
        task_->run_unless_claimed();
        wait();
        return result_.get();
    }

private:
    // Most looks take less time than falling asleep and waking up.
    void wait() const {
        for (int i = 0; i < 10'000; ++i) {
            if (result_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) return;
        }
    }

    std::shared_ptr<SharedTask<T>> task_;
    std::future<T> result_;
    std::size_t* pending_;
};

// Used by one thread, that of the walk.
class LookAhead {
public:
    // Without threads nothing is done ahead.
    explicit LookAhead(unsigned threads) : tasks_(most_pending) {
        try {
            for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run_tasks(); });
        } catch (...) {
            tasks_.close();  // those that were started wait for tasks
            throw;
        }
    }
    LookAhead(LookAhead const&) = delete;
    LookAhead& operator=(LookAhead const&) = delete;
    ~LookAhead() { tasks_.close(); }

    // Has one of the threads call `look`. Nothing when there are none, or enough is pending.
    template <class Function>
    std::optional<Ahead<std::invoke_result_t<Function>>> start(Function look) {
        using Result = std::invoke_result_t<Function>;
        if (threads_.empty() || pending_ == most_pending) return std::nullopt;
        auto const task =
            std::make_shared<SharedTask<Result>>(std::packaged_task<Result()>(std::move(look)));
        tasks_.push([task] { task->run_unless_claimed(); });
        return Ahead<Result>(task, pending_);
    }

private:
    static constexpr std::size_t most_pending = 128;  // and as many folders are open

    void run_tasks() {
        while (auto task = tasks_.pop()) (*task)();
    }

    std::size_t pending_ = 0;
    BoundedQueue<std::function<void()>> tasks_;
    std::vector<std::jthread> threads_;
};

}  // namespace coffre
