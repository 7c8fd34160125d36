#pragma once
// Accepts request forms that deviate from RFC 7643 and 7644, and reports each under a short name
// (docs/deviations.md). Under `scim_profile rfc` (`strict`) no deviation is accepted: it is refused
// here, or the value is returned unchanged and refused by the type check that follows.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"
#include "scim/text/json.h"
#include "scim/text/result.h"

namespace scim {

// The elements of a multi-valued attribute in a request. A value that is not an array is the only
// element.
class Elements {
  public:
    explicit Elements(const json_t *value) : value_(value) {}

    size_t size() const { return json_is_array(value_) ? json_array_size(value_) : 1; }
    const json_t *operator[](size_t i) const {
        return json_is_array(value_) ? json_array_get(value_, i) : value_;
    }

  private:
    const json_t *value_;
};

class Dialect {
  public:
    // `report` must outlive the Dialect.
    Dialect(bool strict, DeviationReport &report) : strict_(strict), report_(report) {}

    bool strict() const { return strict_; }
    DeviationReport &report() const { return report_; }

    // Checks the "schemas" of a resource of `type` and returns the set of its extensions, by bit.
    // Deviations: schemas-missing, schemas-incomplete, unknown-schema, duplicate-schema,
    // single-value. A URN of SCIM 1.1 is always refused with a hint.
    Result<uint32_t> schemas(const TypeView &type, const json_t *schemas);

    // The same for a PATCH `add` to "schemas", which need not contain the schema of `type`.
    Outcome added_schemas(const TypeView &type, const json_t *schemas);

    // True if `schemas` contains a schema of `type`.
    static bool some_schema(const TypeView &type, const json_t *schemas);

    // Checks the "schemas" of a protocol message, such as a PatchOp, whose only schema is `urn`.
    // Deviations: schemas-missing, schemas-incomplete, unknown-schema, single-value. A URN of
    // SCIM 1.1 is always refused with a hint.
    Outcome message_schemas(std::string_view urn, const json_t *schemas);

    // The body contains an object of the extension `urn`, but "schemas" does not contain the URN:
    // extension-not-in-schemas.
    Outcome unannounced_extension(std::string_view urn);

    // An attribute that is not declared, by its path in the body: ignored and reported.
    Outcome unknown_attribute(const TypeView &type, std::string_view path);

    // The value of true or false, and of the strings "true" and "false" in any case:
    // string-boolean. nullopt for any other value.
    std::optional<bool> boolean(const json_t *value);

    // The number of this type in a string such as "3": string-number. Null for any other value.
    Json number(AttrType type, const json_t *value);

    // The object in a string that contains its JSON, if one of its keys is a part of `complex`:
    // json-text. Null for any other string.
    Json object_in_text(const Attr &complex, const json_t *string);

    // The object in an array of one element, where an object of attributes is expected:
    // array-of-one. Any other value is returned unchanged.
    const json_t *only_object(const json_t *value);

    // The elements of an array, or a value that was sent without the array: single-value. nullopt
    // if `value` is not an array and that is refused.
    std::optional<Elements> elements(const json_t *value);

    // The value in an array of one element, sent for a singular complex attribute that has a part
    // `value`, such as manager: array-of-one. Any other value is returned unchanged.
    const json_t *singular(const Attr &complex, const json_t *value);

    // The part `value` of `complex`, if a string was sent in place of an object: bare-value.
    // nullptr if there is no such part, `value` is not a string, or the string is the JSON of an
    // array.
    const Attr *bare_value(const Attr &complex, const json_t *value);

    // True if `value` is "" for the part `value` of a reference such as manager. It unassigns the
    // whole attribute: empty-reference.
    bool unassigns(const Attr &part, const json_t *value);

    // A PATCH remove with a value, which RFC 7644 does not define: remove-with-value.
    Outcome remove_with_value();

    // Any other deviation: reported as `name`, or refused.
    Outcome deviation(std::string_view name, std::string detail,
                      Refusal refusal = Refusal::syntax_deviation);

    // Any other deviation, for callers that make their own error: true if it is accepted, and then
    // reported as `name`.
    bool accepts(std::string_view name);

  private:
    Outcome one_schema(const TypeView &type, const json_t *urn, uint32_t &extensions, bool &base);

    bool strict_;
    DeviationReport &report_;
};

}  // namespace scim
