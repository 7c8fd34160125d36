#pragma once
// Values of a user for HTTP headers and variables: the elements of an attribute, each as a text.
// service/header_value.h joins them to the one text that is sent.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "scim/filter/path.h"
#include "service/gate_decision.h"

namespace scim::service {

// An attribute of users in scim_set or a $scim_user_* variable: the path of a PATCH operation, such
// as emails[type eq "work"].value. A complex attribute stands for its part `value`. `id`,
// meta.created, meta.lastModified and the values, names and types of `groups` are known, too. Not
// thread-safe.
class UserAttribute {
  public:
    explicit UserAttribute(std::string path) : path_(std::move(path)) {}
    // The primary e-mail address, else the first of type "work", else the first of the first
    // elements_max.
    static UserAttribute one_email();
    const std::string &path() const { return path_; }

    // 400 with a sentence if no type of `catalog` that has a userName has the attribute, or if it
    // is never returned, or computed (other than those above), or complex without a part `value`.
    Outcome check(const Catalog &catalog) const;

    // Calls `each` for the texts of a user's values, in order, until it returns false: strings and
    // times without quotes, numbers and booleans as in JSON. They are of the first elements_max
    // elements, or of the first groups_max groups of which the user is a direct member, and then of
    // the indirect groups, if `options` asks for them. `snapshot` is needed for groups only; if it
    // is nullptr, groups have no values. Returns false if groups are missing: more direct ones than
    // groups_max, indirect ones of a user beyond their limits, or more than the event loop may read.
    // REQUIRES: user.found(). A text is valid during the call.
    using Each = std::function<bool(std::string_view)>;
    bool each_text(const GateUser &user, Snapshot *snapshot, GateOptions options,
                   const Each &each) const;

    // `groups` if the values are those of the user's groups, else `user`. REQUIRES: user.found().
    MadeFrom made_from(const GateUser &user) const;

    static constexpr size_t elements_max = 4096, groups_max = 1000;

  private:
    // The attribute in one resource type.
    struct Selection;
    Result<Selection> select(const TypeView &type) const;
    std::shared_ptr<const Selection> selection(const GateUser &user) const;
    static void each_email(const GateUser &user, const Selection &selected, const Each &each);

    struct Cached {
        std::weak_ptr<const Catalog> catalog;
        const TypeView *type = nullptr;
        std::shared_ptr<const Selection> selection;  // nullptr: the type does not have it
    };

    std::string path_;
    bool is_one_email_ = false;
    // Parsed once for each type of each catalog that is in use.
    mutable std::vector<Cached> cache_;
};

}  // namespace scim::service
