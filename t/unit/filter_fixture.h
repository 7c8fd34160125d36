#pragma once
// The catalog and the resources that the tests of filters share: the built-in User and an extension
// with an attribute of every type.

#include <cstdlib>
#include <memory>
#include <string>

#include "scim/filter/filter.h"
#include "tap.h"

namespace fixture {

using namespace scim;

// Returns the value, or ends the test program if the fixture cannot be made.
template <class T>
T must(Result<T> result) {
    if (result) return std::move(*result);
    std::printf("Bail out! %s\n", result.error().detail.c_str());
    std::exit(1);
}

inline constexpr std::string_view acme_urn = "urn:example:acme:2.0:User";
inline constexpr std::string_view acme_schema = R"({
  "id": "urn:example:acme:2.0:User", "name": "Acme", "attributes": [
    {"name": "level", "type": "integer", "multiValued": false},
    {"name": "score", "type": "decimal", "multiValued": false},
    {"name": "since", "type": "dateTime", "multiValued": false},
    {"name": "badge", "type": "binary", "multiValued": false},
    {"name": "site", "type": "reference", "multiValued": false, "referenceTypes": ["external"]},
    {"name": "vip", "type": "boolean", "multiValued": false},
    {"name": "code", "type": "string", "multiValued": false, "caseExact": true},
    {"name": "division", "type": "string", "multiValued": false},
    {"name": "ranks", "type": "integer", "multiValued": true},
    {"name": "words", "type": "string", "multiValued": true},
    {"name": "pin", "type": "string", "multiValued": false, "mutability": "writeOnly", "returned": "never"},
    {"name": "serial", "type": "string", "multiValued": false, "mutability": "readOnly"},
    {"name": "seat", "type": "complex", "multiValued": true, "subAttributes": [
      {"name": "value", "type": "string", "multiValued": false},
      {"name": "floor", "type": "integer", "multiValued": false},
      {"name": "tags", "type": "string", "multiValued": true},
      {"name": "pin", "type": "string", "multiValued": false, "returned": "never"}]}]})";

inline std::shared_ptr<const Catalog> make_catalog() {
    Declaration declaration = must(make_declaration(1, {must(load_definition(acme_schema))}));
    auto rows = must(declare(CatalogRows(), declaration));
    return must(Catalog::build(std::move(*rows)));
}

inline const TypeView &user() {
    static const std::shared_ptr<const Catalog> catalog = make_catalog();
    return *catalog->type_by_name("User");
}

inline constexpr std::string_view location_prefix = "https://x.example/Users/";

// A User with everything that a filter can read.
struct User {
    Json body;
    Resource resource;
    FilterSubject subject;

    explicit User(std::string_view json) : body(must(parse_json(json, JsonLimits()))) {
        DeviationReport report;
        resource = must(read_resource(user(), body.get(), false, report));
        subject.type = &user();
        subject.leaves = &resource.leaves;
        subject.id = *parse_id("0192f7a0-0000-7000-8000-0123456789ab");
        subject.version = 17;
        subject.created = 1700000000123;
        subject.modified = 1800000000456;
        subject.extensions = shown_extensions(user(), resource.leaves);
        subject.location_prefix = location_prefix;
    }
    User(const User &) = delete;
    User &operator=(const User &) = delete;
};

inline Result<Filter> parse(std::string_view text, bool strict = false,
                            const FilterLimits &limits = FilterLimits()) {
    DeviationReport report;
    Dialect dialect(strict, report);
    return Filter::parse(user(), text, limits, dialect);
}

}  // namespace fixture
