#pragma once
// PATCH (RFC 7644 3.5.2). parse() makes all decisions that do not depend on the resource, outside
// of any transaction. apply() applies all operations to a resource, or none, and parses no JSON.
// Changes of the members of a group are a set of edits that does not depend on the current members:
// their cost depends on the size of the request, not of the group.
//
//     body      := { "schemas": [PatchOp], "Operations": [operation, …] }
//     operation := { "op": "add" | "replace" | "remove", "path": path, "value": value }
//
// An operation on a singular complex attribute merges the parts. A replace with a filter replaces
// the matching elements, except for the parts that the filter fixes by eq terms. null unassigns in
// a replace and changes nothing in an add.
//
// On a multi-valued attribute, remove with a value removes only the listed values (null and [] list
// none). A single-valued attribute is removed whatever value is sent: the client assumes that it is
// unassigned afterwards, and a value that is kept, such as a department, could grant access.
//
// If an operation sets "primary": true, the other elements lose it. Elements with the same type and
// value are merged (element_index.h), also if they become equal by the operation; adding an element
// that exists updates it. `schemas` is computed from the other attributes: adding to it a schema of
// the type changes nothing.
//
// Deviations, refused under scim_profile rfc: `op` and names of members in another case (op-case,
// operations-case); no element in Operations (operations-empty), or an object instead of the array
// (single-value); a path that is null or "" (empty-path) or the URN of the type's base schema
// (core-urn); paths as names in a value without path (path-in-value); readOnly attributes in a
// value without path (read-only-value); remove with a value (remove-with-value); a remove of
// `active`, which is ignored (active-kept); a filter of eq terms that matches no element, from
// which the new element is created (created-element); and the deviations of path.h, members.h and
// dialect.h.

#include <string_view>
#include <vector>

#include "scim/filter/filter.h"
#include "scim/patch/patch_step.h"
#include "scim/resource/members.h"
#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"
#include "scim/text/json.h"
#include "scim/text/result.h"
#include "scim/text/work.h"

namespace scim {

constexpr std::string_view patch_op_urn = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

struct PatchLimits {
    size_t operations = 1000;  // scim_max_operations
    size_t members = 20000;    // scim_max_members: members in all operations together
    size_t path = 1024;        // bytes
    FilterLimits filter;
};

class Patch {
  public:
    // Checks the structure of the message, the paths, mutability and the types of values. Errors
    // name "Operations[i]" and the attribute; too many operations or members are refused with 413
    // and the name of the directive. `strict` is scim_profile rfc. The catalog of `type` must
    // outlive the Patch.
    static Result<Patch> parse(const TypeView &type, const json_t *body, const PatchLimits &limits,
                               bool strict, DeviationReport &report);

    // Applies all operations in order, each to the result of the previous one. Leaves that no
    // operation changes, or that `type` does not declare, are kept; new leaves point into the
    // Patch, which must outlive them. The work done is added to `work`. On an error the resource is
    // unchanged:
    //   400 noTarget      no element matches the filter of a path, and none is created from it
    //   400 invalidValue  an attribute would have too many elements
    //   400 mutability    an immutable part of an existing element would change
    //   413               the work exceeds the limit of `work` or of one PATCH, or an attribute or
    //                     the resource would have too many bytes
    // The caller checks afterwards what depends on the result of all operations: required
    // attributes have a value (check_required()); immutable attributes, and immutable parts of
    // elements that were replaced by a list, are unchanged (service/plan.cc).
    // REQUIRES: `type` is the one that was given to parse(); the leaves are in canonical order, and
    // they are afterwards.
    Outcome apply(const TypeView &type, Resource &resource, DeviationReport &report,
                  Work &work) const;

    const MemberEdits &members() const { return members_; }
    const std::vector<Leaf> &sent() const { return values_.leaves; }  // in all operations

    // `error`, which concerns `attr`, prefixed with the last operation on `attr`, such as
    // "Operations[1]: ". Unchanged if there is no such operation.
    Error in_last_operation(const Attr &attr, Error error) const;

    // `error`, which says that the required attribute `missing` (nullptr: an extension) has no
    // value after apply(), prefixed with the last operation on it. If it was removed, the error
    // becomes 400 mutability (RFC 7644 3.5.2.2).
    Error without_required(const Attr *missing, Error error) const;

    // True if the PATCH changes no resource: it has no operations, or only ignored ones.
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
