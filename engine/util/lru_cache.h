// Keeps what was used last, up to a bound of weight.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>

namespace coffre {

template <class Key, class Value>
class LruCache {
public:
    explicit LruCache(std::size_t bound) : bound_(bound) {}

    // Null when it is not there.
    std::shared_ptr<Value const> find(Key const& key) {
        auto const found = entries_.find(key);
        if (found == entries_.end()) return nullptr;
        order_.splice(order_.begin(), order_, found->second);
        return found->second->value;
    }
    std::shared_ptr<Value const> insert(Key const& key, Value value, std::size_t weight) {
        erase(key);
        auto kept = std::make_shared<Value const>(std::move(value));
        order_.push_front({key, kept, weight});
        weight_ += weight;
        entries_[key] = order_.begin();
        while (weight_ > bound_ && order_.size() > 1) drop_oldest();
        return kept;
    }
    void erase(Key const& key) {
        auto const found = entries_.find(key);
        if (found == entries_.end()) return;
        weight_ -= found->second->weight;
        order_.erase(found->second);
        entries_.erase(found);
    }

    void clear() {
        entries_.clear();
        order_.clear();
        weight_ = 0;
    }

private:
    struct Entry {
        Key key;
        std::shared_ptr<Value const> value;
        std::size_t weight;
    };

    // Also one that has no entry, as there was no memory for it.
    void drop_oldest() {
        weight_ -= order_.back().weight;
        entries_.erase(order_.back().key);
        order_.pop_back();
    }

    std::size_t bound_;
    std::size_t weight_ = 0;
    std::list<Entry> order_;  // newest first
    std::map<Key, typename std::list<Entry>::iterator> entries_;
};

}  // namespace coffre
