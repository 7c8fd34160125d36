#include "scim/schema/catalog.h"

#include <algorithm>
#include <initializer_list>
#include <set>

#include "scim/schema/attr_numbers.h"
#include "scim/schema/roles.h"

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

// Building

class CatalogBuilder {
  public:
    explicit CatalogBuilder(Catalog &catalog)
        : catalog_(catalog), rows_(catalog.rows_), numbers_(rows_.attrs) {}

    Outcome build();

  private:
    // The schema of an attribute.
    struct Origin {
        std::string_view schema;  // empty for common attributes
        int8_t extension = -1;
    };

    Outcome check_rows() const;
    Outcome add_type(const CatalogRows::TypeRow &row);
    Outcome add_extensions(const CatalogRows::TypeRow &row);
    Outcome add_top(const Origin &from, const Attribute &def);
    Result<Attr *> add(const Origin &from, const Attribute &def, Attr *parent);
    void name(const Attr &attr);
    void note_index(Attr &attr) const;
    void note_sets();

    Catalog &catalog_;
    const CatalogRows &rows_;
    AttrNumbers numbers_;
    TypeView *view_ = nullptr;  // the type being built
};

namespace {

Error broken(std::string detail) {
    return Error{500, ScimType::none, "the catalog is damaged: " + std::move(detail), 0};
}

template <class Rows>
Outcome check_numbers(const Rows &rows, std::string_view what) {
    std::set<uint16_t> seen;
    for (const auto &row : rows)
        if (row.number == 0 || !seen.insert(row.number).second)
            return broken(std::string(what) + " number " + std::to_string(row.number) +
                          (row.number ? " occurs twice" : " is not a number"));
    return Done{};
}

Matching matching_of(const Attr &attr) {
    AttrType type = attr.def->type;
    if (attr.def->case_exact || type == AttrType::binary || type == AttrType::reference)
        return Matching::exact;
    return !attr.parent && is_user_name(*attr.def) ? Matching::username : Matching::folded;
}

}  // namespace

Outcome CatalogBuilder::check_rows() const {
    if (auto r = check_numbers(rows_.schemas, "schema"); !r) return r;
    if (auto r = check_numbers(rows_.types, "resource type"); !r) return r;
    if (auto r = check_numbers(rows_.attrs, "attribute"); !r) return r;
    if (auto r = check_numbers(rows_.indexes, "index"); !r) return r;
    std::set<uint16_t> types, attrs;
    for (const auto &t : rows_.types) types.insert(t.number);
    for (const auto &a : rows_.attrs) attrs.insert(a.number);
    for (const IndexDef &i : rows_.indexes)
        if (!types.count(i.type) || !attrs.count(i.attr))
            return broken("index " + std::to_string(i.number) + " is of an unknown attribute");
    return Done{};
}

Outcome CatalogBuilder::build() {
    if (auto r = check_rows(); !r) return r;

    std::vector<const CatalogRows::SchemaRow *> schemas;
    for (const auto &row : rows_.schemas)
        if (row.declared) schemas.push_back(&row);
    std::sort(schemas.begin(), schemas.end(),
              [](auto *a, auto *b) { return a->number < b->number; });
    for (auto *row : schemas) catalog_.schemas_.push_back(&row->schema);

    for (const auto &row : rows_.types)
        if (row.declared)
            if (auto r = add_type(row); !r) return r;
    auto &types = catalog_.types_;
    std::sort(types.begin(), types.end(),
              [](const auto &a, const auto &b) { return a->number < b->number; });
    return Done{};
}

Outcome CatalogBuilder::add_type(const CatalogRows::TypeRow &row) {
    view_ = catalog_.types_.emplace_back(std::make_unique<TypeView>()).get();
    view_->number = row.number;
    view_->type = row.type;
    view_->extension_bits = row.extension_bits;

    const Schema *base = catalog_.schema(row.type.schema);
    if (!base) return broken("resource type " + quoted(row.type.name) + " has no schema");

    // Canonical order: meta is last, as in the examples of RFC 7643.
    const std::vector<Attribute> &common = common_attributes();
    for (size_t i = 0; i + 1 < common.size(); i++)
        if (auto r = add_top({}, common[i]); !r) return r;
    for (const Attribute *def : own_attributes(*base))
        if (auto r = add_top({base->id}, *def); !r) return r;
    if (auto r = add_extensions(row); !r) return r;
    if (auto r = add_top({}, common.back()); !r) return r;

    note_sets();
    view_->schemas = view_->find("schemas");
    view_->id = view_->find("id");
    view_->external_id = view_->find("externalId");
    view_->display_name = view_->find_core("displayName");
    view_->user_name = view_->find_core("userName");
    view_->active = view_->find_core("active");
    for (const Attr &attr : view_->attrs) {
        if (attr.parent != nullptr) continue;
        if (attr.extension < 0 && is_members(*attr.def)) view_->members = &attr;
        if (attr.extension < 0 && is_groups(*attr.def)) view_->groups = &attr;
        if (view_->manager == nullptr && is_manager(*attr.def, view_->type.name))
            view_->manager = &attr;
    }
    if (view_->members != nullptr) catalog_.group_types_.push_back(view_);
    view_->meta = view_->find("meta");
    return Done{};
}

