#include "scim/schema/catalog.h"

#include <algorithm>
#include <initializer_list>

#include "scim/schema/attr_numbers.h"

namespace scim {

std::string_view to_string(IndexState state) {
    switch (state) {
        case IndexState::building: return "building";
        case IndexState::ready: return "ready";
        case IndexState::conflict: return "conflict";
        case IndexState::dropping: return "dropping";
    }
    return "";
}

std::string_view to_string(IndexKind kind) {
    return kind == IndexKind::substring ? "substring" : "value";
}

// Common attributes

namespace {

Attribute read_only(std::string name, AttrType type, bool case_exact) {
    Attribute a;
    a.name = std::move(name);
    a.type = type;
    a.case_exact = case_exact;
    a.mutability = Mutability::read_only;
    return a;
}

Attribute meta_attribute() {
    Attribute meta = read_only("meta", AttrType::complex, false);
    meta.sub_attributes = {
        read_only("resourceType", AttrType::string, true),
        read_only("created", AttrType::date_time, false),
        read_only("lastModified", AttrType::date_time, false),
        read_only("location", AttrType::reference, true),
        read_only("version", AttrType::string, true),
    };
    return meta;
}

std::vector<Attribute> make_common_attributes() {
    Attribute schemas = read_only("schemas", AttrType::string, true);
    schemas.multi_valued = true;
    schemas.required = true;
    schemas.mutability = Mutability::read_write;
    schemas.returned = Returned::always;

    Attribute id = read_only("id", AttrType::string, true);
    id.returned = Returned::always;
    id.uniqueness = Uniqueness::server;

    Attribute external_id = read_only("externalId", AttrType::string, true);
    external_id.mutability = Mutability::read_write;

    return {std::move(schemas), std::move(id), std::move(external_id), meta_attribute()};
}

}  // namespace

const std::vector<Attribute> &common_attributes() {
    static const std::vector<Attribute> all = make_common_attributes();
    return all;
}

// Numbers by definition

namespace {

std::string definition_key(std::string_view schema, std::string_view path, AttrType type,
                           bool multi_valued, bool case_exact) {
    std::string key = ascii_lower(schema);
    key += ' ';
    key += ascii_lower(path);
    key += ' ';
    key += char('0' + int(type));
    key += multi_valued ? 'm' : 's';
    key += case_exact ? 'e' : 'f';
    return key;
}

}  // namespace

AttrNumbers::AttrNumbers(const std::vector<CatalogRows::AttrRow> &rows) {
    for (const auto &row : rows) add(row);
}

void AttrNumbers::add(const CatalogRows::AttrRow &row) {
    by_definition_.emplace(
        definition_key(row.schema, row.path, row.type, row.multi_valued, row.case_exact),
        row.number);
}

AttrNumber AttrNumbers::find(std::string_view schema, std::string_view path,
                             const Attribute &def) const {
    auto it = by_definition_.find(
        definition_key(schema, path, def.type, def.multi_valued, def.case_exact));
    return it == by_definition_.end() ? no_attr : it->second;
}

std::string local_path(const Attribute *parent, const Attribute &def) {
    return parent ? parent->name + "." + def.name : def.name;
}

std::vector<const Attribute *> own_attributes(const Schema &base) {
    std::vector<const Attribute *> own;
    for (const Attribute &a : base.attributes) {
        bool common = false;
        for (const Attribute &c : common_attributes()) common |= ascii_iequals(a.name, c.name);
        if (!common) own.push_back(&a);
    }
    return own;
}

// TypeView

namespace {

// The parts of a path, concatenated in lower case. Paths of usual length are kept on the stack,
// because every member of every body is looked up.
class LowerPath {
  public:
    explicit LowerPath(std::initializer_list<std::string_view> parts) {
        size_t size = 0;
        for (std::string_view part : parts) size += part.size();
        char *to = buffer_;
        if (size > sizeof buffer_) {
            heap_.resize(size);
            to = heap_.data();
        }
        view_ = {to, size};
        for (std::string_view part : parts)
            for (char c : part) *to++ = ascii_lower(c);
    }
    LowerPath(const LowerPath &) = delete;
    LowerPath &operator=(const LowerPath &) = delete;

    std::string_view view() const { return view_; }

