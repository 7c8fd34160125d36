#include "bench/rows.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "bench/population.h"
#include "scim/text/json.h"

namespace bench {

using namespace scim;

namespace {

Id id_of(uint64_t number) {
    uint64_t state = number;
    std::array<uint8_t, 10> random;
    for (uint8_t &byte : random) byte = uint8_t(next_random(state));
    return make_id(first_time + int64_t(number), random);
}

std::vector<AttrNumber> top_attributes(const TypeView &type, const std::vector<Leaf> &leaves) {
    std::vector<AttrNumber> tops;
    for (const Leaf &leaf : leaves) {
        const Attr *attr = type.by_number(leaf.attr);
        tops.push_back(attr->parent != nullptr ? attr->parent->number : attr->number);
    }
    std::sort(tops.begin(), tops.end());
    tops.erase(std::unique(tops.begin(), tops.end()), tops.end());
    return tops;
}

}  // namespace

void die(const std::string &what) {
    std::fprintf(stderr, "bench: %s\n", what.c_str());
    std::exit(1);
}

std::shared_ptr<const Catalog> new_catalog() {
    auto declaration = make_declaration(1, {});
    auto rows = declare(CatalogRows(), *declaration);
    return *Catalog::build(std::move(**rows));
}

store::ResourceEdit create_user(const Catalog &catalog, uint64_t number, uint64_t position) {
    const TypeView &type = *catalog.type_by_endpoint("Users");
    auto body = parse_json(user(number).json, JsonLimits());
    if (!body) die(body.error().detail);
    DeviationReport report;
    auto resource = read_resource(type, body->get(), true, report);
    if (!resource) die(resource.error().detail);

    store::ResourceEdit edit;
    edit.type = type.number;
    edit.id = id_of(number);
    edit.is_new = true;
    edit.position = position;
    edit.after = store::index_values(catalog, type, resource->leaves);
    edit.trigrams_after = store::trigram_sets(catalog, type, resource->leaves);
    edit.change.time = first_time + int64_t(number);
    edit.change.actor = 1;
    edit.change.type = type.number;
    edit.change.id = edit.id;
    edit.change.attrs = top_attributes(type, resource->leaves);
    store::RecordHeader header;
    header.version = position;
    header.created = header.modified = edit.change.time;
    edit.record = store::encode_record(header, catalog, type, resource->leaves);
    return edit;
}

}  // namespace bench
