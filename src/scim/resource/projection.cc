#include "scim/resource/projection.h"

#include <algorithm>

namespace scim {

namespace {

// The position behind the brackets that begin at `open`, or the end of the text. Strings in the
// brackets may contain brackets.
size_t behind_brackets(std::string_view text, size_t open) {
    bool in_string = false;
    for (size_t i = open; i < text.size(); i++) {
        if (text[i] == '"') in_string = !in_string;
        if (in_string && text[i] == '\\') i++;
        if (!in_string && text[i] == ']') return i + 1;
    }
    return text.size();
}

// Removes the next of the comma-separated names from `rest` and returns it without surrounding
// blanks. Commas in brackets do not separate names.
std::string_view next_name(std::string_view &rest) {
    size_t end = std::min(rest.find_first_of(",["), rest.size());
    while (end < rest.size() && rest[end] == '[')
        end = std::min(rest.find_first_of(",[", behind_brackets(rest, end)), rest.size());
    std::string_view name = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    return name;
}

// False for an absent parameter, "attributes=" and "attributes=,".
bool names_something(std::optional<std::string_view> names) {
    return names && names->find_first_not_of(" ,") != names->npos;
}

void add_with_parts(AttrSet &shown, const Attr &attr) {
    if (attr.never_returned()) return;
    shown.add(attr.rank);
    for (const Attr *sub : attr.subs)
        if (!sub->never_returned() && Attr::is_default(*sub->def)) shown.add(sub->rank);
}

void add_part(AttrSet &shown, const Attr &part) {
    if (part.never_returned()) return;
    shown.add(part.rank);
    shown.add(part.parent->rank);
    for (const Attr *sibling : part.parent->subs)
        if (sibling->def->returned == Returned::always && !sibling->never_returned())
            shown.add(sibling->rank);
}

// A complex attribute that is always returned stays shown with its parts; another one if one of its
// parts does.
void remove_with_parts(AttrSet &shown, const Attr &attr) {
    if (attr.shown_always()) return;
    bool stays = false;
    for (const Attr *sub : attr.subs) {
        if (sub->shown_always())
            stays = true;
        else
            shown.remove(sub->rank);
    }
    if (!stays) shown.remove(attr.rank);
}

void include(const TypeView &type, AttrSet &shown, const Attr *attr, int extension) {
    if (attr) {
        attr->parent ? add_part(shown, *attr) : add_with_parts(shown, *attr);
        return;
    }
    for (const Attr &other : type.attrs)
        if (other.extension == extension && other.shown_by_default()) shown.add(other.rank);
}

void exclude(const TypeView &type, AttrSet &shown, const Attr *attr, int extension) {
    if (attr) {
        remove_with_parts(shown, *attr);
        return;
    }
    for (const Attr &other : type.attrs)
        if (other.extension == extension && !other.parent) remove_with_parts(shown, other);
}

// The attribute or the extension of a name; neither for an unknown name.
struct Named {
    const Attr *attr = nullptr;
    int extension = -1;
};

Result<Named> find(const TypeView &type, std::string_view name, Dialect &dialect) {
    Named named;
    named.attr = type.find(name);
    if (!named.attr) named.extension = type.find_extension(name);
    if (named.attr || named.extension >= 0 || dialect.strict()) return named;
    const auto [found, ambiguous] = type.find_unprefixed(name);
    if (ambiguous)
        return Error{Refusal::projection_ambiguous,
                     "several extensions have an attribute " + quoted(name) +
                         ", expected one with its URN such as \"" + found->path + "\""};
    if (found && dialect.accepts("unprefixed-extension")) named.attr = found;
    return named;
}

// `name` without brackets, "emails.value" for "emails[type eq \"work\"].value".
std::string without_brackets(std::string_view name, size_t open) {
    std::string out(name.substr(0, open));
    return out.append(name.substr(behind_brackets(name, open)));
}

// Calls then(attribute, extension) for each name that is known.
template <class Then>
Outcome each_name(const TypeView &type, std::string_view names, bool excluded, Dialect &dialect,
                  Then then) {
    while (!names.empty()) {
        const std::string_view name = next_name(names);
        const size_t open = name.find('[');
        auto named = open == name.npos ? find(type, name, dialect)
                                       : find(type, without_brackets(name, open), dialect);
        RETURN_IF_ERROR(named);
        if (!named->attr && named->extension < 0) continue;  // unknown (RFC 7644 3.9)
        if (open != name.npos) {
            auto r = dialect.deviation("filter-in-attributes",
                                       quoted(name) +
                                           " selects elements; \"attributes\" and "
                                           "\"excludedAttributes\" take names of attributes",
                                       Refusal::value_deviation);
            if (!r) return r;
            if (excluded) continue;
        }
        then(named->attr, named->extension);
    }
    return Done{};
}

// Adds the attributes in `sent`. Those not shown already are returned on request, because those
// that are never returned are left out.
void add_sent(const TypeView &type, AttrSet &shown, const std::vector<Leaf> &sent) {
    for (const Leaf &leaf : sent) {
        const Attr *attr = type.by_number(leaf.attr);
        if (!attr || attr->never_returned()) continue;
        shown.add(attr->rank);
        if (attr->parent) shown.add(attr->parent->rank);
    }
}

}  // namespace

Projection::Projection(const TypeView &type) : Projection(type, type.shown_by_default) {}

Projection::Projection(const TypeView &type, AttrSet shown)
    : shown_(std::move(shown)), whole_(type.stored.is_within(shown_)) {}

Result<Projection> Projection::parse(const TypeView &type,
                                     std::optional<std::string_view> attributes,
                                     std::optional<std::string_view> excluded, Dialect &dialect,
                                     const std::vector<Leaf> &sent) {
    const bool some = names_something(attributes), all_but = names_something(excluded);
    if (some && all_but)
        return Error{Refusal::projection_conflict,
                     "\"attributes\" and \"excludedAttributes\" exclude each other: send one"};
    Projection p(type);
    if (some) {
        p.asked_ = true;
        p.shown_ = type.shown_always;
        auto r = each_name(type, *attributes, false, dialect, [&](const Attr *attr, int extension) {
            include(type, p.shown_, attr, extension);
        });
        RETURN_IF_ERROR(r);
    } else {
        if (!p.whole_) add_sent(type, p.shown_, sent);
    }
    if (all_but) {
        auto r = each_name(type, *excluded, true, dialect, [&](const Attr *attr, int extension) {
            exclude(type, p.shown_, attr, extension);
        });
        RETURN_IF_ERROR(r);
    }
    p.whole_ = type.stored.is_within(p.shown_);
    return p;
}

bool Projection::shows_any(const Attr &attr) const {
    if (attr.def->type != AttrType::complex) return shows(attr);
    for (const Attr *sub : attr.subs)
        if (shows(*sub)) return true;
    return false;
}

}  // namespace scim
