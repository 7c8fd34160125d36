// Tests that every name that a schema can declare can be used in paths, filters and projections.

#include "scim/text/name.h"

#include "scim/filter/filter.h"
#include "scim/filter/path.h"
#include "scim/resource/projection.h"
#include "tap.h"

using namespace scim;

namespace {

const std::string urn = "urn:example:names:2.0:User";

const char schema[] = R"({"id":"urn:example:names:2.0:User","name":"Names","attributes":[
  {"name":"a$b-c_d1","type":"string","multiValued":false},
  {"name":"list","type":"complex","multiValued":true,"subAttributes":[
    {"name":"value","type":"string","multiValued":false},
    {"name":"b$c","type":"string","multiValued":false},
    {"name":"d-","type":"string","multiValued":false},
    {"name":"e_1$","type":"string","multiValued":false},
    {"name":"$ref","type":"reference","multiValued":false,"referenceTypes":["external"]}]}]})";

const TypeView &user() {
    static const auto catalog =
        *Catalog::build(**declare({}, *make_declaration(1, {*load_definition(schema)})));
    return *catalog->type_by_name("User");
}

void grammar() {
    note("[S-4 E-8924] names");
    for (std::string_view name : {"a", "Z9", "a$b", "a-b_c", "a$"}) {
        ok(is_attribute_name(name), std::string(name) + " is the name of an attribute");
        ok(is_sub_attribute_name(name), std::string(name) + " is the name of a sub-attribute");
    }
    for (std::string_view name :
         {"", "1a", "$a", "-a", "_a", "a b", "a.b", "a:b", "a%", "\xc3\xa4"})
        ok(!is_attribute_name(name) && !is_sub_attribute_name(name),
           "\"" + std::string(name) + "\" is not the name of an attribute");
    ok(is_sub_attribute_name("$ref") && !is_attribute_name("$ref"),
       "$ref is the name of a sub-attribute and not of an attribute");
    ok(!is_sub_attribute_name("$REF"), "$REF is not the name of a sub-attribute");
}

void uses() {
    note("[S-4] uses of names");
    DeviationReport report;
    Dialect dialect(true, report);
    const std::string paths[] = {urn + ":a$b-c_d1",
                                 urn + ":list.b$c",
                                 urn + ":list[value eq \"x\"].b$c",
                                 urn + ":list[b$c eq \"x\"].d-",
                                 urn + ":list[d- eq \"x\"].e_1$",
                                 urn + ":list[e_1$ pr].$ref"};
    for (const std::string &path : paths) {
        auto read = parse_path(user(), path, PathLimits(), dialect);
        if (!ok(read && *read, "the path " + path + " is accepted"))
            diag(read ? "ignored" : read.error().detail);
    }
    const std::string filters[] = {urn + ":a$b-c_d1 eq \"x\"", urn + ":list.b$c eq \"x\"",
                                   urn + ":list[d- eq \"x\" and e_1$ pr]"};
    for (const std::string &text : filters) {
        auto filter = Filter::parse(user(), text, FilterLimits(), dialect);
        if (!ok(bool(filter), "the filter " + text + " is accepted")) diag(filter.error().detail);
    }
    for (const std::string &name : {urn + ":a$b-c_d1", urn + ":list.b$c", urn + ":list.d-"}) {
        auto shown = Projection::parse(user(), name, std::nullopt, dialect);
        ok(shown && shown->shows(*user().find(name)),
           "the projection " + name + " shows its attribute");
    }
}

}  // namespace

int main() {
    grammar();
    uses();
    return tap::done();
}