Outcome CatalogBuilder::add_extensions(const CatalogRows::TypeRow &row) {
    if (row.extension_bits.size() > max_extensions)
        return broken("resource type " + quoted(row.type.name) + " has too many extensions");
    size_t found = 0;
    for (size_t bit = 0; bit < row.extension_bits.size(); bit++) {
        const std::string &urn = row.extension_bits[bit];
        bool declared =
            std::any_of(row.type.extensions.begin(), row.type.extensions.end(),
                        [&](const SchemaExtension &e) { return ascii_iequals(e.schema, urn); });
        if (!declared) continue;  // no longer declared: its data is hidden
        const Schema *schema = catalog_.schema(urn);
        if (!schema) return broken("extension " + quoted(urn) + " has no schema");
        view_->extension_bits[bit] = schema->id;  // in the current spelling
        view_->extension_by_urn_.emplace(ascii_lower(urn), int(bit));
        for (const Attribute &def : schema->attributes)
            if (auto r = add_top({schema->id, int8_t(bit)}, def); !r) return r;
        found++;
    }
    if (found != row.type.extensions.size())
        return broken("an extension of " + quoted(row.type.name) + " has no bit");
    return Done{};
}

Outcome CatalogBuilder::add_top(const Origin &from, const Attribute &def) {
    Result<Attr *> top = add(from, def, nullptr);
    RETURN_IF_ERROR(top);
    for (const Attribute &sub : def.sub_attributes) {
        Result<Attr *> part = add(from, sub, *top);
        RETURN_IF_ERROR(part);
        (*top)->subs.push_back(*part);
    }
    return Done{};
}

Result<Attr *> CatalogBuilder::add(const Origin &from, const Attribute &def, Attr *parent) {
    std::string path = local_path(parent ? parent->def : nullptr, def);
    AttrNumber number = numbers_.find(from.schema, path, def);
    if (number == no_attr) return broken("attribute " + quoted(path) + " has no number");

    Attr &attr = view_->attrs.emplace_back();
    attr.number = number;
    attr.def = &def;
    attr.parent = parent;
    attr.rank = uint16_t(view_->attrs.size() - 1);
    attr.extension = from.extension;
    bool common = from.schema.empty();
    // The server computes the values of readOnly attributes.
    attr.computed = (parent && parent->computed) || def.mutability == Mutability::read_only ||
                    (common && def.name == "schemas") ||
                    (from.extension < 0 && !parent && is_members(def)) ||
                    (parent && def.name == "$ref" && is_manager(*parent->def, view_->type.name));
    attr.discarded = from.extension < 0 && !parent && is_password(def);
    attr.matching = matching_of(attr);
    attr.path =
        from.extension < 0 ? std::move(path) : std::string(from.schema) + ":" + std::move(path);
    note_index(attr);

    auto &by_number = view_->by_number_;
    if (by_number.size() <= number) by_number.resize(size_t(number) + 1);
    if (by_number[number]) return broken("attribute " + quoted(attr.path) + " occurs twice");
    by_number[number] = &attr;
    name(attr);
    return &attr;
}

void CatalogBuilder::name(const Attr &attr) {
    std::vector<std::string> paths{ascii_lower(attr.path)};
    if (attr.has_simple_elements()) paths.push_back(paths[0] + ".value");
    for (std::string &path : paths) {
        if (attr.extension < 0)
            view_->by_path_.emplace(ascii_lower(view_->type.schema) + ":" + path, &attr);
        view_->by_path_.emplace(std::move(path), &attr);
    }
}

void CatalogBuilder::note_sets() {
    const AttrSet none(view_->attrs.size());
    view_->shown_by_default = view_->shown_always = view_->stored = none;
    for (const Attr &attr : view_->attrs) {
        if (attr.stored()) view_->stored.add(attr.rank);
        if (attr.shown_by_default()) view_->shown_by_default.add(attr.rank);
        if (!attr.shown_always()) continue;
        view_->shown_always.add(attr.rank);
        if (attr.parent) view_->shown_always.add(attr.parent->rank);
    }
}

// An index that is being dropped is not used by queries. Writers find it in Catalog::indexes().
void CatalogBuilder::note_index(Attr &attr) const {
    for (const IndexDef &i : rows_.indexes)
        if (i.type == view_->number && i.attr == attr.number && i.state != IndexState::dropping)
            attr.index = &i;
}

Result<std::shared_ptr<const Catalog>> Catalog::build(CatalogRows rows) {
    auto catalog = std::make_shared<Catalog>();
    catalog->rows_ = std::move(rows);
    RETURN_IF_ERROR(CatalogBuilder(*catalog).build());
    return std::shared_ptr<const Catalog>(std::move(catalog));
}

}  // namespace scim
