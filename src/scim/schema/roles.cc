#include "scim/schema/roles.h"

#include <algorithm>

namespace scim {

namespace {

const Attribute *part_of(const Attribute &def, std::string_view name) {
    for (const Attribute &part : def.sub_attributes)
        if (part.name == name) return &part;
    return nullptr;
}

// A complex attribute that refers to resources: `value` is an id, and the reference types of `$ref`
// are the resource types.
bool refers_to_resources(const Attribute &def) {
    const Attribute *ref = part_of(def, "$ref");
    return def.type == AttrType::complex && part_of(def, "value") != nullptr && ref != nullptr &&
           !ref->reference_types.empty();
}

}  // namespace

bool is_members(const Attribute &def) {
    return def.name == "members" && def.multi_valued && refers_to_resources(def);
}

bool is_groups(const Attribute &def) {
    return def.name == "groups" && def.multi_valued && def.mutability == Mutability::read_only &&
           refers_to_resources(def);
}

bool is_manager(const Attribute &def, const std::string &type_name) {
    if (def.name != "manager" || def.multi_valued || !refers_to_resources(def)) return false;
    const auto &types = part_of(def, "$ref")->reference_types;
    return std::find(types.begin(), types.end(), type_name) != types.end();
}

bool is_user_name(const Attribute &def) {
    return def.name == "userName" && def.type == AttrType::string;
}

bool is_password(const Attribute &def) {
    return def.name == "password" && def.mutability == Mutability::write_only;
}

}  // namespace scim
