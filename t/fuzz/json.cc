// Parses any bytes as JSON. What parse_json() accepts is written in a form that parses to an equal
// tree.

#include "scim/text/json.h"
#include "scim/request/error_body.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const std::string_view bytes(reinterpret_cast<const char *>(data), size);
    std::string text;
    scim::read_string(bytes, text);

    scim::JsonLimits limits;
    auto tree = scim::parse_json(bytes, limits);
    if (!tree) {
        scim::error_body(tree.error(), {});
        return 0;
    }
    std::string once, twice;
    scim::write_value(once, tree->get());
    auto again = scim::parse_json(once, limits);
    if (!again) std::abort();
    scim::write_value(twice, again->get());
    if (once != twice || !json_equal(tree->get(), again->get())) std::abort();
    return 0;
}
