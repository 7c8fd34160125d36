// Tests that paths lead to the endpoint that they name, that similar paths are refused with a hint,
// and that query strings are read as real clients write them.

#include "scim/request/target.h"
#include "scim/schema/endpoint.h"

#include "tap.h"

using namespace scim;

static const std::string id_text = "01930f2e-7c1a-7b3c-8d4e-5f6071829304";
static std::shared_ptr<const Catalog> catalog;

static const char *name_of(Endpoint endpoint) {
    static const char *const names[] = {"root",
                                        "resources",
                                        "resource",
                                        "search",
                                        "service_provider_config",
                                        "resource_types",
                                        "resource_type",
                                        "schemas",
                                        "schema",
                                        "me",
                                        "bulk"};
    return names[size_t(endpoint)];
}

// Returns what a path leads to, such as "resource User <name> id" or "400 invalidVers".
static std::string target(std::string_view path) {
    auto t = parse_target(*catalog, path);
    if (!t) {
        std::string_view keyword = to_string(t.error().type());
        return std::to_string(t.error().status()) + (keyword.empty() ? "" : " ") +
               std::string(keyword);
    }
    std::string text = name_of(t->endpoint);
    if (t->type) text += " " + t->type->type.name;
    if (!t->name.empty()) text += " <" + std::string(t->name) + ">";
    if (t->id) text += " id";
    return text;
}

static void test_paths() {
    const std::string resource = "resource User <" + id_text + "> id";
    const std::string urn(user_urn);
    const struct {
        std::string path, leads_to;
    } paths[] = {
        {"", "root"},
        {"/", "root"},
        {"//", "root"},
        {"/v2", "root"},
        {"/v2/", "root"},
        {"/Users", "resources User"},
        {"//Users", "resources User"},
        {"/Users/", "resources User"},
        {"/v2/Users", "resources User"},
        {"/v2//Users//", "resources User"},
        {"/Users/" + id_text, resource},
        {"/v2/Users/" + id_text + "/", resource},
        {"//Users//" + id_text, resource},
        {"/Users/bjensen", "resource User <bjensen>"},
        {"/Users/v2", "resource User <v2>"},
        {"/Users/.search", "search User"},
        {"/Users/.search/", "search User"},
        {"/.search", "search"},
        {"/v2/.search", "search"},
        {"/ServiceProviderConfig", "service_provider_config"},
        {"/v2/ServiceProviderConfig/", "service_provider_config"},
        {"/ResourceTypes", "resource_types"},
        {"/ResourceTypes/User", "resource_type <User>"},
        {"/Schemas", "schemas"},
        {"/Schemas/", "schemas"},
        {"/Schemas/" + urn, "schema <" + urn + ">"},
        {"/v2/Schemas//" + urn + "/", "schema <" + urn + ">"},
        {"/Schemas/http://acme.example/a", "schema <http://acme.example/a>"},
        {"/Me", "me"},
        {"/Bulk", "bulk"},
        {"/Users/a/b", "404"},
        {"/Users/.search/b", "404"},
        {"/Users/Users", "404"},
        {"/Me/a", "404"},
        {"/Bulk/a", "404"},
        {"/ServiceProviderConfig/a", "404"},
        {"/ResourceTypes/User/a", "404"},
        {"/Groups", "resources Group"},
        {"/Devices", "404"},
        {"/nonsense", "404"},
        {"/v1", "400 invalidVers"},
        {"/v1/Users", "400 invalidVers"},
        {"/v3/Users/" + id_text, "400 invalidVers"},
        {"/v10/Users", "400 invalidVers"},
        {"/v2.1/Users", "400 invalidVers"},
        {"/version/Users", "404"},
        {std::string("/Users/\0\xff", 9), std::string("resource User <\0\xff>", 18)},
        {std::string("/\0\xff", 3), "404"},
        {std::string(8192, '/'), "root"},
        {"/" + std::string(8192, 'a'), "404"},
    };
    for (const auto &p : paths)
        is(target(p.path), p.leads_to,
           "the path '" + p.path.substr(0, 80) + "' leads to " + p.leads_to);
}

