// make_declaration() and declare(): how the catalog is created and changed.

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "scim/schema/attr_numbers.h"
#include "scim/schema/catalog.h"
#include "scim/schema/check_schemas.h"
#include "scim/schema/declare_indexes.h"

namespace scim {

// make_declaration()

namespace {

template <class Schemas>
auto find_schema(Schemas &schemas, std::string_view urn) -> decltype(&schemas.front()) {
    for (auto &s : schemas)
        if (ascii_iequals(s.id, urn)) return &s;
    return nullptr;
}

bool extends(const ResourceType &type, std::string_view urn) {
    for (const SchemaExtension &e : type.extensions)
        if (ascii_iequals(e.schema, urn)) return true;
    return false;
}

bool is_named(const std::vector<ResourceType> &types, std::string_view urn) {
    for (const ResourceType &t : types)
        if (ascii_iequals(t.schema, urn) || extends(t, urn)) return true;
    return false;
}

bool ends_in_name(std::string_view urn, std::string_view name) {
    return urn.size() > name.size() && urn[urn.size() - name.size() - 1] == ':' &&
           ascii_iequals(urn.substr(urn.size() - name.size()), name);
}

// Adds a resource type, or, if its name is known, its extensions. The endpoint and schema of a
// known type must be the same.
Outcome add_type(std::vector<ResourceType> &types, const ResourceType &added) {
    auto known = std::find_if(types.begin(), types.end(),
                              [&](const ResourceType &t) { return t.name == added.name; });
    if (known == types.end()) {
        types.push_back(added);
        return Done{};
    }
    if (known->endpoint != added.endpoint || !ascii_iequals(known->schema, added.schema))
        return Error{Refusal::configuration_invalid,
                     "the resource type " + quoted(added.name) + " has the endpoint " +
                         quoted(known->endpoint) + " and the schema " + quoted(known->schema) +
                         " already; a second definition can only add extensions"};
    for (const SchemaExtension &e : added.extensions) {
        auto same = std::find_if(known->extensions.begin(), known->extensions.end(),
                                 [&](const auto &k) { return ascii_iequals(k.schema, e.schema); });
        if (same == known->extensions.end())
            known->extensions.push_back(e);
        else
            same->required |= e.required;
    }
    return Done{};
}

// Makes a schema that no ResourceType names an extension of the type whose name its URN ends in. If
// there is no such type, the schema would be published but never used: it is refused.
Outcome attach(std::vector<ResourceType> &types, const Schema &schema) {
    if (is_named(types, schema.id)) return Done{};
    for (ResourceType &t : types) {
        if (!ends_in_name(schema.id, t.name)) continue;
        t.extensions.push_back({schema.id, false});
        return Done{};
    }
    return Error{
        Refusal::configuration_invalid,
        "the schema " + quoted(schema.id) +
            " extends no resource type: end its URN in \":User\" or another type's name, or "
            "name it in a ResourceType"};
}

// Sub-attributes of a resource are never complex (RFC 7643 2.3.8); only the schemas of the
// discovery resources have such sub-attributes.
Outcome check_flat(const Schema &schema, const ResourceType &type) {
    for (const Attribute &a : schema.attributes)
        for (const Attribute &sub : a.sub_attributes)
            if (sub.type == AttrType::complex)
                return Error{Refusal::configuration_invalid,
                             "the resource type " + quoted(type.name) + " cannot use the schema " +
                                 quoted(schema.id) + ", whose attribute " +
                                 quoted(a.name + "." + sub.name) + " is complex"};
    return Done{};
}

Outcome check_schemas_of(const ResourceType &type, const std::vector<Schema> &schemas) {
    std::vector<std::string_view> urns = {type.schema};
    for (const SchemaExtension &e : type.extensions) urns.push_back(e.schema);
    std::set<std::string> seen;
    for (std::string_view urn : urns) {
        const Schema *schema = find_schema(schemas, urn);
        if (!schema)
            return Error{Refusal::configuration_invalid, "the resource type " + quoted(type.name) +
                                                             " uses the schema " + quoted(urn) +
                                                             ", which is not defined"};
        if (!seen.insert(ascii_lower(urn)).second)
            return Error{Refusal::configuration_invalid, "the resource type " + quoted(type.name) +
                                                             " uses the schema " + quoted(urn) +
                                                             " twice"};
        if (auto r = check_flat(*schema, type); !r) return r;
    }
    return Done{};
}

Outcome check_endpoints(const std::vector<ResourceType> &types) {
    std::set<std::string> taken;
    for (const ResourceType &t : types) {
        // Endpoints must differ by more than case, because clients may confuse the cases.
        if (!taken.insert(ascii_lower(t.endpoint)).second)
            return Error{Refusal::configuration_invalid,
                         "the resource type " + quoted(t.name) + " has the endpoint " +
                             quoted(t.endpoint) + ", which another resource type has already"};
    }
    return Done{};
}

}  // namespace

Result<Declaration> make_declaration(uint64_t generation,
                                     const std::vector<Definition> &definitions) {
    Declaration d{generation, builtin_schemas(), builtin_resource_types(), {}};
    const size_t builtin = d.schemas.size();
    for (const Definition &def : definitions) {
        if (def.kind == Definition::Kind::resource_type) {
            RETURN_IF_ERROR(add_type(d.types, def.resource_type));
            continue;
        }
        if (find_schema(d.schemas, def.schema.id))
            return Error{Refusal::configuration_invalid,
                         "the schema " + quoted(def.schema.id) + " is defined already"};
        RETURN_IF_ERROR(check_uniqueness(def.schema));
        d.schemas.push_back(def.schema);
    }
    for (size_t i = builtin; i < d.schemas.size(); i++)
        RETURN_IF_ERROR(attach(d.types, d.schemas[i]));
    for (const ResourceType &t : d.types) {
        RETURN_IF_ERROR(check_schemas_of(t, d.schemas));
        RETURN_IF_ERROR(check_urns(t, d.schemas));
    }
    RETURN_IF_ERROR(check_endpoints(d.types));
    RETURN_IF_ERROR(check_limits(d));
    for (size_t i = builtin; i < d.schemas.size(); i++)
        RETURN_IF_ERROR(check_references(d.schemas[i], d.types));
    admit_members(d, builtin);
    return d;
}

// Comparison

namespace {

template <class T>
bool same_list(const std::vector<T> &a, const std::vector<T> &b);

auto fields(const Attribute &a) {
    return std::tie(a.name, a.type, a.multi_valued, a.description, a.required, a.canonical_values,
                    a.case_exact, a.mutability, a.returned, a.uniqueness, a.reference_types);
}

bool same(const Attribute &a, const Attribute &b) {
    return fields(a) == fields(b) && same_list(a.sub_attributes, b.sub_attributes);
}

bool same(const Schema &a, const Schema &b) {
    return std::tie(a.id, a.name, a.description) == std::tie(b.id, b.name, b.description) &&
           same_list(a.attributes, b.attributes);
}

bool same(const SchemaExtension &a, const SchemaExtension &b) {
    return a.schema == b.schema && a.required == b.required;
}

bool same(const ResourceType &a, const ResourceType &b) {
    return std::tie(a.name, a.description, a.endpoint, a.schema) ==
               std::tie(b.name, b.description, b.endpoint, b.schema) &&
           same_list(a.extensions, b.extensions);
}

bool same(const CatalogRows::SchemaRow &a, const CatalogRows::SchemaRow &b) {
    return a.declared == b.declared && same(a.schema, b.schema);
}

bool same(const CatalogRows::TypeRow &a, const CatalogRows::TypeRow &b) {
    return a.declared == b.declared && a.extension_bits == b.extension_bits && same(a.type, b.type);
}

template <class T>
bool same_list(const std::vector<T> &a, const std::vector<T> &b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const T &x, const T &y) { return same(x, y); });
}

