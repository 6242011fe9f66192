// A pipeline stage: many workers, results in the order of the inputs, bounded queues.
//
// The work is a pure function; the sink runs on one thread. What else runs at once:
// docs/architecture.md, "Threads".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace coffre {

// A queue that makes its producer wait when it is full and its consumers when it is empty.
template <class T>
class BoundedQueue {
public:
    explicit BoundedQueue(std::size_t bound) : bound_(bound) {}

    // False when the queue is closed: the item is dropped.
    bool push(T item) {
        std::unique_lock lock(mutex_);
        has_room_.wait(lock, [&] { return closed_ || items_.size() < bound_; });
        if (closed_) return false;
        items_.push_back(std::move(item));
        has_items_.notify_one();
        return true;
    }
    // Nothing when the queue is closed and empty.
    std::optional<T> pop() {
        std::unique_lock lock(mutex_);
        has_items_.wait(lock, [&] { return closed_ || !items_.empty(); });
        if (items_.empty()) return std::nullopt;
        std::optional<T> item(std::move(items_.front()));
        items_.pop_front();
        has_room_.notify_one();
        return item;
    }
    void close() {
        std::lock_guard const lock(mutex_);
        closed_ = true;
        has_room_.notify_all();
        has_items_.notify_all();
    }

private:
    std::size_t const bound_;
    std::mutex mutex_;
    std::condition_variable has_room_;
    std::condition_variable has_items_;
    std::deque<T> items_;
    bool closed_ = false;
};

// push() -> `work` on any worker -> `sink` on one thread, in push order.
// The first exception of either stops the stage; push() and finish() rethrow it. What is queued
// behind an input that fails is not begun, unless another worker has begun it already.
template <class In, class Out>
class OrderedStage {
public:
    OrderedStage(std::size_t most_workers, std::size_t bound, std::function<Out(In)> work,
                 std::function<void(Out)> sink)
        : most_workers_(most_workers),
          work_(std::move(work)),
          sink_(std::move(sink)),
          tasks_(bound),
          results_(bound) {}
    OrderedStage(OrderedStage const&) = delete;
    OrderedStage& operator=(OrderedStage const&) = delete;
    // Stops without waiting for what is queued: the way out after an exception.
    ~OrderedStage() {
        abandoned_ = true;
        close();
        while (auto const dropped = tasks_.pop()) continue;
    }

    // By one thread at a time. Starts what threads the work needs: many runs leave a stage empty.
    void push(In item) {
        start_threads();
        std::packaged_task<Out()> task(
            [this, item = std::move(item)]() mutable { return run(std::move(item)); });
        if (results_.push(task.get_future()) && tasks_.push(std::move(task))) return;
        finish();
        throw std::logic_error("a stage was given work after its end");
    }

    // Waits until everything pushed has passed the sink. The stage takes no more after it: then
    // push() throws what stopped it, or std::logic_error.
    void finish() {
        close();
        if (drain_.joinable()) drain_.join();
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    // One worker more whenever none is idle, if the system lets it have one.
    void start_threads() {
        if (++unfinished_ <= workers_.size() || workers_.size() == most_workers_) return;
        try {
            workers_.emplace_back([this] { run_tasks(); });
            if (!drain_.joinable()) drain_ = std::jthread([this] { drain(); });
        } catch (...) {
            if (drain_.joinable()) return;
            close();  // a worker that was started waits for tasks
            throw;
        }
    }
    // Behind a failure nothing is begun: only what was pushed later is still queued then.
    void run_tasks() {
        while (!has_failed_) {
            auto task = tasks_.pop();
            if (!task) return;
            (*task)();
            --unfinished_;
        }
    }
    Out run(In item) {
        try {
            return work_(std::move(item));
        } catch (...) {
            has_failed_ = true;
            throw;
        }
    }
    void drain() {
        try {
            while (auto result = results_.pop()) sink_(result->get());
        } catch (...) {
            if (abandoned_) return;  // nobody is left to hear of it
            failure_ = std::current_exception();
            close();
        }
    }
    void close() {
        results_.close();
        tasks_.close();
    }

    std::size_t const most_workers_;
    std::function<Out(In)> work_;
    std::function<void(Out)> sink_;
    BoundedQueue<std::packaged_task<Out()>> tasks_;
    BoundedQueue<std::future<Out>> results_;
    std::exception_ptr failure_;
    std::atomic<std::size_t> unfinished_{0};  // what was pushed
    std::atomic<bool> has_failed_{false};     // in `work_`
    std::atomic<bool> abandoned_{false};
    std::vector<std::jthread> workers_;
    std::jthread drain_;
};

}  // namespace coffre