static void test_hints() {
    const struct {
        std::string path, said;
    } hints[] = {
        {"/users", "there is no endpoint \"/users\": did you mean \"/Users\"?"},
        {"/USERS/" + id_text, "did you mean \"/Users\"?"},
        {"/User", "did you mean \"/Users\"?"},
        {"/v2/users", "did you mean \"/Users\"?"},
        {"/schemas", "did you mean \"/Schemas\"?"},
        {"/ServiceProviderConfigs", "did you mean \"/ServiceProviderConfig\"?"},
        {"/me", "did you mean \"/Me\"?"},
        {"/.Search", "did you mean \"/.search\"?"},
        {"/Users/.Search", "did you mean \"/Users/.search\"?"},
        {"/v2Users", "a slash is missing in \"/v2Users\": did you mean \"/v2/Users\"?"},
        {"/Users" + id_text, "did you mean \"/Users/" + id_text + "\"?"},
        {"/Users.search", "did you mean \"/Users/.search\"?"},
        {"Users",
         "a slash is missing between the base URL and \"Users\": did you mean \"/Users\"?"},
        {"/scim/v2/Users", "the base URL seems to be in the path twice: did you mean \"/Users\"?"},
        {"/v2/v2/Users", "the base URL seems to be in the path twice: did you mean \"/Users\"?"},
        {"/V2/Users", "did you mean \"/Users\"?"},
        {"/Devices",
         "there is no endpoint \"/Devices\"; /ResourceTypes lists the endpoints of resources"},
        {"/v3/Users", "version \"v3\" of the protocol is not supported, expected \"v2\" or none"},
        {"/Me/x", "there is nothing below \"/Me\""},
        {"/Users/Users",
         "there is no User with the id \"Users\"; the base URL seems to end in \"/Users\": did you "
         "mean \"/Users\"?"},
        {"/Users/Users/" + id_text, "seems to end in \"/Users\": did you mean \"/Users\"?"},
        {"/Users/Groups", "seems to end in \"/Users\": did you mean \"/Groups\"?"},
        {"/v2/Groups/Schemas", "seems to end in \"/Groups\": did you mean \"/Schemas\"?"},
        {"/Users/.search/b", "there is nothing below \"/Users/.search\""},
        {"/Users/a/b", "there is nothing below \"/Users/a\""},
    };
    for (const auto &h : hints) {
        auto t = parse_target(*catalog, h.path);
        std::string detail = t ? "found" : t.error().detail;
        if (!ok(detail.find(h.said) != detail.npos,
                "the path '" + h.path + "' is refused: " + h.said))
            diag(detail);
    }
    auto t = parse_target(*catalog, "/" + std::string(8000, 'x'));
    ok(!t && t.error().detail.size() < 300, "a path of 8,000 bytes is cut in the error");

    for (const char *taken : {"Schemas", "schemas", "Me", "Bulk", ".search", "v2", "V7"})
        ok(is_protocol_endpoint(taken), std::string(taken) + " is a protocol endpoint");
    for (const char *free : {"Users", "Groups", "v", "vehicles", ""})
        ok(!is_protocol_endpoint(free), quoted(free) + " is not a protocol endpoint");
}

static Result<Query> parsed_query(std::string_view args) {
    DeviationReport report;
    Dialect dialect(false, report);
    return parse_query(args, dialect);
}

static std::string show(const std::optional<std::string> &value) {
    return value ? "<" + *value + ">" : "-";
}

static std::string show(const std::optional<int64_t> &value) {
    return value ? std::to_string(*value) : "-";
}

// Returns status, scimType and detail of the error, or "accepted".
static std::string refusal(std::string_view args) {
    auto q = parsed_query(args);
    if (q) return "accepted";
    return std::to_string(q.error().status()) + " " + std::string(to_string(q.error().type())) +
           ": " + q.error().detail;
}

static std::string filter(std::string_view args) {
    auto q = parsed_query(args);
    return q ? show(q->filter) : refusal(args);
}

static void test_decoding() {
    const std::string wanted = "<userName eq \"a@b\">";
    is(filter("filter=userName+eq+\"a@b\""), wanted,
       "a filter with quotes and plus signs is decoded");
    is(filter("filter=userName+eq+%22a%40b%22"), wanted, "a filter in form encoding is decoded");
    is(filter("filter=userName%20eq%20%22a@b%22"), wanted,
       "a filter in percent encoding is decoded");
    is(filter("filter=userName eq \"a@b\""), wanted, "a filter without encoding is read");
    is(filter("f%69lter=a"), "<a>", "a percent-encoded parameter name is decoded");
    is(filter("FILTER=a"), "<a>", "a parameter name matches in any case");
    is(filter("filter=a%2Bb"), "<a+b>", "%2B is decoded as a plus sign");
    is(filter("filter=a%2bb"), "<a+b>", "%2b is decoded as a plus sign");
    is(filter("filter=a=b"), "<a=b>", "a value may contain '='");
    is(filter("filter=a%26b"), "<a&b>", "%26 does not end a value");
    is(filter("filter=caf%C3%A9"), "<caf\xc3\xa9>", "percent-encoded UTF-8 is decoded");
    is(filter("aadOptscim062020&filter=a"), "<a>", "Entra's parameter aadOptscim062020 is ignored");
    is(filter("x=%zz&%zz=1&y=%00&=&&filter=a&z=\xff"), "<a>",
       "unknown parameters are ignored without decoding their values");
    is(filter("filter=a&filter=b"), "<a>", "the first of two filter parameters is read");
    is(filter("filter=a&Filter=%zz"), "<a>", "the second of two filter parameters is not decoded");
    is(filter(""), "-", "an empty query string has no filter");
    is(filter("&&&"), "-", "a query string of separators has no filter");

    auto starts = [](const std::string &text, std::string_view with) {
        return text.substr(0, with.size()) == with;
    };
    for (const char *bad :
         {"filter=", "filter", "filter=+%20", "filter=%zz", "filter=%", "filter=%4", "filter=a%00b",
          "filter=\xff", "filter=%C3", "filter=%ED%A0%80"})
        ok(starts(refusal(bad), "400 invalidFilter: query parameter \"filter\" "),
           quoted(bad) + " is refused with invalidFilter");
    for (const char *bad : {"attributes=%zz", "sortBy=%00", "excludedAttributes=%ff", "count=%"})
        ok(starts(refusal(bad), "400 invalidValue: query parameter "),
           quoted(bad) + " is refused with invalidValue");
    is(refusal("attributes=a%zzb"),
       "400 invalidValue: query parameter \"attributes\" has the invalid escape \"%zz\", expected "
       "\"%\" and two hexadecimal digits",
       "the error of a broken escape shows it");
}

