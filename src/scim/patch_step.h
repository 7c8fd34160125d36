#pragma once
// One change that a PATCH makes to one attribute, decided as far as it can be without the resource.
// Of use to patch.h alone.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/catalog.h"
#include "scim/dialect.h"
#include "scim/filter.h"
#include "scim/path.h"
#include "scim/resource.h"
#include "scim/result.h"
#include "scim/value_reader.h"

namespace scim {

enum class PatchOp : uint8_t { add, replace, remove };

// Leaves that stand together in a list that all steps of a request share.
struct LeafRange {
    size_t first = 0, last = 0;
    bool empty() const { return first == last; }
};

// The brackets of a path.
struct PatchFilter {
    Filter filter;
    std::string path;                    // as it was sent
    std::vector<const Attr *> pinned;    // parts that an eq term holds every match to
    std::vector<const Attr *> compared;  // parts whose text is looked at, one a term
    // The filter is of eq terms alone: `element` are the parts of the element that they describe.
    bool describes = false;
    LeafRange element;
};

struct PatchStep {
    PatchOp op = PatchOp::add;
    bool listed = false;   // remove: only what equals `values`
    size_t operation = 0;  // its place in Operations
    const Attr *attr = nullptr, *part = nullptr;
    std::unique_ptr<const PatchFilter> filter;
    LeafRange values;
    std::vector<const Attr *> unassigned;  // parts that go
};

// `error` with the operation that it is about in front, or its `member`: "Operations[1].path: …".
Error in_operation(size_t i, std::string_view member, Error error);

class PatchStepReader {
  public:
    // The leaves of all steps are appended to those of `values`. All must outlive the reader.
    PatchStepReader(const TypeView &type, Dialect &dialect, Resource &values)
        : type_(type), dialect_(dialect), leaves_(values.leaves), reader_(type, dialect, values) {}

    // Nothing if the operation changes nothing in any resource. `text` is the path as it was sent.
    // REQUIRES: the path leads to a stored attribute; a value unless `op` is remove.
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