  private:
    char buffer_[256];
    std::string heap_;
    std::string_view view_;
};

}  // namespace

// by_path_ holds every form of every path, so that the URN need not be split off. Names contain no
// colon, so no two attributes have the same path.
const Attr *TypeView::find(std::string_view path) const {
    LowerPath key({path});
    auto it = by_path_.find(key.view());
    return it == by_path_.end() ? nullptr : it->second;
}

const Attr *TypeView::find_core(std::string_view name) const {
    const Attr *attr = find(name);
    // "name.givenName" and URN-qualified forms are paths, but not names.
    bool member = attr && !attr->parent && attr->extension < 0 && attr->path.size() == name.size();
    return member ? attr : nullptr;
}

int TypeView::find_extension(std::string_view urn) const {
    LowerPath key({urn});
    auto it = extension_by_urn_.find(key.view());
    return it == extension_by_urn_.end() ? -1 : it->second;
}

const Attr *TypeView::find_in_extension(int bit, std::string_view name) const {
    if (bit < 0 || size_t(bit) >= extension_bits.size()) return nullptr;
    LowerPath key({extension_bits[size_t(bit)], ":", name});
    auto it = by_path_.find(key.view());
    if (it == by_path_.end() || it->second->parent || it->second->extension != bit) return nullptr;
    return it->second->def->name.size() == name.size() ? it->second : nullptr;  // no "tags.value"
}

TypeView::Unprefixed TypeView::find_unprefixed(std::string_view path) const {
    Unprefixed found;
    const size_t dot = path.find('.');
    for (size_t bit = 0; bit < extension_bits.size(); bit++) {
        const Attr *attr = find_in_extension(int(bit), path.substr(0, dot));
        if (attr && dot != path.npos) attr = find_part(*attr, path.substr(dot + 1));
        if (!attr) continue;
        if (found.attr) return {found.attr, true};
        found.attr = attr;
    }
    return found;
}

const Attr *TypeView::find_sub(const Attr &complex, std::string_view name) {
    for (const Attr *sub : complex.subs)
        if (ascii_iequals(sub->def->name, name)) return sub;
    return nullptr;
}

const Attr *TypeView::find_part(const Attr &attr, std::string_view name) {
    if (attr.has_simple_elements()) return ascii_iequals(name, "value") ? &attr : nullptr;
    return find_sub(attr, name);
}

const Attr *TypeView::indexed(AttrNumber number) const {
    if (const Attr *attr = by_number(number)) return attr;
    for (const Attr &attr : undeclared_)
        if (attr.number == number) return &attr;
    return nullptr;
}

const std::vector<std::string> &TypeView::member_types() const {
    static const std::vector<std::string> none;
    const Attr *ref = members != nullptr ? find_sub(*members, "$ref") : nullptr;
    return ref != nullptr ? ref->def->reference_types : none;
}

bool TypeView::extension_required(int bit) const {
    if (bit < 0 || size_t(bit) >= extension_bits.size()) return false;
    for (const SchemaExtension &e : type.extensions)
        if (ascii_iequals(e.schema, extension_bits[size_t(bit)])) return e.required;
    return false;
}

// Catalog

const TypeView *Catalog::type_by_endpoint(std::string_view segment) const {
    for (const auto &t : types_) {
        std::string_view endpoint = t->type.endpoint;
        if (!endpoint.empty() && endpoint.substr(1) == segment) return t.get();
    }
    return nullptr;
}

const TypeView *Catalog::type_by_name(std::string_view name) const {
    for (const auto &t : types_)
        if (t->type.name == name) return t.get();
    return nullptr;
}

const TypeView *Catalog::type_by_number(TypeNumber number) const {
    for (const auto &t : types_)
        if (t->number == number) return t.get();
    return nullptr;
}

const Schema *Catalog::schema(std::string_view urn) const {
    for (const Schema *s : schemas_)
        if (ascii_iequals(s->id, urn)) return s;
    return nullptr;
}

std::vector<const IndexDef *> Catalog::indexes(TypeNumber type) const {
    std::vector<const IndexDef *> all;
    for (const IndexDef &i : rows_.indexes)
        if (i.type == type) all.push_back(&i);
    return all;
}

}  // namespace scim
