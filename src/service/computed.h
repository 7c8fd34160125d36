#pragma once
// What other resources say of one: the groups of a user, the members of a group, who a manager is.
// For filters and sorting; nothing is looked up before it is asked for.

#include <string>

#include "scim/filter.h"
#include "store/directory.h"
#include "store/members.h"

namespace scim::service {

class Computed final : public ComputedValues {
  public:
    Computed(const Catalog &catalog, const TypeView &type, std::string_view base_url,
             store::Directory &directory)
        : catalog_(catalog),
          type_(type),
          base_url_(base_url),
          directory_(directory),
          members_(directory) {}

    // The resource that is asked about from now on; `record` stays the caller's.
    void look_at(const Id &id, const store::RecordView &record) {
        id_ = &id;
        record_ = &record;
    }

    bool some_element(const Attr &top, uint32_t parts, const Id *only, const Test &test) override;

  private:
    // What an element is made of.
    struct Other {
        const Id &id;
        const TypeView *type;
        std::string_view label;           // of the part `type`
        const store::RecordView *record;  // nullptr: to be looked up
    };

    bool some_group(const Attr &top, uint32_t parts, const Id *only, const Test &test);
    bool some_member(const Attr &top, uint32_t parts, const Id *only, const Test &test);
    bool some_manager(const Attr &top, uint32_t parts, const Test &test);
    bool test_element(const Attr &top, uint32_t parts, const Other &other, const Test &test);
    bool append_part(const Attr &part, const Other &other);
    bool append_display(const Other &other);

    const Catalog &catalog_;
    const TypeView &type_;
    std::string_view base_url_;
    store::Directory &directory_;
    store::Members members_;
    const Id *id_ = nullptr;
    const store::RecordView *record_ = nullptr;
    std::vector<Leaf> leaves_;
    std::string text_;  // of the leaves
};

}  // namespace scim::service
