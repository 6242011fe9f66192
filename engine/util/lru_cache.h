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
        order_.push_front({key, std::make_shared<Value const>(std::move(value)), weight});
        entries_[key] = order_.begin();
        weight_ += weight;
        auto kept = order_.front().value;
        while (weight_ > bound_ && order_.size() > 1) erase(Key(order_.back().key));
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

    std::size_t bound_;
    std::size_t weight_ = 0;
    std::list<Entry> order_;  // newest first
    std::map<Key, typename std::list<Entry>::iterator> entries_;
};

}  // namespace coffre
