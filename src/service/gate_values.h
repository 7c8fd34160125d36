#pragma once
// Values of a user for HTTP headers and variables: one text made of the elements of an attribute.
//
//     value   := element (separator element)*
//     element := the text, percent-encoded whole if it contains the separator, "%", leading or
//                trailing white space, or a character that is not visible
//
// Percent-encoding writes all bytes as %XX except those that RFC 3986 2.3 calls unreserved and that
// are not in the separator. Other elements are sent as they are, in UTF-8. So the value, split at
// the separator and decoded, is the list of the elements that were sent.
//
// A separator such as ", " is looked for in elements with and without its spaces, because
// applications split at either.
//
// Left out is an element with a control character or invalid UTF-8, or one that contains the
// separator even if it is percent-encoded (a separator of letters, digits or "%"). Nothing is sent
// if the separator of a list is empty, has a control character or is not UTF-8. An empty element is
// no element. A value that would be longer than `max` ends after an element.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "scim/filter/path.h"
#include "service/gate.h"

namespace scim::service {

enum class ValueEncoding : uint8_t {
    percent,
    base64url,  // of the value that `percent` makes, without padding
    none,       // elements that contain the separator are left out, all others sent as they are
};

struct ValueFormat {
    std::string separator = ",";
    // Only elements that match, if it is not empty. "*" matches any text, "?" any one character.
    std::string match;
    bool only_required = false;  // only elements in `required`, up to ASCII case
    size_t max = 4096;           // bytes of the text that is sent
    ValueEncoding encoding = ValueEncoding::percent;
};

struct UserValue {
    std::string text;
    bool truncated = false;  // `max` was reached
    size_t left_out = 0;     // elements that cannot be sent
};

// Joins elements to a value.
class ValueJoiner {
  public:
    // If `is_list` is false, only the first element is used, and the separator has no meaning.
    // `required` is for ValueFormat::only_required. The arguments must outlive the object.
    ValueJoiner(const ValueFormat &format, bool is_list, const std::vector<std::string> &required);

    // False if the value takes no more elements.
    bool add(std::string_view element);
    UserValue finish();

  private:
    bool is_selected(std::string_view element) const;
    bool contains_separator(std::string_view text) const;
    bool needs_encoding(std::string_view text, bool plain) const;
    std::string percent_encoded(std::string_view text) const;
    bool append(std::string_view element);
    bool append_fitting(std::string_view text);

    const ValueFormat &format_;
    const bool is_list_;
    const std::vector<std::string> &required_;
    const size_t room_;
    const std::string_view mark_;  // the separator without spaces around it
    const bool can_be_split_;
    UserValue value_;
};

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
