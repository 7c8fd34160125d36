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
        groups,
        one_email
    } source = Source::leaves;
    const Attr *attr = nullptr;    // whose values are the texts, a part or a top-level attribute
    std::optional<Filter> filter;  // only elements that satisfy it
    // The leaves that are needed, and those that come after them in a record of this catalog.
    AttrSet wanted, behind;
    const Attr *email_type = nullptr, *primary = nullptr;  // of one_email
};

namespace {

bool is_user(const TypeView &type) { return type.user_name != nullptr; }

Error refused(std::string sentence) {
    return Error{Refusal::configuration_invalid, std::move(sentence)};
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

// The attributes whose leaves come after those of a top-level attribute.
AttrSet behind_of(const TypeView &type, const Attr &top) {
    AttrSet set(type.numbers_end());
    for (const Attr &attr : type.attrs)
        if (attr.top().rank > top.rank) set.add(attr.number);
    return set;
}

// Calls `each(begin, end)` for the leaves of each element of one attribute.
template <class Each>
void each_element(const GateUser &user, const AttrSet &wanted, const AttrSet &behind, Each &&each) {
    // The checksum was verified when the record was copied.
    auto record = store::RecordView::peek(user.record);
    std::vector<Leaf> leaves;
    if (!record) return;
    const bool in_order = record->header().epoch == user.catalog->epoch();
    if (!record->leaves(leaves, wanted, in_order ? behind : AttrSet())) return;
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

using Each = UserAttribute::Each;

// Calls `each` with the text of one JSON value.
bool each_text_of(std::string_view json, const Each &each) {
    if (json.empty()) return true;
    if (json.front() != '"') return each(json);
    if (json.find('\\') == json.npos) return each(json.substr(1, json.size() - 2));
    std::string text;
    return !read_string(json, text) || each(text);
}

bool each_text_of(const Attr &attr, std::string_view json, const Each &each) {
    if (attr.parent == nullptr || !attr.def->multi_valued) return each_text_of(json, each);
    const auto values = values_of(json);
    return std::all_of(values.begin(), values.end(),
                       [&](std::string_view value) { return each_text_of(value, each); });
}

// The attribute has one value.
void first_text(const GateUser &user, const Attr &attr, const Each &each) {
    if (auto record = store::RecordView::peek(user.record))
        each_text_of(record->first(attr.number), each);
}

std::string time_of(const GateUser &user, bool created) {
    auto record = store::RecordView::peek(user.record);
    if (!record) return {};
    return time_text(created ? record->header().created : record->header().modified);
}

// Groups

bool each_text_of(const Attr &part, const Id &id, const CachedGroup &group, const char *type,
                  const Each &each) {
    if (part.def->name == "value") return each(scim::to_string(id));
    if (part.def->name == "display") return each_text_of(group.display, each);
    return each(type);
}

// Returns false if the user is beyond the limits of indirect groups.
bool each_indirect_group(const GateUser &user, const Attr &part, store::Directory &directory,
                         GroupCache &cache, const Each &each) {
    const auto groups = indirect_groups(*user.catalog, directory, cache, user.id);
    for (const Id &id : groups.ids)
        if (!each_text_of(part, id, cache.at(*user.catalog, directory, id), "indirect", each))
            break;
    return !groups.is_beyond_limit;
}

// Returns false if groups are missing.
bool each_group(const GateUser &user, const Attr &part, Snapshot &snapshot, GateOptions options,
                const Each &each) {
    store::ReadBudget budget({}, store::RunOn::event_loop);
    store::Directory directory(snapshot.txn, user.tenant, &budget);
    size_t count = 0;
    bool has_more = false, wants_more = true;
    store::Members(directory).each_membership(user.id, nullptr, [&](const Id &id, uint32_t epoch) {
        const CachedGroup &group = snapshot.groups.at(*user.catalog, directory, id);
        if (group.type == nullptr || group.epoch != epoch) return true;
        has_more = count++ == UserAttribute::groups_max;
        wants_more = !has_more && each_text_of(part, id, group, "direct", each);
        return wants_more;
    });
    if (options.nested_groups && wants_more)
        has_more = !each_indirect_group(user, part, directory, snapshot.groups, each);
    return !has_more && !budget.stopped();
}

}  // namespace

UserAttribute UserAttribute::one_email() {
    UserAttribute attribute("emails");
    attribute.is_one_email_ = true;
    return attribute;
}

Result<UserAttribute::Selection> UserAttribute::select(const TypeView &type) const {
    using Source = Selection::Source;
    const std::string &text = path_;
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
        selection.behind = behind_of(type, top);
        selection.filter = std::move(path->filter);
        if (is_one_email_) {
            selection.source = Source::one_email;
            selection.email_type = TypeView::find_sub(top, "type");
            selection.primary = TypeView::find_sub(top, "primary");
        }
    }
    return selection;
}

Outcome UserAttribute::check(const Catalog &catalog) const {
    std::optional<Error> first;
    for (const auto &type : catalog.types()) {
        if (!is_user(*type)) continue;
        auto selection = select(*type);
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
    if (auto selected = select(*user.type))
        selection = std::make_shared<const Selection>(std::move(*selected));
    cache_.push_back({user.catalog, user.type, selection});
    return selection;
}

// Calls `each` with the e-mail address of the highest rank.
void UserAttribute::each_email(const GateUser &user, const Selection &selected, const Each &each) {
    std::string_view best;
    int best_rank = 0;
    each_element(user, selected.wanted, selected.behind, [&](const Leaf *begin, const Leaf *end) {
        auto json = [&](const Attr *part) {
            const Leaf *leaf = part != nullptr ? find_leaf(*part, begin, end) : nullptr;
            return leaf != nullptr ? leaf->json : std::string_view();
        };
        const int rank = json(selected.primary) == "true"                       ? 3
                         : ascii_iequals(json(selected.email_type), "\"work\"") ? 2
                                                                                : 1;
        const std::string_view value = json(selected.attr);
        if (rank <= best_rank || value.size() <= 2) return;
        best_rank = rank;
        best = value;
    });
    each_text_of(best, each);
}

MadeFrom UserAttribute::made_from(const GateUser &user) const {
    const auto selected = selection(user);
    const bool is_of_groups = selected != nullptr && selected->source == Selection::Source::groups;
    return is_of_groups ? MadeFrom::groups : MadeFrom::user;
}

bool UserAttribute::each_text(const GateUser &user, Snapshot *snapshot, GateOptions options,
                              const Each &each) const {
    const auto selected = selection(user);
    if (selected == nullptr) return true;
    const Attr &attr = *selected->attr;
    switch (selected->source) {
        case Selection::Source::id: each(scim::to_string(user.id)); return true;
        case Selection::Source::created: each(time_of(user, true)); return true;
        case Selection::Source::modified: each(time_of(user, false)); return true;
        case Selection::Source::groups:
            return snapshot == nullptr || each_group(user, attr, *snapshot, options, each);
        case Selection::Source::leaf: first_text(user, attr, each); return true;
        case Selection::Source::one_email: each_email(user, *selected, each); return true;
        case Selection::Source::leaves: break;
    }
    const auto &filter = selected->filter;
    bool wants_more = true;
    each_element(user, selected->wanted, selected->behind, [&](const Leaf *begin, const Leaf *end) {
        if (!wants_more || (filter && !filter->matches_element(*user.type, begin, end))) return;
        if (const Leaf *leaf = find_leaf(attr, begin, end))
            wants_more = each_text_of(attr, leaf->json, each);
    });
    return true;
}

}  // namespace scim::service
