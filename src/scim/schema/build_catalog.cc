// Catalog::build(): makes the views of the resource types from the rows of the catalog.

#include <algorithm>
#include <set>

#include "scim/schema/attr_numbers.h"
#include "scim/schema/catalog.h"
#include "scim/schema/roles.h"

namespace scim {

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
    void add_undeclared();
    void note_unenforced(const TypeView &type, const Attr &attr);

    Catalog &catalog_;
    const CatalogRows &rows_;
    AttrNumbers numbers_;
    TypeView *view_ = nullptr;  // the type being built
};

namespace {

Error broken(std::string detail) {
    return Error{Refusal::catalog_damaged, "the catalog is damaged: " + std::move(detail)};
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

    for (const auto &row : rows_.types) {
        if (!row.declared) {
            catalog_.undeclared_types_.push_back(row.number);
            continue;
        }
        if (auto r = add_type(row); !r) return r;
    }
    auto &types = catalog_.types_;
    std::sort(types.begin(), types.end(),
              [](const auto &a, const auto &b) { return a->number < b->number; });
    for (const IndexDef &index : rows_.indexes)
        if (index.state == IndexState::dropping ||
            (index.state == IndexState::building && catalog_.type_by_number(index.type)))
            catalog_.unfinished_.push_back(&index);
    for (const auto &type : types)
        for (const Attr &attr : type->attrs) note_unenforced(*type, attr);
    return Done{};
}

// Publishes "uniqueness": "none" for an attribute whose uniqueness is not enforced.
void CatalogBuilder::note_unenforced(const TypeView &type, const Attr &attr) {
    const bool is_enforced = attr.index != nullptr && attr.index->is_enforced();
    if (attr.def->uniqueness == Uniqueness::none || is_enforced || &attr == type.id) return;
    const std::string &urn =
        attr.extension < 0 ? type.type.schema : type.extension_bits[size_t(attr.extension)];
    for (const Schema *&schema : catalog_.schemas_) {
        if (!ascii_iequals(schema->id, urn)) continue;
        catalog_.published_.push_back(*schema);
        Schema &copy = catalog_.published_.back();
        schema = &copy;
        for (Attribute &top : copy.attributes) {
            if (top.name != attr.top().def->name) continue;
            if (attr.parent == nullptr) top.uniqueness = Uniqueness::none;
            for (Attribute &sub : top.sub_attributes)
                if (attr.parent != nullptr && sub.name == attr.def->name)
                    sub.uniqueness = Uniqueness::none;
        }
    }
}

// Indexes whose attribute is not declared now: their rows are maintained, too, so that they are
// right when it is declared again.
void CatalogBuilder::add_undeclared() {
    for (const IndexDef &index : rows_.indexes) {
        if (index.type != view_->number || view_->by_number(index.attr) != nullptr ||
            index.kind != IndexKind::value)
            continue;
        for (const auto &row : rows_.attrs) {
            if (row.number != index.attr) continue;
            Attribute &def = view_->undeclared_defs_.emplace_back();
            def.name = row.path;
            def.type = row.type;
            def.multi_valued = row.multi_valued;
            def.case_exact = row.case_exact;
            Attr &attr = view_->undeclared_.emplace_back();
            attr.number = row.number;
            attr.def = &def;
            attr.matching = matching_of(attr);
            attr.index = &index;
            attr.path = row.schema + ":" + row.path;
        }
    }
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
    add_undeclared();
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
        for (const Attr *sub : attr.subs)
            if (sub->shown_by_default()) view_->shown_always.add(sub->rank);
    }
}

// An index that is being dropped is not used by queries. Writers find it in Catalog::indexes().
void CatalogBuilder::note_index(Attr &attr) const {
    for (const IndexDef &i : rows_.indexes)
        if (i.type == view_->number && i.attr == attr.number && i.state != IndexState::dropping)
            (i.kind == IndexKind::value ? attr.index : attr.substring) = &i;
}

Result<std::shared_ptr<const Catalog>> Catalog::build(CatalogRows rows) {
    auto catalog = std::make_shared<Catalog>();
    catalog->rows_ = std::move(rows);
    RETURN_IF_ERROR(CatalogBuilder(*catalog).build());
    return std::shared_ptr<const Catalog>(std::move(catalog));
}

}  // namespace scim
