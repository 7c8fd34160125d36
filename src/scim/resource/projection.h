#pragma once
// Which attributes of a resource are sent: `attributes` and `excludedAttributes` (RFC 7644 3.9).

#include <optional>
#include <string_view>
#include <vector>

#include "scim/resource/dialect.h"
#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"
#include "scim/text/result.h"

namespace scim {

class Projection {
  public:
    // The attributes that are sent if the request names none.
    explicit Projection(const TypeView &type);
    // The attributes of `shown`, by rank. REQUIRES: none of them is never returned.
    Projection(const TypeView &type, AttrSet shown);

    // `attributes` and `excluded` are comma-separated names, as in a query string after decoding;
    // nullopt if the parameter is absent. If both are given, 400 invalidValue. Unknown names are
    // ignored. A complex attribute stands for its parts that are returned by default, a part for
    // itself (and for its siblings that are always returned), the URN of an extension for the whole
    // extension.
    //
    // Deviations (Dialect): an extension's attribute without the URN (unprefixed-extension; 400
    // invalidValue if more than one extension has it), and a name followed by a filter in brackets
    // (filter-in-attributes): in `attributes` it then stands for the attribute with all elements,
    // in `excluded` for nothing. Under scim_profile rfc the first is an unknown name, the second is
    // 400 invalidValue.
    //
    // `sent`: for the response to a write, the leaves that the client has set. Unless the request
    // names attributes, those of them that are returned on request are shown as well (RFC 7643 7).
    static Result<Projection> parse(const TypeView &type,
                                    std::optional<std::string_view> attributes,
                                    std::optional<std::string_view> excluded, Dialect &dialect,
                                    const std::vector<Leaf> &sent = {});

    // True if all stored attributes are shown, so that a stored body can be sent unchanged.
    bool whole() const { return whole_; }
    bool shows(const Attr &attr) const { return shown_.has(attr.rank); }
    // True if a simple attribute, or at least one part of a complex one, is shown.
    bool shows_any(const Attr &attr) const;
    const AttrSet &shown() const { return shown_; }
    // True if the request has `attributes`: a PATCH is then answered with 200 (RFC 7644 3.5.2).
    bool asked() const { return asked_; }

  private:
    AttrSet shown_;
    bool whole_;
    bool asked_ = false;
};

}  // namespace scim