// Attributes are only added, never changed: it is enough to compare their numbers.
bool same_content(const CatalogRows &a, const CatalogRows &b) {
    return same_list(a.schemas, b.schemas) && same_list(a.types, b.types) &&
           a.attrs.size() == b.attrs.size();
}

// Adding rows

CatalogRows::TypeRow *type_row(CatalogRows &rows, std::string_view name) {
    for (auto &row : rows.types)
        if (row.type.name == name) return &row;
    return nullptr;
}

void declare_schemas(CatalogRows &rows, const std::vector<Schema> &wanted) {
    for (auto &row : rows.schemas) row.declared = false;
    for (const Schema &schema : wanted) {
        auto row = std::find_if(rows.schemas.begin(), rows.schemas.end(), [&](const auto &r) {
            return ascii_iequals(r.schema.id, schema.id);
        });
        if (row == rows.schemas.end()) {
            uint16_t number = next_number(rows.schemas);
            row = rows.schemas.insert(rows.schemas.end(), {number, {}, true});
        }
        row->schema = schema;
        row->declared = true;
    }
}

Outcome declare_types(CatalogRows &rows, const std::vector<ResourceType> &wanted) {
    for (auto &row : rows.types) row.declared = false;
    for (const ResourceType &type : wanted) {
        auto *row = type_row(rows, type.name);
        if (!row) {
            TypeNumber number = next_number(rows.types);
            row = &rows.types.emplace_back();
            row->number = number;
        }
        row->type = type;
        row->declared = true;
        auto &bits = row->extension_bits;
        for (const SchemaExtension &e : type.extensions)
            if (std::none_of(bits.begin(), bits.end(),
                             [&](const auto &urn) { return ascii_iequals(urn, e.schema); }))
                bits.push_back(e.schema);
        if (bits.size() > max_extensions)
            return Error{Refusal::configuration_invalid,
                         "the resource type " + quoted(type.name) + " would have " +
                             std::to_string(bits.size()) + " extensions, those of earlier " +
                             "configurations included; at most " + std::to_string(max_extensions) +
                             " are allowed"};
    }
    return Done{};
}

