// Tests that a record contains exactly the leaves it was encoded from, that it keeps leaves of
// undeclared attributes hidden, and that no damage makes its reader crash or read beyond its bytes.

#include "store/record.h"

#include <random>

#include "scim/text/json.h"
#include "tap.h"

using namespace scim;
using namespace scim::store;

namespace {

std::shared_ptr<const Catalog> catalog_with(const std::vector<Definition> &definitions,
                                            const CatalogRows &before = {},
                                            uint64_t generation = 1) {
    auto rows = declare(before, *make_declaration(generation, definitions));
    return *Catalog::build(*rows ? **rows : before);
}

Definition badge_schema() {
    return *load_definition(
        R"({"id":"urn:acme:params:scim:schemas:extension:acme:2.0:User","name":"Acme",
        "schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "attributes":[{"name":"badge","type":"string","multiValued":false},
                      {"name":"secret","type":"string","multiValued":false,"mutability":"writeOnly","returned":"never"}]})");
}

Resource resource_of(const TypeView &type, std::string_view body) {
    DeviationReport report;
    return std::move(*read_resource(type, parse_json(body, {})->get(), false, report));
}

const char full_body[] =
    R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"anna",
    "name":{"familyName":"M\u00fcller \"x\"","givenName":"Anna"},"active":true,
    "emails":[{"value":"a@x.org","type":"work","primary":true},{"value":"b@x.org","type":"home"}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Ops","manager":{"value":"m1"}}})";

std::string texts(const std::vector<Leaf> &leaves) {
    std::string out;
    for (const Leaf &l : leaves)
        out += std::to_string(l.attr) + "/" + std::to_string(l.element) + "=" +
               std::string(l.json) + ";";
    return out;
}

void test_round_trip(const Catalog &catalog) {
    const TypeView &type = *catalog.type_by_name("User");
    Resource resource = resource_of(type, full_body);
    RecordHeader header;
    header.version = 7;
    header.created = 1000;
    header.modified = 2000;
    header.member_epoch = 3;
    std::string bytes = encode_record(header, catalog, type, resource.leaves);
    auto view = RecordView::parse(bytes);
    ok(view.has_value(), "an encoded record is parsed");
    std::vector<Leaf> leaves;
    ok(view->leaves(leaves), "the leaf table of an encoded record is read");
    is(texts(leaves), texts(resource.leaves), "a record has the leaves it was encoded from");
    is(view->header().version, 7u, "a record has its version");
    is(view->header().created, 1000, "a record has its creation time");
    is(view->header().modified, 2000, "a record has its modification time");
    is(view->header().member_epoch, 3u, "a record has its member epoch");
    is(view->header().epoch, catalog.epoch(), "a record has the epoch of the catalog");
    is(view->header().extensions, 1u, "a record has the bit of the enterprise extension");
    is(int(view->header().flags), int(record_computed_sibling),
       "a record with a manager has the flag record_computed_sibling");
    is(view->first(type.find("userName")->number), "\"anna\"",
       "first() returns the value of an attribute");
    is(view->first(type.find("nickName")->number), "",
       "first() of an attribute without a value is empty");
    auto parsed = parse_json("{" + std::string(view->body()) + "}", {});
    ok(bool(parsed), "the body of a record is JSON when put in braces");
    size_t table = bytes.size() - record_header_size - view->body().size();
    ok(table <= resource.leaves.size() * 4,
       "a leaf table takes at most four bytes a leaf: " +
           std::to_string(double(table) / double(resource.leaves.size())));
}

void test_hidden(const Catalog &plain) {
    auto wide = catalog_with({badge_schema()}, plain.rows(), 2);
    auto narrow = catalog_with({}, wide->rows(), 3);
    const TypeView &type = *wide->type_by_name("User");
    Resource resource = resource_of(
        type, R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"x",
        "urn:acme:params:scim:schemas:extension:acme:2.0:User":{"badge":"4711","secret":"s"}})");
    std::string bytes = encode_record({}, *wide, type, resource.leaves);
    ok((RecordView::parse(bytes)->header().flags & record_needs_projection) != 0,
       "a record with a value that is never returned has the flag record_needs_projection");

    const TypeView &less = *narrow->type_by_name("User");
    Resource again;
    RecordView::parse(bytes)->leaves(again.leaves);
    canonical_order(less, again.leaves);
    std::string narrower = encode_record({}, *narrow, less, again.leaves);
    auto view = RecordView::parse(narrower);
    ok((view->header().flags & record_hidden) != 0,
       "a record with undeclared leaves has the flag record_hidden");
    ok(view->body().find("4711") == Bytes::npos, "the body of a record has no undeclared leaves");
    std::vector<Leaf> leaves;
    ok(view->leaves(leaves), "the leaf table of a record with undeclared leaves is read");
    is(leaves.size(), resource.leaves.size(), "the leaf table has the undeclared leaves");
    is(view->first(type.find("urn:acme:params:scim:schemas:extension:acme:2.0:User:badge")->number),
       "\"4711\"", "first() returns the value of an undeclared leaf");
}

// Flips each bit of a record and cuts it at each byte.
void test_damage(const Catalog &catalog) {
    const TypeView &type = *catalog.type_by_name("User");
    std::string bytes = encode_record({}, catalog, type, resource_of(type, full_body).leaves);
    int accepted = 0;
    for (size_t bit = 0; bit < bytes.size() * 8; bit++) {
        std::string copy = bytes;
        copy[bit / 8] = char(copy[bit / 8] ^ (1 << bit % 8));
        accepted += RecordView::parse(copy).has_value();
    }
    is(accepted, 0, "a record with any one bit flipped is refused");
    for (size_t size = 0; size < bytes.size(); size++)
        accepted += RecordView::parse(bytes.substr(0, size)).has_value();
    is(accepted, 0, "each proper prefix of a record is refused");
}

// A leaf table that is damaged but has a matching checksum is read within the record's bounds.
void test_hostile_tables(const Catalog &catalog) {
    const TypeView &type = *catalog.type_by_name("User");
    std::mt19937 random(4711);
    note("seed 4711");
    Resource resource = resource_of(type, full_body);
    int good = 0;
    for (int round = 0; round < 20000; round++) {
        std::string bytes = encode_record({}, catalog, type, resource.leaves);
        size_t table = record_header_size + random() % 30;
        for (int i = 0; i < 3; i++) bytes[table + i] = char(random());
        seal_record(bytes);
        auto view = RecordView::parse(bytes);
        std::vector<Leaf> leaves;
        if (!view || !view->leaves(leaves)) continue;
        good++;
        for (const Leaf &leaf : leaves)
            if (leaf.json.data() < bytes.data() ||
                leaf.json.data() + leaf.json.size() > bytes.data() + bytes.size())
                good = -1000000;
    }
    ok(good >= 0, "no leaf of a damaged table lies outside the record");
}

}  // namespace

int main() {
    auto catalog = catalog_with({});
    test_round_trip(*catalog);
    test_hidden(*catalog);
    test_damage(*catalog);
    test_hostile_tables(*catalog);
    ok(!RecordView::parse("").has_value(), "an empty record is refused");
    return tap::done();
}
