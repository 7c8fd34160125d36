#pragma once
// A resource as a list of leaves: the form between a client's JSON and a stored record.
//
// A leaf is one simple value: attribute number, element (the index in a multi-valued attribute, 0
// otherwise) and its canonical JSON text. Leaves are kept in canonical order: by the rank of the
// top-level attribute, then the element, then the rank of the part. A multi-valued sub-attribute
// (RFC 7643 erratum 5607) is one leaf, whose text is the whole array.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/schema/catalog.h"
#include "scim/text/id.h"
#include "scim/text/json.h"
#include "scim/text/result.h"

namespace scim {

struct Leaf {
    AttrNumber attr = no_attr;
    uint32_t element = 0;
    std::string_view json;
};

// Owns the bytes that its leaves point to. Leaves stay valid when the Resource is moved.
class Resource {
  public:
    std::vector<Leaf> leaves;
    // The ids in `members` of a Group, sorted, without duplicates; nullopt if the attribute was not
    // sent (empty for null and []).
    std::optional<std::vector<Id>> members;

    std::string_view keep(std::string_view bytes);  // a copy that lives as long as the Resource
    const Leaf *find(AttrNumber attr) const;        // the first leaf of `attr`

  private:
    std::vector<std::unique_ptr<char[]>> blocks_;
    size_t used_ = 0, size_ = 0;
};

// The deviations from RFC 7643 and 7644 that were accepted in a request, and the attributes that
// were ignored, each with its count: for the log and $scim_dialect. Names chosen by the client are
// bounded in number and length, and contain only characters of paths and URNs.
class DeviationReport {
  public:
    struct Note {
        std::string name;
        size_t times;
    };

    void rewrote(std::string_view what);       // "string-boolean"
    void ignored(std::string_view attribute);  // an attribute that is not declared
    // Adds the report of the same text parsed for another resource type: of two counts of the same
    // name, the larger one is kept.
    void unite(const DeviationReport &other);
    const std::vector<Note> &rewrites() const { return rewrites_; }
    const std::vector<Note> &ignored() const { return ignored_; }
    // "string-boolean*2,unknown-attribute:favouriteColour"; empty if there is nothing to report.
    std::string summary() const;

  private:
    std::vector<Note> rewrites_, ignored_;
};

struct ReadLimits {
    size_t max_members = 20000;  // scim_max_members
};

// Reads the body of POST or PUT into leaves (RFC 7644 3.3, 3.5.1). readOnly and computed attributes
// are ignored (RFC 7643 7); null and [] mean unassigned (RFC 7643 2.5); names match in any case
// (RFC 7643 2.1); types are checked; at most one element is `primary` (RFC 7643 2.4); `schemas` is
// checked (RFC 7643 3). Attributes that were not sent have no leaf. `strict` is scim_profile rfc:
// deviations (dialect.h) and unknown attributes are refused. Required attributes are not checked
// here, because PUT keeps some values: call check_required(). More members of a group than the
// limit are refused with 413 (members.h).
Result<Resource> read_resource(const TypeView &type, const json_t *body, bool strict,
                               DeviationReport &report, const ReadLimits &limits = ReadLimits());

// 400 invalidValue with the name of the first required attribute that has no value (RFC 7643 7).
// Attributes of an extension are checked only if the extension is required or present. `missing`,
// if given, is set to that attribute, or to nullptr if a required extension is missing.
Outcome check_required(const TypeView &type, const Resource &resource,
                       const Attr **missing = nullptr);

// The largest size of all values of a resource together.
constexpr size_t max_resource_bytes = 16 * 1024 * 1024;

inline size_t bytes_of(const std::vector<Leaf> &leaves) {
    size_t bytes = 0;
    for (const Leaf &leaf : leaves) bytes += leaf.json.size();
    return bytes;
}

// 413 if `bytes`, the size of `what`, exceeds max_resource_bytes.
Outcome check_bytes(const std::string &what, size_t bytes);

// The position of a leaf's text in the output of write_members().
struct Extent {
    size_t offset = 0, length = 0;
};

// Writes the members of the JSON object that the leaves describe, in canonical form and without the
// braces: `"userName":"a","name":{"familyName":"b"},"urn:…":{"department":"c"}`. Leaves that `type`
// does not declare are left out, and, if `shown` is given, those not in it. If `extents` is given,
// the text is for storing: computed attributes are left out as well, and `extents` is set to one
// extent for each leaf (length 0 if the leaf was left out).
// REQUIRES: canonical order (see canonical_order()).
void write_members(std::string &out, const TypeView &type, const std::vector<Leaf> &leaves,
                   const AttrSet *shown, std::vector<Extent> *extents);

// Sorts leaves into the canonical order of `type`. Leaves that `type` does not declare are last, in
// their previous order.
void canonical_order(const TypeView &type, std::vector<Leaf> &leaves);

// The bits of the extensions that have a leaf.
uint32_t extension_set(const TypeView &type, const std::vector<Leaf> &leaves);
// The bits of the extensions in `schemas`: those with a leaf that may be returned.
uint32_t shown_extensions(const TypeView &type, const std::vector<Leaf> &leaves);

}  // namespace scim
