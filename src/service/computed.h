#pragma once
// Attribute values that are computed from other resources: the groups of a user, the members of a
// group, and the sub-attributes of a manager. Used by filters and sorting; looked up on demand.

#include <string>

#include "scim/filter/filter.h"
#include "service/group_cache.h"
#include "store/directory.h"
#include "store/members.h"

namespace scim::service {

class Computed final : public ComputedValues {
  public:
    // `nested` is not nullptr if indirect groups (service/nested_groups.h) are groups of a user.
    // All arguments must outlive the object.
    Computed(const Catalog &catalog, const TypeView &type, std::string_view base_url,
             store::Directory &directory, GroupCache *nested)
        : catalog_(catalog),
          type_(type),
          base_url_(base_url),
          directory_(directory),
          nested_(nested),
          members_(directory) {}

    // Selects the resource that the following calls are about. `id` and `record` must outlive them.
    void look_at(const Id &id, const store::RecordView &record) {
        id_ = &id;
        record_ = &record;
    }

    bool some_element(const Attr &top, uint32_t parts, const Id *only, const Test &test) override;

  private:
    // The resource that an element refers to.
    struct Other {
        const Id &id;
        const TypeView *type;
        std::string_view label;           // value of the sub-attribute `type`
        const store::RecordView *record;  // nullptr: looked up if needed
    };

    bool some_group(const Attr &top, uint32_t parts, const Id *only, const Test &test);
    bool some_indirect_group(const Attr &top, uint32_t parts, const Id *only, const Test &test);
    bool some_member(const Attr &top, uint32_t parts, const Id *only, const Test &test);
    bool some_manager(const Attr &top, uint32_t parts, const Test &test);
    bool test_element(const Attr &top, uint32_t parts, const Other &other, const Test &test);
    bool append_part(const Attr &part, const Other &other);
    bool append_display(const Other &other);

    const Catalog &catalog_;
    const TypeView &type_;
    std::string_view base_url_;
    store::Directory &directory_;
    GroupCache *nested_;
    store::Members members_;
    const Id *id_ = nullptr;
    const store::RecordView *record_ = nullptr;
    std::vector<Leaf> leaves_;
    std::string text_;  // the JSON that leaves_ point into
};

}  // namespace scim::service
