#include "scim/schema/check_schemas.h"

#include <algorithm>

#include "scim/schema/roles.h"
#include "scim/text/nearest.h"

namespace scim {

namespace {

std::string named(const Schema &schema, const Attribute *parent, const Attribute &def) {
    return "the attribute " + quoted(parent ? parent->name + "." + def.name : def.name) + " of " +
           quoted(schema.id);
}

// Calls `check(parent, attribute)` for all attributes and their sub-attributes until it fails;
// `parent` is nullptr for a top-level attribute.
template <class Check>
Outcome for_each(const Schema &schema, Check &&check) {
    for (const Attribute &top : schema.attributes) {
        if (auto r = check(nullptr, top); !r) return r;
        for (const Attribute &sub : top.sub_attributes)
            if (auto r = check(&top, sub); !r) return r;
    }
    return Done{};
}

bool is_hidden(const Attribute &def) {
    return def.returned == Returned::never || def.mutability == Mutability::write_only;
}

bool is_computed(const Attribute &def) {
    return def.mutability == Mutability::read_only || is_members(def) || is_groups(def);
}

std::string why_not_unique(const Attribute *parent, const Attribute &def) {
    auto any = [&](bool (*is)(const Attribute &)) { return is(def) || (parent && is(*parent)); };
    if (def.uniqueness == Uniqueness::global)
        return "which one server cannot enforce: use \"server\"";
    if (any(is_computed)) return "but clients cannot write it: use \"none\"";
    if (any(is_hidden))
        return "but it is never returned, and a refusal would reveal its values: use \"none\"";
    return {};
}

const Schema *find(const std::vector<Schema> &schemas, std::string_view urn) {
    for (const Schema &schema : schemas)
        if (ascii_iequals(schema.id, urn)) return &schema;
    return nullptr;
}

// True if `path` is the name of an attribute, or of an attribute and its part.
bool has_path(const std::vector<Attribute> &attributes, std::string_view path) {
    for (const Attribute &top : attributes) {
        const bool has_value = top.multi_valued && top.type != AttrType::complex;
        if (ascii_iequals(top.name, path)) return true;
        if (has_value && ascii_iequals(top.name + ".value", path)) return true;
        for (const Attribute &sub : top.sub_attributes)
            if (ascii_iequals(top.name + '.' + sub.name, path)) return true;
    }
    return false;
}

size_t unique_attributes(const Schema *schema) {
    size_t count = 0;
    if (schema == nullptr) return 0;
    for (const Attribute &top : schema->attributes) {
        count += top.uniqueness != Uniqueness::none;
        for (const Attribute &sub : top.sub_attributes) count += sub.uniqueness != Uniqueness::none;
    }
    return count;
}

template <class AnyAttribute>
AnyAttribute *part_of(AnyAttribute &def, std::string_view name) {
    for (auto &sub : def.sub_attributes)
        if (sub.name == name) return &sub;
    return nullptr;
}

// The resource types that the `groups` of a schema refer to.
std::vector<std::string> group_types(const Schema &schema) {
    for (const Attribute &top : schema.attributes)
        if (is_groups(top)) return part_of(top, "$ref")->reference_types;
    return {};
}

void add_name(std::vector<std::string> &names, const std::string &name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

void admit(Schema &groups, const std::string &member) {
    for (Attribute &top : groups.attributes) {
        if (!is_members(top)) continue;
        add_name(part_of(top, "$ref")->reference_types, member);
        Attribute *type = part_of(top, "type");
        if (type != nullptr && !type->canonical_values.empty())
            add_name(type->canonical_values, member);
    }
}

}  // namespace

Outcome check_uniqueness(const Schema &schema) {
    return for_each(schema, [&](const Attribute *parent, const Attribute &def) -> Outcome {
        if (def.uniqueness == Uniqueness::none) return Done{};
        const std::string why = why_not_unique(parent, def);
        if (why.empty()) return Done{};
        return Error{Refusal::configuration_invalid,
                     named(schema, parent, def) + " has \"uniqueness\": \"" +
                         std::string(to_string(def.uniqueness)) + "\", " + why};
    });
}

Outcome check_references(const Schema &schema, const std::vector<ResourceType> &types) {
    std::vector<std::string_view> known = {"external", "uri"};
    for (const ResourceType &type : types) known.emplace_back(type.name);
    return for_each(schema, [&](const Attribute *parent, const Attribute &def) -> Outcome {
        for (const std::string &name : def.reference_types) {
            if (std::find(known.begin(), known.end(), name) != known.end()) continue;
            return Error{Refusal::configuration_invalid,
                         named(schema, parent, def) + " has " + quoted(name) +
                             " in \"referenceTypes\", which is neither a resource type nor "
                             "\"external\" or \"uri\"" +
                             did_you_mean(name, known)};
        }
        return Done{};
    });
}

Outcome check_urns(const ResourceType &type, const std::vector<Schema> &schemas) {
    std::vector<const Schema *> used = {find(schemas, type.schema)};
    for (const SchemaExtension &e : type.extensions) used.push_back(find(schemas, e.schema));
    for (const Schema *one : used) {
        const size_t colon = one->id.rfind(':');
        const std::string urn = one->id.substr(0, colon), path = one->id.substr(colon + 1);
        for (const Schema *other : used) {
            if (!ascii_iequals(other->id, urn)) continue;
            if (!has_path(other->attributes, path) &&
                (other != used[0] || !has_path(common_attributes(), path)))
                continue;
            return Error{Refusal::configuration_invalid,
                         "the resource type " + quoted(type.name) + " cannot use the schema " +
                             quoted(one->id) +
                             ", because this is also the path of an attribute of " +
                             quoted(other->id)};
        }
    }
    return Done{};
}

Outcome check_limits(const Declaration &declaration) {
    if (declaration.types.size() > max_types)
        return Error{Refusal::configuration_invalid,
                     "there are " + std::to_string(declaration.types.size()) +
                         " resource types, the built-in ones included; at most " +
                         std::to_string(max_types) + " are allowed"};
    for (const ResourceType &type : declaration.types) {
        size_t count = unique_attributes(find(declaration.schemas, type.schema));
        for (const SchemaExtension &e : type.extensions)
            count += unique_attributes(find(declaration.schemas, e.schema));
        if (count > max_unique)
            return Error{Refusal::configuration_invalid,
                         "the resource type " + quoted(type.name) + " has " +
                             std::to_string(count) + " unique attributes; at most " +
                             std::to_string(max_unique) + " are allowed"};
    }
    return Done{};
}

void admit_members(Declaration &declaration, size_t builtin) {
    for (const ResourceType &type : declaration.types)
        for (const std::string &name : group_types(*find(declaration.schemas, type.schema)))
            for (const ResourceType &groups : declaration.types)
                for (size_t i = 0; i < builtin && groups.name == name; i++)
                    if (ascii_iequals(declaration.schemas[i].id, groups.schema))
                        admit(declaration.schemas[i], type.name);
}

}  // namespace scim
