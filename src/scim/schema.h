#pragma once
// Schemas and resource types as RFC 7643 sections 6 and 7 define them: the built-in ones and those
// an operator adds come through the same loader.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scim/json.h"
#include "scim/result.h"

namespace scim {

enum class Type : uint8_t {
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

// The RFC's own word: "dateTime", "readOnly", "default", …
std::string_view to_string(Type type);
std::string_view to_string(Mutability mutability);
std::string_view to_string(Returned returned);
std::string_view to_string(Uniqueness uniqueness);

// What a type has by its nature (RFC 7643 2.3): elsewhere `caseExact` and `uniqueness` are neither
// enforced nor published.
constexpr bool has_case(Type type) {
    return type == Type::string || type == Type::binary || type == Type::reference;
}
constexpr bool has_uniqueness(Type type) { return type != Type::boolean && type != Type::complex; }

struct Attribute {
    std::string name;
    Type type = Type::string;
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
    std::string name;  // and id (S-203)
    std::string description;
    std::string endpoint;  // "/Users"
    std::string schema;    // the URN
    std::vector<SchemaExtension> extensions;
};

// Defaults are RFC 7643 2.2's where a definition is silent; binary and reference are always
// caseExact (E6001). A definition that contradicts itself (a complex sub-attribute, sub-attributes
// of a string, an unknown keyword's value, two names that differ by case alone, a name outside the
// grammar, more than 256 attributes with their parts) is an error whose detail names the attribute.
// Unknown keywords are ignored (S-200). Extension sub-attributes of the name grammar may start with
// "$" only for `$ref`.
Result<Schema> load_schema(const json_t *definition);
Result<ResourceType> load_resource_type(const json_t *definition);

// A Schema or ResourceType resource (RFC 7643 7, 6): which one, `schemas` says, or else the shape.
struct Definition {
    enum class Kind { schema, resource_type } kind = Kind::schema;
    Schema schema;
    ResourceType resource_type;
};
// From the bytes of a file; the detail of an error says
// what is wrong and where, without the file's name.
Result<Definition> load_definition(std::string_view bytes);

// The Schema resource without `meta` (RFC 7643 7, with errata E8417 etc. applied):
// every characteristic is spelled out.
// The text ends before the closing brace, so that the caller can add `meta`.
void write_schema(std::string &out, const Schema &schema);
void write_resource_type(std::string &out, const ResourceType &type);

// What every directory has: User with the enterprise extension and Group (RFC 7643 4, errata of
// S-226 applied, canonicalValues published), and the schemas of the discovery resources themselves (RFC
// 7643 5, 6, 7).
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
