#pragma once
// What a client wants to see of a resource:
// `attributes` and `excludedAttributes` (RFC 7644 3.9, S-98…104).

#include <optional>
#include <string_view>
#include <vector>

#include "scim/catalog.h"
#include "scim/dialect.h"
#include "scim/resource.h"
#include "scim/result.h"

namespace scim {

class Projection {
  public:
    // What is shown to a client that asks for nothing in particular.
    explicit Projection(const TypeView &type);

    // Comma-separated names as they stand in a query string, decoded; nothing where the parameter
    // is absent. Both given: 400 invalidValue. Unknown names are ignored (S-103). Also read, and
    // reported by Dialect: an extension's attribute without its URN (unprefixed-extension; 400
    // invalidValue if several extensions have it), and brackets behind a name, which select elements
    // in a filter (filter-in-attributes): `attributes` then shows the attribute with all elements,
    // and `excludedAttributes` hides nothing of it. Under scim_profile rfc the first is an unknown
    // name and the second is 400 invalidValue. A complex
    // attribute brings its default parts, a part brings only itself (and always-returned siblings),
    // an extension's URN brings all of it. `sent`, for the answer to a write, are the leaves that the
    // client has set: unless it names attributes, those that are returned on request are shown, too
    // (S-25).
    static Result<Projection> parse(const TypeView &type,
                                    std::optional<std::string_view> attributes,
                                    std::optional<std::string_view> excluded, Dialect &dialect,
                                    const std::vector<Leaf> &sent = {});

    // True if everything that is stored is shown: a body may be copied as it is stored.
    bool whole() const { return whole_; }
    bool shows(const Attr &attr) const { return shown_.has(attr.rank); }
    // True if any part of a complex attribute (or a simple one) is shown.
    bool shows_any(const Attr &attr) const;
    const AttrSet &shown() const { return shown_; }
    // True if the client named attributes: a PATCH then answers 200 (S-104).
    bool asked() const { return asked_; }

  private:
    AttrSet shown_;
    bool whole_;
    bool asked_ = false;
};

}  // namespace scim