static void test_parameters() {
    auto q = parsed_query(
        "attributes=userName,emails&excludedAttributes=&sortBy=name.familyName"
        "&sortorder=descending&startindex=11&COUNT=10");
    if (!ok(bool(q), "a query with all parameters is accepted")) return;
    is(show(q->filter), "-", "a missing filter has no value");
    is(show(q->attributes), "<userName,emails>", "attributes is read");
    is(show(q->excluded_attributes), "<>", "an empty excludedAttributes is empty");
    is(show(q->sort_by), "<name.familyName>", "sortBy is read");
    is(show(q->sort_order), "<descending>", "sortOrder is read");
    is(show(q->start_index), "11", "startIndex is read");
    is(show(q->count), "10", "count is read");

    const struct {
        const char *text, *value;
    } integers[] = {
        {"1", "1"},
        {"-5", "-5"},
        {"0", "0"},
        {"-0", "0"},
        {"007", "7"},
        {"%31%30", "10"},
        {"9223372036854775807", "9223372036854775807"},
        {"9223372036854775808", "9223372036854775807"},
        {"99999999999999999999", "9223372036854775807"},
        {"-99999999999999999999", "-9223372036854775808"},
    };
    for (const auto &i : integers) {
        auto parsed = parsed_query("startIndex=" + std::string(i.text));
        is(parsed ? show(parsed->start_index) : "refused", i.value,
           std::string("startIndex=") + i.text + " is read as " + i.value);
    }
    for (const char *bad : {"abc", "1.5", "-", "--1", "1e3", "0x10", "+5", "%2B5", "5+", "5%20"})
        for (const char *name : {"startIndex", "count"})
            is(refusal(std::string(name) + "=" + bad).substr(0, 17), "400 invalidValue:",
               std::string(name) + "=" + bad + " is refused with 400 invalidValue");
    is(refusal("count=abc"),
       "400 invalidValue: query parameter \"count\" is \"abc\", expected an integer",
       "the error of a count that is not an integer shows it");
    for (const char *args : {"count", "count=", "startIndex=&count=", "&count&startIndex"}) {
        auto parsed = parsed_query(args);
        ok(parsed && !parsed->count && !parsed->start_index,
           std::string(args) + " gives neither count nor startIndex");
    }
    is(show(parsed_query("count=&count=3")->count), "3", "the first count with a value is read");
    DeviationReport report;
    Dialect lenient(false, report), strict(true, report);
    (void)parse_query("count=", lenient);
    is(report.summary(), "empty-parameter", "a count without a value is reported");
    ok(!parse_query("count=", strict), "a count without a value is refused under scim_profile rfc");
}

static void test_cursor() {
    is(show(parsed_query("count=3")->cursor), "-", "a query without a cursor has none");
    for (const char *args : {"cursor", "cursor=", "count=3&CURSOR&cursor=b"})
        is(show(parsed_query(args)->cursor), "<>", std::string(args) + " gives an empty cursor");
    is(show(parsed_query("count=3&cursor=a-_Z9")->cursor), "<a-_Z9>", "a cursor is read");
}

static void test_long() {
    std::string text(1 << 20, 'a');
    auto q = parsed_query("filter=" + text + "&count=3");
    ok(q && q->filter->size() == text.size() && q->count == 3,
       "a filter of 1 MiB and the parameter after it are read");
    ok(bool(parsed_query(std::string(1 << 20, '&'))), "1 MiB of separators is accepted");
    ok(refusal("count=" + text).size() < 200, "a count of 1 MiB is cut in the error");
    ok(!parsed_query("filter=" + std::string(1 << 20, '%')), "1 MiB of broken escapes is refused");
}

int main() {
    auto rows = declare(CatalogRows(), *make_declaration(1, {}));
    auto built = Catalog::build(std::move(**rows));
    if (!ok(bool(built), "the built-in catalog is built")) return tap::done();
    catalog = *built;
    test_paths();
    test_hints();
    test_decoding();
    test_parameters();
    test_cursor();
    test_long();
    return tap::done();
}
