// Reads any bytes as schema files: Schema and ResourceType definitions, separated by the control
// character RS, which JSON does not allow. A file is refused with a sentence, or it is the same
// after it was written and read again. Files that are accepted together make a catalog in which
// each attribute has a path that finds it, in a PATCH and in a filter, and a second declaration of
// them changes nothing.

#include <algorithm>
#include <cstdlib>

#include "scim/filter/filter.h"
#include "scim/filter/path.h"
#include "scim/schema/catalog.h"
#include "scim/text/text.h"

using namespace scim;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void check_error(const Error &error) {
    require(error.status() == 400 && !error.detail.empty() && is_utf8(error.detail));
}

std::string written(const Definition &definition) {
    std::string out;
    if (definition.kind == Definition::Kind::schema)
        write_schema(out, definition.schema);
    else
        write_resource_type(out, definition.resource_type);
    return out + '}';
}

// The definitions, or nothing if one is refused.
std::vector<Definition> load_all(std::string_view bytes) {
    constexpr char separator = '\x1e';
    std::vector<Definition> all;
    for (size_t begin = 0; begin <= bytes.size();) {
        const size_t end = std::min(bytes.find(separator, begin), bytes.size());
        auto definition = load_definition(bytes.substr(begin, end - begin));
        if (!definition) {
            check_error(definition.error());
            return {};
        }
        const std::string text = written(*definition);
        auto again = load_definition(text);
        require(again && written(*again) == text);
        all.push_back(std::move(*definition));
        begin = end + 1;
    }
    return all;
}

void check_attribute(const TypeView &type, const Attr &attr) {
    require(type.find(attr.path) == &attr && type.find(ascii_lower(attr.path)) == &attr);
    require(type.by_number(attr.number) == &attr);
    DeviationReport report;
    Dialect dialect(true, report);
    auto path = parse_path(type, attr.path, PathLimits(), dialect);
    require(path && *path && ((*path)->attr == &attr || (*path)->part == &attr));
    auto filter = Filter::parse(type, attr.path + " pr", FilterLimits(), dialect);
    if (!filter) check_error(filter.error());
}

std::shared_ptr<const Catalog> check_catalog(const CatalogRows &rows) {
    auto catalog = Catalog::build(rows);
    require(bool(catalog));
    for (const auto &type : (*catalog)->types()) {
        require((*catalog)->type_by_name(type->type.name) == type.get());
        require((*catalog)->type_by_endpoint(type->type.endpoint.substr(1)) == type.get());
        for (const Attr &attr : type->attrs) check_attribute(*type, attr);
    }
    return std::move(*catalog);
}

// Declares `definitions` in a store that has `rows`; nothing if that is refused or changes nothing.
std::optional<CatalogRows> declare_in(const CatalogRows &rows, uint64_t generation,
                                      const std::vector<Definition> &definitions) {
    auto declaration = make_declaration(generation, definitions);
    if (!declaration) {
        check_error(declaration.error());
        return std::nullopt;
    }
    auto next = declare(rows, *declaration);
    if (!next) {
        check_error(next.error());
        return std::nullopt;
    }
    return std::move(*next);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const auto definitions = load_all({reinterpret_cast<const char *>(data), size});
    if (definitions.empty()) return 0;
    auto rows = declare_in({}, 1, definitions);
    if (!rows) return 0;
    check_catalog(*rows);
    require(!declare_in(*rows, 2, definitions));

    // Attributes keep their numbers while they are not declared.
    auto without = declare_in(*rows, 2, {});
    if (!without) return 0;
    check_catalog(*without);
    auto back = declare_in(*without, 3, definitions);
    require(back && back->attrs.size() == rows->attrs.size());
    check_catalog(*back);
    return 0;
}
