#include "scim/projection.h"

namespace scim {

namespace {

// The next of comma-separated names, without the blanks around it; moves `rest` on.
std::string_view next_name(std::string_view &rest) {
    const size_t comma = rest.find(',');
    std::string_view name = rest.substr(0, comma);
    rest.remove_prefix(comma == rest.npos ? rest.size() : comma + 1);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    return name;
}

// "attributes=" and "attributes=," ask for nothing, and so does an absent parameter.
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

// A complex attribute is shown as long as a part of it is.
void remove_with_parts(AttrSet &shown, const Attr &attr) {
    bool stays = attr.shown_always();
    for (const Attr *sub : attr.subs) {
        if (sub->shown_always())
            stays = true;
        else
            shown.remove(sub->rank);
    }
    if (!stays) shown.remove(attr.rank);
}

void include(const TypeView &type, AttrSet &shown, std::string_view name) {
    if (const Attr *attr = type.find(name)) {
        attr->parent ? add_part(shown, *attr) : add_with_parts(shown, *attr);
        return;
    }
    const int bit = type.find_extension(name);
    if (bit < 0) return;  // unknown (S-103)
    for (const Attr &attr : type.attrs)
        if (attr.extension == bit && attr.shown_by_default()) shown.add(attr.rank);
}

void exclude(const TypeView &type, AttrSet &shown, std::string_view name) {
    if (const Attr *attr = type.find(name)) {
        remove_with_parts(shown, *attr);
        return;
    }
    const int bit = type.find_extension(name);
    if (bit < 0) return;
    for (const Attr &attr : type.attrs)
        if (attr.extension == bit && !attr.parent) remove_with_parts(shown, attr);
}

// What is shown to nobody who asks for nothing, and not never, is returned on request.
void add_sent(const TypeView &type, AttrSet &shown, const std::vector<Leaf> &sent) {
    for (const Leaf &leaf : sent) {
        const Attr *attr = type.by_number(leaf.attr);
        if (!attr || attr->never_returned()) continue;
        shown.add(attr->rank);
        if (attr->parent) shown.add(attr->parent->rank);
    }
}

}  // namespace

Projection::Projection(const TypeView &type)
    : shown_(type.shown_by_default), whole_(type.stored.is_within(shown_)) {}

Result<Projection> Projection::parse(const TypeView &type,
                                     std::optional<std::string_view> attributes,
                                     std::optional<std::string_view> excluded,
                                     const std::vector<Leaf> &sent) {
    const bool some = names_something(attributes), all_but = names_something(excluded);
    if (some && all_but)
        return bad_request(
            ScimType::invalid_value,
            "\"attributes\" and \"excludedAttributes\" exclude each other: send one");
    Projection p(type);
    if (some) {
        p.asked_ = true;
        p.shown_ = type.shown_always;
        while (!attributes->empty()) include(type, p.shown_, next_name(*attributes));
    } else {
        if (!p.whole_) add_sent(type, p.shown_, sent);
        while (all_but && !excluded->empty()) exclude(type, p.shown_, next_name(*excluded));
    }
    p.whole_ = type.stored.is_within(p.shown_);
    return p;
}

bool Projection::shows_any(const Attr &attr) const {
    if (attr.def->type != Type::complex) return shows(attr);
    for (const Attr *sub : attr.subs)
        if (shows(*sub)) return true;
    return false;
}

}  // namespace scim
