#pragma once
// Attributes that the server treats specially. They are recognised by name and definition, in any
// schema: nothing depends on a URN.

#include <string>

#include "scim/schema/schema.h"

namespace scim {

// The members of a group, which are rows of the store.
bool is_members(const Attribute &def);

// The groups that a resource is a member of, which are computed from those rows.
bool is_groups(const Attribute &def);

// A reference to a resource of the same type, `type_name`, whose URL and name are computed from its
// id.
bool is_manager(const Attribute &def, const std::string &type_name);

// The name of a user, which is compared by the rules of PRECIS (RFC 8265). This does not depend on
// its uniqueness, which may be declared later: index rows depend on it.
bool is_user_name(const Attribute &def);

// A password, which is accepted and not stored.
bool is_password(const Attribute &def);

}  // namespace scim
