// Parses any text as a filter. Either it is refused with 400 invalidFilter, or it can be evaluated
// for a user.

#include "unit/filter_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const fixture::User user(R"({
        "userName": "bjensen", "active": true, "title": "\"q\" \\ é",
        "name": {"familyName": "Jensen"}, "externalId": "x1",
        "emails": [{"value": "b@x.example", "type": "work", "primary": true}, {"value": "c@x.example"}],
        "urn:example:acme:2.0:User": {"level": 7, "score": 1.5, "since": "2011-05-13T04:42:34Z",
            "badge": "QUJD", "vip": false, "code": "Ab", "ranks": [1, 2], "words": ["a", "b"],
            "seat": [{"value": "s", "floor": 3, "tags": ["x", "y"]}]}})");
    const std::string_view text(reinterpret_cast<const char *>(data), size);
    for (bool strict : {false, true}) {
        auto filter = fixture::parse(text, strict);
        if (filter)
            filter->matches(user.subject);
        else if (filter.error().type() != scim::ScimType::invalid_filter)
            std::abort();
    }
    return 0;
}
