#pragma once
// sortBy and sortOrder (RFC 7644 3.4.2.3). Strings are ordered by the first 336 bytes of their
// matching keys, dateTimes and numbers by value. A key depends on nothing but the resource and the
// attribute, because cursors contain keys. Resources without a value come last in ascending
// and first in descending order. Resources with equal keys are ordered by type and id, ascending in
// both orders.

#include <string>
#include <string_view>
#include <vector>

#include "scim/filter/filter.h"
#include "scim/resource/dialect.h"
#include "service/computed.h"

namespace scim::service {

struct Hit {
    uint32_t type = 0;  // index in the types of the query
    Id id{};
};

// The attribute of this type that `path` selects for sorting; for a complex attribute its `value`.
// nullptr if the type does not have it. Reports the deviation unprefixed-extension. 400 invalidPath
// for a name that several extensions have, for a complex attribute without `value`, and for an
// attribute that is never returned.
Result<const Attr *> sort_attribute(const TypeView &type, std::string_view path, Dialect &dialect);

// True for "descending", false for "ascending" or an empty string, 400 invalidValue for any other
// text (RFC 7644 3.4.2.3).
Result<bool> is_descending(std::string_view sort_order);

// Makes the sort keys of the resources of one type.
class SortKeys {
  public:
    // `attr` may be nullptr: then no resource has a key.
    SortKeys(const TypeView &type, const Attr *attr);

    // Adds the stored attributes whose leaves append_key() needs.
    void note_attributes(AttrSet &numbers) const;
    bool needs_rows() const { return attr_ != nullptr && is_of_rows(type_, *attr_); }

    bool needs_version() const {
        return attr_ != nullptr && attr_->parent == type_.meta && attr_->def->name == "version";
    }

    // Appends the key. Returns false if the resource has no value. REQUIRES: `subject.leaves` are
    // in canonical order.
    bool append_key(const FilterSubject &subject, std::string &out);

    // The attribute; nullptr if no resource has a key.
    const Attr *by() const { return attr_; }
    // 0 if no resource has a key.
    AttrNumber attribute() const { return attr_ != nullptr ? attr_->number : 0; }

  private:
    bool append_whole_key(const FilterSubject &subject, std::string &out);
    bool append_computed(const FilterSubject &subject, std::string &out);
    bool append_value(std::string_view json, std::string &out);

    const TypeView &type_;
    const Attr *attr_, *primary_ = nullptr;
    std::string text_;
};

// The place of a resource in the order of a query.
struct Place {
    bool has_value = false;
    std::string key;
    Hit hit;
};

// Sorts resources by key. Keeps only as many as the first `wanted` require.
class Sorter {
  public:
    // `after` is nullptr, or the place behind which the resources are wanted; it must outlive the
    // Sorter.
    Sorter(bool descending, uint64_t wanted, const Place *after = nullptr)
        : descending_(descending), wanted_(wanted), after_(after) {}

    // `key` is nullptr for a resource without a value.
    void add(const Hit &hit, const std::string *key);
    // Returns at most `count` resources from index `start` (0-based). To be called once.
    std::vector<Hit> take(uint64_t start, uint64_t count);
    // The place of a resource that take() has returned.
    Place place(uint64_t index) const;

  private:
    // What the order depends on.
    struct Order {
        bool has_value;
        std::string_view key;
        Hit hit;
    };
    struct Entry {
        uint64_t at;  // offset of the key in keys_
        uint32_t size;
        bool has_value;
        Hit hit;
    };
    Order order_of(const Entry &entry) const {
        return {entry.has_value, std::string_view(keys_).substr(entry.at, entry.size), entry.hit};
    }
    bool precedes(const Order &a, const Order &b) const;
    bool precedes(const Entry &a, const Entry &b) const {
        return precedes(order_of(a), order_of(b));
    }
    void shrink();

    bool descending_;
    uint64_t wanted_;
    const Place *after_;
    std::string keys_;
    std::vector<Entry> entries_;
};

}  // namespace scim::service
