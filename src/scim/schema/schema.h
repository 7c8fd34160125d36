#pragma once
// Schemas and resource types (RFC 7643 6 and 7). The built-in definitions and an operator's files
// are read by the same loader.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scim/text/json.h"
#include "scim/text/result.h"

namespace scim {

enum class AttrType : uint8_t {
    string,
    boolean,
    decimal,
    integer,
    date_time,
    binary,
    reference,
    complex
};
enum class Mutability : uint8_t { read_only, read_write, immutable, write_only };
enum class Returned : uint8_t { always, never, by_default, on_request };
enum class Uniqueness : uint8_t { none, server, global };

// The keyword of RFC 7643: "dateTime", "readOnly", "default", …
std::string_view to_string(AttrType type);
std::string_view to_string(Mutability mutability);
std::string_view to_string(Returned returned);
std::string_view to_string(Uniqueness uniqueness);

// The data types to which `caseExact` and `uniqueness` apply (RFC 7643 2.3). For other types they
// are neither enforced nor published.
constexpr bool has_case(AttrType type) {
    return type == AttrType::string || type == AttrType::binary || type == AttrType::reference;
}
constexpr bool has_uniqueness(AttrType type) {
    return type != AttrType::boolean && type != AttrType::complex;
}

struct Attribute {
    std::string name;
    AttrType type = AttrType::string;
    bool multi_valued = false;
    std::string description;
    bool required = false;
    std::vector<std::string> canonical_values;
    bool case_exact = false;
    Mutability mutability = Mutability::read_write;
    Returned returned = Returned::by_default;
    Uniqueness uniqueness = Uniqueness::none;
    std::vector<std::string> reference_types;
    std::vector<Attribute> sub_attributes;
};

struct Schema {
    std::string id;  // the URN
    std::string name;
    std::string description;
    std::vector<Attribute> attributes;
};

struct SchemaExtension {
    std::string schema;  // the URN
    bool required = false;
};

struct ResourceType {
    std::string name;  // also the id
    std::string description;
    std::string endpoint;  // "/Users"
    std::string schema;    // the URN
    std::vector<SchemaExtension> extensions;
};

// Missing characteristics have the defaults of RFC 7643 2.2; binary and reference are always
// caseExact (RFC 7643 2.3.6, 2.3.7). Refused with 400 invalidValue, with a detail that names the
// attribute: a complex sub-attribute, sub-attributes of a simple attribute, an unknown value of a
// keyword, an unknown keyword, two names that differ by case alone, a name outside the grammar
// (name.h), a URN or name of more than 300 characters, characteristics that contradict each other,
// and more than 256 attributes with their sub-attributes.
Result<Schema> load_schema(const json_t *definition);
Result<ResourceType> load_resource_type(const json_t *definition);

// A Schema or ResourceType resource (RFC 7643 7 and 6). `schemas` tells which; without it, the
// members "attributes" or "endpoint" do.
struct Definition {
    enum class Kind { schema, resource_type } kind = Kind::schema;
    Schema schema;
    ResourceType resource_type;
};
// Reads a definition from the content of a file. The detail of an error does not name the file.
Result<Definition> load_definition(std::string_view bytes);

// Appends the Schema or ResourceType resource (RFC 7643 7 and 6; with `schemas`, RFC 7643 erratum
// 8417), all characteristics included. The closing brace is left out, so that the caller can add
// `meta`.
void write_schema(std::string &out, const Schema &schema);
void write_resource_type(std::string &out, const ResourceType &type);

// The definitions of every store: User with the enterprise extension, Group (RFC 7643 4, with
// errata applied and canonicalValues), and the schemas of the discovery resources (RFC 7643 5, 6,
// 7).
const std::vector<Schema> &builtin_schemas();
const std::vector<ResourceType> &builtin_resource_types();

inline constexpr std::string_view schema_urn = "urn:ietf:params:scim:schemas:core:2.0:Schema";
inline constexpr std::string_view resource_type_urn =
    "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
inline constexpr std::string_view user_urn = "urn:ietf:params:scim:schemas:core:2.0:User";
inline constexpr std::string_view group_urn = "urn:ietf:params:scim:schemas:core:2.0:Group";
inline constexpr std::string_view enterprise_user_urn =
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

}  // namespace scim
