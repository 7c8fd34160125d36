#pragma once
// A step: one change of one attribute by a PATCH, parsed and checked without the resource. Used
// only by the implementation of patch.h.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/filter/filter.h"
#include "scim/filter/path.h"
#include "scim/resource/dialect.h"
#include "scim/resource/resource.h"
#include "scim/resource/value_reader.h"
#include "scim/schema/catalog.h"
#include "scim/text/result.h"

namespace scim {

enum class PatchOp : uint8_t { add, replace, remove };

// A range of leaves in the list that all steps of a request share.
struct LeafRange {
    size_t first = 0, last = 0;
    bool empty() const { return first == last; }
};

// The filter in a path.
struct PatchFilter {
    Filter filter;
    std::string path;                    // as sent
    std::vector<const Attr *> pinned;    // parts with an eq term that every match satisfies
    std::vector<const Attr *> compared;  // for each term, the part whose text it compares
    // True if the filter is a conjunction of eq terms that describe an element; its parts are
    // `element`.
    bool describes = false;
    LeafRange element;
};

struct PatchStep {
    PatchOp op = PatchOp::add;    // what is done: a replace with null is done as a remove
    PatchOp sent = PatchOp::add;  // `op` of the operation
    bool listed = false;          // remove: only the elements or values that equal `values`
    size_t operation = 0;         // index in Operations
    const Attr *attr = nullptr, *part = nullptr;
    std::unique_ptr<const PatchFilter> filter;
    LeafRange values;
    std::vector<const Attr *> unassigned;  // parts to unassign
};

// `error` prefixed with its operation and, if not empty, the member of it: "Operations[1].path: …".
Error in_operation(size_t i, std::string_view member, Error error);

class PatchStepReader {
  public:
    // The leaves of all steps are appended to those of `values`. All arguments must outlive the
    // reader.
    PatchStepReader(const TypeView &type, Dialect &dialect, Resource &values)
        : type_(type), dialect_(dialect), leaves_(values.leaves), reader_(type, dialect, values) {}

    // nullopt if the operation changes no resource. `text` is the path as sent. REQUIRES: the path
    // names a stored attribute; there is a value unless `op` is remove.
    Result<std::optional<PatchStep>> read(PatchOp op, Path path, std::string_view text,
                                          const json_t *value);

  private:
    using Step = Result<std::optional<PatchStep>>;

    Step assignment(PatchStep step, const json_t *value);
    Outcome new_values(PatchStep &step, const json_t *value, bool &unassigns);
    Step removal(PatchStep step, const json_t *value);
    void describe(PatchFilter &filter);
    void note_compared(PatchFilter &filter);

    const TypeView &type_;
    Dialect &dialect_;
    std::vector<Leaf> &leaves_;
    ValueReader reader_;
};

}  // namespace scim
