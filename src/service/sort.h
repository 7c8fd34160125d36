#pragma once
// sortBy and sortOrder (RFC 7644 3.4.2.3, S-89…92). Strings are ordered by the keys that they are
// matched by, as far as the first 336 bytes of a key; times and numbers by value; what has no value
// comes last, in descending order first. Resources that are equal stay in the order of type and id,
// whichever way.

#include <string>
#include <vector>

#include "scim/dialect.h"
#include "scim/filter.h"
#include "service/computed.h"

namespace scim::service {

struct Hit {
    uint32_t type = 0;  // its place among the types of the query
    Id id{};
};

// The attribute of this type that `path` sorts by: of a complex one its `value`; nullptr if the type
// lacks it. Reports unprefixed-extension. 400 invalidPath for a name of several extensions, for what
// has no order (a complex attribute without `value`) and for what nobody may see.
Result<const Attr *> sort_attribute(const TypeView &type, std::string_view path, Dialect &dialect);

// True for "descending", 400 invalidValue for what is neither that nor "ascending" (S-89).
Result<bool> is_descending(std::string_view sort_order);

// The order of one type's resources.
class SortKeys {
  public:
    // `attr` may be nullptr.
    SortKeys(const TypeView &type, const Attr *attr);

    // The stored attributes whose leaves key() has to see are added.
    void note_attributes(AttrSet &numbers) const;
    bool needs_rows() const { return attr_ != nullptr && is_of_rows(type_, *attr_); }

    bool needs_version() const {
        return attr_ != nullptr && attr_->parent == type_.meta && attr_->def->name == "version";
    }

    // Appends the key. False if the resource has no value. `subject.leaves` are in canonical order.
    bool append_key(const FilterSubject &subject, std::string &out);

  private:
    bool append_computed(const FilterSubject &subject, std::string &out);
    bool append_value(std::string_view json, std::string &out);

    const TypeView &type_;
    const Attr *attr_, *primary_ = nullptr;
    std::string text_;
};

// Resources by key. Keeps no more of them than it takes to know the first `wanted`.
class Sorter {
  public:
    Sorter(bool descending, uint64_t wanted) : descending_(descending), wanted_(wanted) {}

    // `key`: nullptr for no value.
    void add(const Hit &hit, const std::string *key);
    // Those from `start` (0-based) on, `count` at most. To be called once.
    std::vector<Hit> take(uint64_t start, uint64_t count);

  private:
    struct Entry {
        uint64_t at;  // of the key in keys_
        uint32_t size;
        bool has_value;
        Hit hit;
    };
    bool precedes(const Entry &a, const Entry &b) const;
    void shrink();

    bool descending_;
    uint64_t wanted_;
    std::string keys_;
    std::vector<Entry> entries_;
};

}  // namespace scim::service
