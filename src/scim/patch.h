#pragma once
// PATCH (RFC 7644 3.5.2, S-112…133), in two halves: parse() decides everything that needs no
// resource, outside of any transaction; apply() changes a resource, in order and as a whole, without
// parsing anything of it. What a PATCH does to the members of a group is a set of edits that do not
// depend on who is a member: its cost is that of the request, not that of the group.
//
//     body      := { "schemas": [PatchOp], "Operations": [operation, …] }
//     operation := { "op": "add" | "replace" | "remove", "path": path, "value": value }
//
// An operation on a complex attribute that is not multi-valued merges; a filtered replace replaces
// the elements, except for the parts that the filter pins by eq. null unassigns under replace and is
// nothing under add. A remove with a value takes of several values those that are sent, and null and
// [] are none; where the path means one value, that goes whatever is sent: its sender takes it for
// gone, and to keep a department or a title because another one was expected would let somebody in.
// An element that comes with "primary": true takes it from the others. Elements of one type and value
// are one (same_element.h), whether they are sent together or become so; what is added to one that is
// there updates it. `schemas` follows from the other attributes: to name in it what the type has
// changes nothing.
//
// Beyond the RFC, reported, and refused under scim_profile rfc: op and names in any case (op-case,
// operations-case), no or a single Operations element (operations-empty, single-value), a path that
// is null or "" (empty-path) or the URN of the type's own schema (core-urn), paths as names in a
// value without path (path-in-value), readOnly attributes in it (read-only-value), remove with a
// value (remove-with-value), a remove of `active`, which stays as it is (active-kept), a filter that
// matches nothing and says by its eq terms what the new element is (created-element); and what
// path.h, members.h and dialect.h say of paths and values.

#include <string_view>
#include <vector>

#include "scim/catalog.h"
#include "scim/filter.h"
#include "scim/json.h"
#include "scim/members.h"
#include "scim/patch_step.h"
#include "scim/resource.h"
#include "scim/result.h"
#include "scim/work.h"

namespace scim {

constexpr std::string_view patch_op_urn = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

struct PatchLimits {
    size_t operations = 1000;  // scim_max_operations
    size_t members = 20000;    // scim_max_members: member values, all operations together
    size_t path = 1024;        // bytes
    FilterLimits filter;
};

class Patch {
  public:
    // Everything that needs no resource is decided here: the shape of the message, paths, who may
    // write what, the types of values. Errors name "Operations[i]" and the attribute; too many
    // operations or members are 413 with the directive. `strict` is scim_profile rfc. The catalog of
    // `type` must outlive the Patch.
    static Result<Patch> parse(const TypeView &type, const json_t *body, const PatchLimits &limits,
                               bool strict, Report &report);

    // Applies all operations in order; a later one sees what an earlier one did. Leaves that are not
    // touched, or that `type` does not declare, stay as they are; new ones point into the Patch,
    // which must outlive them. On an error (400 noTarget, too many elements; 413, too much to compare
    // or too many bytes) the resource is as it was. Whether required attributes are left, and whether
    // immutable ones are as they were, is asked afterwards (check_required(); a comparison with the
    // old resource). What it takes is counted in `work`; it ends with a 413 when that is too much.
    // REQUIRES: leaves in canonical order, which they are in afterwards; the `type` of parse().
    Outcome apply(const TypeView &type, Resource &resource, Report &report, Work &work) const;

    const MemberEdits &members() const { return members_; }
    const std::vector<Leaf> &sent() const { return values_.leaves; }  // by all operations

    // `error`, which speaks of `attr`, with the last operation on that in front: "Operations[1]: …".
    // As it is if there is none.
    Error in_last_operation(const Attr &attr, Error error) const;

    // `error`, which says that `missing`, or for nullptr an extension, is required and has no value
    // after apply(): in front of it the last operation on that. 400 mutability if it was removed
    // (RFC 7644 3.5.2.2).
    Error without_required(const Attr *missing, Error error) const;

    // True if no resource is changed by it: no operations, or only what is ignored.
    bool empty() const { return steps_.empty() && members_.empty(); }

  private:
    friend class PatchParser;
    friend class PatchApplication;

    std::vector<PatchStep> steps_;
    Resource values_;  // owns the new leaves
    MemberEdits members_;
    bool strict_ = false;
};

}  // namespace scim
