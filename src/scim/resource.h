#pragma once
// A resource as a list of leaves: the one form between a client's JSON and a stored record.
//
// A leaf is one simple value: attribute number, element (the place in a multi-valued attribute, 0
// otherwise) and its canonical JSON text. Leaves are kept in canonical order: the rank of the top
// attribute, the element, the rank of the part. A multi-valued part of a complex attribute (E5607)
// is one leaf whose text is the whole array.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/catalog.h"
#include "scim/id.h"
#include "scim/json.h"
#include "scim/result.h"

namespace scim {

struct Leaf {
    AttrNumber attr = no_attr;
    uint32_t element = 0;
    std::string_view json;
};

// Owns the bytes its leaves point to. Movable; leaves stay valid across a move.
class Resource {
  public:
    std::vector<Leaf> leaves;
    // The ids in `members` of a Group, sorted, each once; nothing if the attribute was not sent
    // (null and [] are sent, and empty).
    std::optional<std::vector<Id>> members;

    std::string_view keep(std::string_view bytes);  // a copy that lives as long as the Resource
    const Leaf *find(AttrNumber attr) const;        // the first

  private:
    std::vector<std::unique_ptr<char[]>> blocks_;
    size_t used_ = 0, size_ = 0;
};

// What was accepted although it is not RFC 7644's form, and what was ignored, each with how often:
// for the log and $scim_dialect. A client's own names are bounded in number and made harmless.
class Report {
  public:
    struct Note {
        std::string name;
        size_t times;
    };

    void rewrote(std::string_view what);       // "string-boolean"
    void ignored(std::string_view attribute);  // an attribute nobody declared
    // Another reading of the same text, for another resource type, is no more than one.
    void unite(const Report &other);
    const std::vector<Note> &rewrites() const { return rewrites_; }
    const std::vector<Note> &ignored() const { return ignored_; }
    // "string-boolean*2,unknown-attribute:favouriteColour"; empty if nothing was done.
    std::string summary() const;

  private:
    std::vector<Note> rewrites_, ignored_;
};

struct ReadLimits {
    size_t max_members = 20000;  // scim_max_members
};

// The client's body of POST or PUT as leaves: RFC 7643 2, 7644 3.3. readOnly and computed
// attributes are ignored (S-24), null and [] are unassigned (S-17), names match in any case (S-2),
// types are checked, a `primary` occurs once (S-11), `schemas` is checked (S-29, S-31). Writable
// attributes that were not sent are absent. `strict` is scim_profile rfc: no rewrite is made and
// unknown attributes are refused. Whether required attributes are there is asked separately,
// because PUT keeps some. More members of a group than the limit are 413 (members.h).
Result<Resource> read_resource(const TypeView &type, const json_t *body, bool strict,
                               Report &report, const ReadLimits &limits = ReadLimits());

// 400 invalidValue naming the first required attribute that is missing (S-21); an extension's only
// if the extension is required or present.
// `missing`, if given, is set to that attribute, or to nullptr if a whole extension is missing.
Outcome check_required(const TypeView &type, const Resource &resource,
                       const Attr **missing = nullptr);

// All values of a resource together.
constexpr size_t max_resource_bytes = 16 * 1024 * 1024;

inline size_t bytes_of(const std::vector<Leaf> &leaves) {
    size_t bytes = 0;
    for (const Leaf &leaf : leaves) bytes += leaf.json.size();
    return bytes;
}

// 413 if `what`, which has `bytes`, is larger than a resource may be.
Outcome check_bytes(const std::string &what, size_t bytes);

// Where a leaf's text stands in what write_members() wrote.
struct Extent {
    size_t offset = 0, length = 0;
};

// The members of the JSON object that the leaves describe, canonical, without the braces:
// `"userName":"a","name":{"familyName":"b"},"urn:…":{"department":"c"}`. Leaves that are
// not declared in `type` are left out, and so are those not in `shown` if it is given.
// `extents`, if given, is set to one extent a leaf (length 0 for a leaf left out): that is
// for storing, and leaves computed attributes out, too.
// REQUIRES: canonical order (see canonical_order()).
void write_members(std::string &out, const TypeView &type, const std::vector<Leaf> &leaves,
                   const AttrSet *shown, std::vector<Extent> *extents);

// Sorts by the order of `type`; leaves that it does not declare come last, as they stood.
void canonical_order(const TypeView &type, std::vector<Leaf> &leaves);

// The bits of the extensions that have a leaf.
uint32_t extension_set(const TypeView &type, const std::vector<Leaf> &leaves);
// Those that `schemas` lists (S-31): with a leaf that a client can be shown.
uint32_t shown_extensions(const TypeView &type, const std::vector<Leaf> &leaves);

}  // namespace scim
