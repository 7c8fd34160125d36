#pragma once
// The one room where request forms that deviate from RFC 7643 and 7644 are read as what they mean,
// and reported by a short name (design section 5). Under `scim_profile rfc` nothing is: what
// deviates is refused here, or left as it is for the type check that follows.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "scim/catalog.h"
#include "scim/json.h"
#include "scim/resource.h"
#include "scim/result.h"

namespace scim {

// The elements of a multi-valued attribute as they were sent.
class Elements {
  public:
    explicit Elements(const json_t *value) : value_(value) {}

    // What is not an array stands for itself.
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
    Dialect(bool strict, Report &report) : strict_(strict), report_(report) {}

    bool strict() const { return strict_; }
    Report &report() const { return report_; }

    // "schemas" of a body of `type`: a set of the extensions it names, by bit. Deviations:
    // schemas-missing, schemas-incomplete, unknown-schema, duplicate-schema, single-value. A URN of
    // SCIM 1.1 is refused with a hint.
    Result<uint32_t> schemas(const TypeView &type, const json_t *schemas);

    // The same of an `add` to "schemas", which need not name the schema of `type`.
    Outcome added_schemas(const TypeView &type, const json_t *schemas);

    // True if one of them is a schema of `type`.
    static bool some_schema(const TypeView &type, const json_t *schemas);

    // "schemas" of a protocol message, such as a PatchOp, whose only schema is `urn`. Deviations:
    // schemas-missing, schemas-incomplete, unknown-schema, single-value. A URN of SCIM 1.1 is
    // refused with a hint.
    Outcome message_schemas(std::string_view urn, const json_t *schemas);

    // The body has an object of the extension `urn`, but its "schemas" does not say so:
    // extension-not-in-schemas (S-31).
    Outcome unannounced_extension(std::string_view urn);

    // An attribute that nobody declared, by its path in the body: ignored and reported.
    Outcome unknown_attribute(const TypeView &type, std::string_view path);

    // true, false, and "True" and its like: string-boolean. Nothing for anything else.
    std::optional<bool> boolean(const json_t *value);

    // A number of this type out of the string that holds it, such as "3": string-number. Nothing for
    // what is no such string.
    Json number(Type type, const json_t *value);

    // The object whose JSON the string is, if it has a part of `complex`: json-text. Nothing for any
    // other string.
    Json object_in_text(const Attr &complex, const json_t *string);

    // The object out of an array of one, where several attributes are expected: array-of-one. Any
    // other value as it is.
    const json_t *only_object(const json_t *value);

    // An array, or the only value without its brackets: single-value. Nothing if it is no array and
    // must be one.
    std::optional<Elements> elements(const json_t *value);

    // The value of a singular complex attribute that has a part `value`, out of the array of one
    // that manager is sometimes wrapped in: array-of-one. Any other value as it is.
    const json_t *singular(const Attr &complex, const json_t *value);

    // The part that a string stands for where an object is expected, the part `value`: bare-value.
    // nullptr if there is no such part, `value` is no string, or it is the JSON of an array.
    const Attr *bare_value(const Attr &complex, const json_t *value);

    // True if `value`, "" as the `value` of a reference such as manager, unassigns the whole
    // attribute: empty-reference.
    bool unassigns(const Attr &part, const json_t *value);

    // A remove that has values, although its path says what goes: remove-with-value.
    Outcome remove_with_value();

    // Any other deviation: reported as `name`, or refused: 400 `type` with `refusal`.
    Outcome deviation(std::string_view name, std::string refusal,
                      ScimType type = ScimType::invalid_syntax);

    // Any other, where it is for the caller to say what would have been right: reported as `name`;
    // false if it is refused.
    bool accepts(std::string_view name);

  private:
    Outcome one_schema(const TypeView &type, const json_t *urn, uint32_t &extensions, bool &base);

    bool strict_;
    Report &report_;
};

}  // namespace scim
