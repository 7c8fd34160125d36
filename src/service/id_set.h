#pragma once
// Ids from several conditions, which may all give the same: kept are at most twice as many as are
// different, and some.

#include <algorithm>
#include <vector>

#include "scim/id.h"

namespace scim::service {

class IdSet {
  public:
    void add(const Id &id) {
        ids_.push_back(id);
        if (ids_.size() >= 2 * settled_ + slack) settle();
    }
    size_t size() const { return ids_.size(); }
    // Ascending, each once. To be called once.
    std::vector<Id> take() {
        settle();
        return std::move(ids_);
    }

  private:
    static constexpr size_t slack = 4096;

    // Most conditions give their ids in order.
    void settle() {
        auto middle = ids_.begin() + std::ptrdiff_t(settled_);
        if (!std::is_sorted(ids_.begin(), ids_.end())) {
            std::sort(middle, ids_.end());
            std::inplace_merge(ids_.begin(), middle, ids_.end());
        }
        ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
        settled_ = ids_.size();
    }

    std::vector<Id> ids_;
    size_t settled_ = 0;  // ascending, each once; what stands behind them came later
};

}  // namespace scim::service