class Numbering {
  public:
    explicit Numbering(CatalogRows &rows)
        : rows_(rows), known_(rows.attrs), last_(largest_number(rows.attrs)) {}

    Outcome number(std::string_view schema, const Attribute &def) {
        if (auto r = one(schema, nullptr, def); !r) return r;
        for (const Attribute &sub : def.sub_attributes)
            if (auto r = one(schema, &def, sub); !r) return r;
        return Done{};
    }

  private:
    // A definition that had a number before gets the same number: values stored under it still fit
    // the definition.
    Outcome one(std::string_view schema, const Attribute *parent, const Attribute &def) {
        std::string path = local_path(parent, def);
        if (known_.find(schema, path, def) != no_attr) return Done{};
        if (last_ == std::numeric_limits<AttrNumber>::max())
            return Error{Refusal::configuration_invalid,
                         "there is no number left for the attribute " + quoted(path) + " of " +
                             quoted(schema)};
        rows_.attrs.push_back({++last_, std::string(schema), std::move(path), def.type,
                               def.multi_valued, def.case_exact});
        known_.add(rows_.attrs.back());
        return Done{};
    }

    CatalogRows &rows_;
    AttrNumbers known_;
    AttrNumber last_;
};

// Only the schemas of resource types need numbers: resources described by the discovery schemas are
// not stored.
Outcome number_attributes(CatalogRows &rows, const Declaration &wanted) {
    Numbering numbering(rows);
    for (const Attribute &def : common_attributes())
        if (auto r = numbering.number("", def); !r) return r;
    for (const ResourceType &type : wanted.types) {
        const Schema *base = find_schema(wanted.schemas, type.schema);
        if (!base) continue;  // Catalog::build() reports it
        for (const Attribute *def : own_attributes(*base))
            if (auto r = numbering.number(base->id, *def); !r) return r;
        for (const SchemaExtension &e : type.extensions) {
            const Schema *extension = find_schema(wanted.schemas, e.schema);
            if (!extension) continue;
            for (const Attribute &def : extension->attributes)
                if (auto r = numbering.number(extension->id, def); !r) return r;
        }
    }
    return Done{};
}

// Whether stored bodies can still be sent as they are

bool looks_same(const Attr &a, const Attr &b) {
    bool a_hidden = a.def->mutability == Mutability::write_only;
    bool b_hidden = b.def->mutability == Mutability::write_only;
    return a.number == b.number && a.path == b.path && a.def->returned == b.def->returned &&
           a_hidden == b_hidden;
}

// True if a body stored under `before` can be sent unchanged under `after`: all attributes of
// `before` are still declared, with the same spelling and order, and all others in `after` are new.
// An attribute that was declared earlier, dropped and declared again is not new: a body stored
// while it was not declared lacks values that its record still has.
bool presentable(const TypeView &before, const TypeView *after, AttrNumber last_number) {
    if (!after) return false;
    auto old = before.attrs.begin();
    auto skip_computed = [&] {
        while (old != before.attrs.end() && old->computed) ++old;
    };
    skip_computed();
    for (const Attr &now : after->attrs) {
        if (now.computed) continue;
        if (old != before.attrs.end() && looks_same(*old, now)) {
            ++old;
            skip_computed();
        } else if (now.number <= last_number) {
            return false;
        }
    }
    return old == before.attrs.end();
}

bool still_presentable(const Catalog &before, const Catalog &after) {
    const AttrNumber last = largest_number(before.rows().attrs);
    for (const auto &type : before.types())
        if (!presentable(*type, after.type_by_number(type->number), last)) return false;
    // A type that is declared again may have bodies of any earlier epoch.
    for (const auto &row : before.rows().types)
        if (!row.declared && after.type_by_number(row.number)) return false;
    return true;
}

}  // namespace

Result<std::optional<CatalogRows>> declare(const CatalogRows &rows,
                                           const Declaration &declaration) {
    const std::optional<CatalogRows> nothing;
    if (declaration.generation < rows.generation) return nothing;

    CatalogRows next = rows;
    declare_schemas(next, declaration.schemas);
    RETURN_IF_ERROR(declare_types(next, declaration.types));
    RETURN_IF_ERROR(number_attributes(next, declaration));
    const bool is_same = rows.epoch != 0 && same_content(rows, next);
    auto after = Catalog::build(next);
    RETURN_IF_ERROR(after);
    const bool retries = !is_same || declaration.generation > rows.generation;
    auto indexes = declare_indexes(rows, **after, declaration.indexes, retries);
    RETURN_IF_ERROR(indexes);
    if (is_same && *indexes == rows.indexes) return nothing;

    next.indexes = std::move(*indexes);
    next.generation = declaration.generation;
    next.epoch++;
    if (rows.epoch == 0) next.unicode = unicode_version();
    auto before = Catalog::build(rows);
    RETURN_IF_ERROR(before);
    if (!still_presentable(**before, **after)) next.shape_epoch = next.epoch;
    return std::optional<CatalogRows>(std::move(next));
}

}  // namespace scim
