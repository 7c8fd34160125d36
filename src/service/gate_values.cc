#include "service/gate_values.h"

#include <algorithm>

#include "scim/patch/patch_element.h"
#include "scim/text/datetime.h"
#include "scim/text/json.h"
#include "service/nested_groups.h"
#include "service/render.h"
#include "store/members.h"
#include "store/read_budget.h"
#include "store/record.h"

namespace scim::service {

struct UserAttribute::Selection {
    enum class Source : uint8_t {
        leaf,
        leaves,
        id,
        created,
        modified,
        groups
    } source = Source::leaves;
    const Attr *attr = nullptr;    // whose values are the texts, a part or a top-level attribute
    std::optional<Filter> filter;  // only elements that satisfy it
    AttrSet wanted;                // the leaves that are needed
};

namespace {

bool is_user(const TypeView &type) { return type.user_name != nullptr; }

Error refused(std::string sentence) {
    return bad_request(ScimType::invalid_path, std::move(sentence));
}

// A path that names an attribute.
Result<Path> parse(const TypeView &type, const std::string &text) {
    DeviationReport report;
    Dialect dialect(false, report);
    auto path = parse_path(type, text, PathLimits(), dialect);
    RETURN_IF_ERROR(path);
    if (!*path) return refused(type.type.name + " has no attribute " + quoted(text));
    if ((*path)->attr == nullptr)
        return refused(quoted(text) + " is an extension, expected one of its attributes");
    return std::move(**path);
}

// The part that the path names, else the part `value` of a complex attribute, else the attribute.
Result<const Attr *> named(const Path &path) {
    const Attr *attr = path.part != nullptr ? path.part : path.attr;
    if (attr->def->type == AttrType::complex && !attr->never_returned()) {
        const Attr *value = TypeView::find_sub(*attr, "value");
        if (value == nullptr)
            return refused("\"" + attr->path +
                           "\" has no part \"value\", expected the name of one of its parts");
        attr = value;
    }
    if (attr->never_returned())
        return refused("\"" + attr->path + "\" is never returned, so it cannot be used");
    return attr;
}

// The stored attributes of an element.
AttrSet stored_in(const TypeView &type, const Attr &top) {
    AttrSet set(type.numbers_end());
    if (top.stored()) set.add(top.number);
    for (const Attr *part : top.subs)
        if (part->stored()) set.add(part->number);
    return set;
}

// Calls `each(begin, end)` for the leaves of each element of one attribute.
template <class Each>
void each_element(const GateUser &user, const AttrSet &wanted, Each &&each) {
    // The checksum was verified when the record was copied.
    auto record = store::RecordView::peek(user.record);
    std::vector<Leaf> leaves;
    if (!record || !record->leaves(leaves, wanted, AttrSet())) return;
    canonical_order(*user.type, leaves);
    const Leaf *end = leaves.data() + leaves.size();
    size_t count = 0;
    for (const Leaf *at = leaves.data(); at != end && count < UserAttribute::elements_max;
         count++) {
        const Leaf *next =
            std::find_if(at, end, [&](const Leaf &leaf) { return leaf.element != at->element; });
        each(at, next);
        at = next;
    }
}

// The leaf of `attr` in [begin, end), nullptr if there is none.
const Leaf *find_leaf(const Attr &attr, const Leaf *begin, const Leaf *end) {
    const Leaf *leaf =
        std::find_if(begin, end, [&](const Leaf &l) { return l.attr == attr.number; });
    return leaf != end ? leaf : nullptr;
}

// Appends the text of one JSON value.
void append_text(std::vector<std::string> &out, std::string_view json) {
    if (json.empty()) return;
    std::string text;
    if (json.front() != '"')
        out.emplace_back(json);
    else if (read_string(json, text))
        out.push_back(std::move(text));
}

void append_texts(std::vector<std::string> &out, const Attr &attr, std::string_view json) {
    if (attr.parent == nullptr || !attr.def->multi_valued) return append_text(out, json);
    for (std::string_view value : values_of(json)) append_text(out, value);
}

// The text of an attribute that has one value.
std::vector<std::string> first_text(const GateUser &user, const Attr &attr) {
    std::vector<std::string> out;
    if (auto record = store::RecordView::peek(user.record))
        append_text(out, record->first(attr.number));
    return out;
}

std::string time_of(const GateUser &user, bool created) {
    auto record = store::RecordView::peek(user.record);
    if (!record) return {};
    return time_text(created ? record->header().created : record->header().modified);
}

// Groups

void append_group(std::vector<std::string> &out, const Attr &part, const Id &id,
                  const CachedGroup &group, const char *type) {
    if (part.def->name == "value")
        out.push_back(scim::to_string(id));
    else if (part.def->name == "display")
        append_text(out, group.display);
    else
        out.emplace_back(type);
}

// Returns false if the user is beyond the limits of indirect groups.
bool append_indirect_groups(std::vector<std::string> &out, const GateUser &user, const Attr &part,
                            store::Directory &directory, GroupCache &cache) {
    const auto groups = indirect_groups(*user.catalog, directory, cache, user.id);
    for (const Id &id : groups.ids)
        append_group(out, part, id, cache.at(*user.catalog, directory, id), "indirect");
    return !groups.is_beyond_limit;
}

std::vector<std::string> group_texts(const GateUser &user, const Attr &part, Snapshot &snapshot,
                                     GateOptions options, bool *cut) {
    store::ReadBudget budget({}, store::RunOn::event_loop);
    store::Directory directory(snapshot.txn, user.tenant, &budget);
    std::vector<std::string> out;
    bool has_more = false;
    store::Members(directory).each_membership(user.id, nullptr, [&](const Id &id, uint32_t epoch) {
        const CachedGroup &group = snapshot.groups.at(*user.catalog, directory, id);
        if (group.type == nullptr || group.epoch != epoch) return true;
        has_more |= out.size() == UserAttribute::groups_max;
        if (!has_more) append_group(out, part, id, group, "direct");
        return !has_more;
    });
    if (options.nested_groups && !has_more)
        has_more = !append_indirect_groups(out, user, part, directory, snapshot.groups);
    if (!snapshot.txn.good()) out.clear();
    if (cut != nullptr) *cut = has_more || budget.stopped();
    return out;
}

}  // namespace

Result<UserAttribute::Selection> UserAttribute::select(const TypeView &type,
                                                       const std::string &text) {
    using Source = Selection::Source;
    auto path = parse(type, text);
    RETURN_IF_ERROR(path);
    auto attr = named(*path);
    RETURN_IF_ERROR(attr);

    Selection selection;
    selection.attr = *attr;
    // parse_path() does not parse a filter of a computed attribute.
    if (path->attr->computed && text.find('[') != text.npos)
        return refused("\"" + path->attr->path + "\" is computed, so brackets cannot follow it");
    const std::string &name = (*attr)->def->name;
    if (path->attr == type.id) {
        selection.source = Source::id;
    } else if (path->attr == type.meta && (name == "created" || name == "lastModified")) {
        selection.source = name == "created" ? Source::created : Source::modified;
    } else if (path->attr == type.groups &&
               (name == "value" || name == "display" || name == "type")) {
        selection.source = Source::groups;
    } else if (!(*attr)->stored() || (path->filter && path->filter->needs_rows())) {
        return refused(quoted(text) + " is readOnly or computed, so it cannot be used");
    } else {
        const Attr &top = *path->attr;
        if (!top.def->multi_valued && !(*attr)->def->multi_valued && !path->filter)
            selection.source = Source::leaf;
        selection.wanted = stored_in(type, top);
        selection.filter = std::move(path->filter);
    }
    return selection;
}

Outcome UserAttribute::check(const Catalog &catalog) const {
    std::optional<Error> first;
    for (const auto &type : catalog.types()) {
        if (!is_user(*type)) continue;
        auto selection = select(*type, path_);
        if (selection) return Done{};
        if (!first) first = std::move(selection.error());
    }
    if (first) return std::move(*first);
    return refused("no resource type has a userName");
}

std::shared_ptr<const UserAttribute::Selection> UserAttribute::selection(
    const GateUser &user) const {
    for (const Cached &cached : cache_)
        if (cached.type == user.type && cached.catalog.lock() == user.catalog)
            return cached.selection;
    cache_.erase(std::remove_if(cache_.begin(), cache_.end(),
                                [](const Cached &cached) { return cached.catalog.expired(); }),
                 cache_.end());
    std::shared_ptr<const Selection> selection;
    if (auto selected = select(*user.type, path_))
        selection = std::make_shared<const Selection>(std::move(*selected));
    cache_.push_back({user.catalog, user.type, selection});
    return selection;
}

std::vector<std::string> UserAttribute::texts(const GateUser &user, Snapshot *snapshot,
                                              GateOptions options, bool *cut) const {
    const auto selected = selection(user);
    if (selected == nullptr) return {};
    const Attr &attr = *selected->attr;
    switch (selected->source) {
        case Selection::Source::id: return {scim::to_string(user.id)};
        case Selection::Source::created: return {time_of(user, true)};
        case Selection::Source::modified: return {time_of(user, false)};
        case Selection::Source::groups:
            return snapshot != nullptr ? group_texts(user, attr, *snapshot, options, cut)
                                       : std::vector<std::string>();
        case Selection::Source::leaf: return first_text(user, attr);
        case Selection::Source::leaves: break;
    }
    std::vector<std::string> out;
    const auto &filter = selected->filter;
    each_element(user, selected->wanted, [&](const Leaf *begin, const Leaf *end) {
        if (filter && !filter->matches_element(*user.type, begin, end)) return;
        if (const Leaf *leaf = find_leaf(attr, begin, end)) append_texts(out, attr, leaf->json);
    });
    return out;
}

std::string email_of(const GateUser &user) {
    const Attr *emails = user.type->find_core("emails");
    const Attr *value = emails != nullptr ? TypeView::find_sub(*emails, "value") : nullptr;
    if (value == nullptr || value->never_returned()) return {};
    const Attr *type = TypeView::find_sub(*emails, "type");
    const Attr *primary = TypeView::find_sub(*emails, "primary");
    std::vector<std::string> best;
    int best_rank = 0;
    each_element(user, stored_in(*user.type, *emails), [&](const Leaf *begin, const Leaf *end) {
        auto text = [&](const Attr *part) {
            const Leaf *leaf = part != nullptr ? find_leaf(*part, begin, end) : nullptr;
            return leaf != nullptr ? leaf->json : std::string_view();
        };
        const int rank = text(primary) == "true"                 ? 3
                         : ascii_iequals(text(type), "\"work\"") ? 2
                                                                 : 1;
        std::vector<std::string> found;
        append_text(found, text(value));
        if (rank <= best_rank || found.empty() || found[0].empty()) return;
        best_rank = rank;
        best = std::move(found);
    });
    return best.empty() ? std::string() : std::move(best[0]);
}

}  // namespace scim::service
