// A BulkRequest is read into operations, references by bulkId become ids, and the order of work puts
// each operation after those that it refers to.

#include "scim/request/bulk.h"

#include <algorithm>
#include <random>

#include "tap.h"

using namespace scim;

namespace {

Json parsed(const std::string &text) {
    auto json = parse_json(text, JsonLimits());
    if (!json) {
        diag(json.error().detail + " in " + text);
        std::abort();
    }
    return std::move(*json);
}

std::string message(const std::string &operations, const std::string &more = "") {
    return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],)" + more +
           R"("Operations":)" + operations + "}";
}

Result<BulkRequest> read(const Json &json, size_t most = 1000, bool strict = false) {
    DeviationReport report;
    Dialect dialect(strict, report);
    return read_bulk(json.get(), most, dialect);
}

std::string refusal(const std::string &text, size_t most = 1000, bool strict = false) {
    const Json json = parsed(text);
    auto bulk = read(json, most, strict);
    if (bulk) return "accepted";
    return std::to_string(bulk.error().status()) + " " +
           std::string(to_string(bulk.error().type())) + ": " + bulk.error().detail;
}

void test_messages() {
    const std::string one = R"([{"method":"DELETE","path":"/Users/a"}])";
    is(refusal(message(one)), "accepted", "[S-137] a BulkRequest of one DELETE is accepted");
    is(refusal(message("[]")), "accepted", "a BulkRequest without operations is accepted");
    is(refusal(R"({"operations":)" + one + "}"), "accepted",
       "schemas may be missing, and names match in any case");
    is(refusal(R"({"Operations":)" + one + "}", 1000, true).substr(0, 17), "400 invalidSyntax",
       "under scim_profile rfc schemas must not be missing");
    is(refusal(message(R"({"method":"DELETE","path":"/Users/a"})")), "accepted",
       "Operations may be one object");
    is(refusal(R"({"schemas":[]})"),
       R"(400 invalidSyntax: "Operations" of a BulkRequest must be an array of operations)",
       "[S-137] a BulkRequest without Operations is refused");
    is(refusal(message("7")),
       R"(400 invalidSyntax: "Operations" of a BulkRequest must be an array of operations)",
       "Operations that are not an array are refused");
    is(refusal(message(R"([{"method":"DELETE","path":"/Users/a"},"x"])")),
       "400 invalidSyntax: Operations[1] must be an object, not a string",
       "an operation that is not an object refuses the request");
    is(refusal(message(one, R"("failOnErrors":"2",)")), "accepted",
       "failOnErrors may be a string with an integer");
    for (const char *wrong : {"-1", "1.5", "true", "\"x\"", "[]"})
        is(refusal(message(one, R"("failOnErrors":)" + std::string(wrong) + ",")),
           R"(400 invalidValue: "failOnErrors" must be a natural number, or 0 for no limit)",
           std::string("failOnErrors ") + wrong + " is refused");
    is(refusal(message(R"([{"method":"DELETE","path":"/a"},{"method":"DELETE","path":"/b"}])"), 1),
       "413 : the request has 2 operations, at most 1 are possible (bulk.maxOperations, "
       "scim_bulk_max_operations)",
       "[S-143] more operations than allowed are refused with 413");
    is(refusal(message(R"([{"method":"POST","path":"/Users","bulkId":"x"},
                           {"method":"POST","path":"/Users","bulkId":"x"}])")),
       R"(400 invalidValue: Operations[1] has the bulkId "x" of Operations[0], each POST operation )"
       "must have another one",
       "[S-137] two POST operations with one bulkId are refused");
    is(refusal(message(R"([{"method":"PUT","path":"/Users/a","bulkId":"x"},
                           {"method":"PUT","path":"/Users/b","bulkId":"x"}])")),
       "accepted", "operations other than POST may have one bulkId");
}

void test_operations() {
    const std::pair<const char *, const char *> wrong[] = {
        {R"({"path":"/Users"})", R"("method" of the operation is missing)"},
        {R"({"method":"GET","path":"/Users"})",
         R"("method" of the operation is "GET", it must be POST, PUT, PATCH or DELETE)"},
        {R"({"method":"post","path":"/Users","bulkId":"x"})",
         R"("method" of the operation is "post", it must be POST, PUT, PATCH or DELETE)"},
        {R"({"method":5,"path":"/Users"})",
         R"("method" of the operation must be a string, not a number)"},
        {R"({"method":"DELETE"})",
         R"("path" of the operation is missing, it is a path such as /Users)"},
        {R"({"method":"DELETE","path":["/Users"]})",
         R"("path" of the operation must be a string, not an array)"},
        {R"({"method":"POST","path":"/Users"})",
         R"("bulkId" is missing, a POST operation must have one)"},
        {R"({"method":"POST","path":"/Users","bulkId":7})",
         R"("bulkId" of the operation must be a string, not a number)"},
        {R"({"method":"PUT","path":"/Users/a","version":17})",
         R"("version" of the operation must be a string, not a number)"},
    };
    for (auto [text, detail] : wrong) {
        const Json json = parsed(message(std::string("[") + text + "]"));
        auto bulk = read(json);
        if (!ok(bool(bulk), std::string("[S-137] the request is accepted with ") + text)) continue;
        const Outcome &valid = bulk->operations[0].valid;
        is(valid ? "accepted" : valid.error().detail, detail,
           std::string("[S-137 S-145] the operation is refused: ") + text);
    }
    const Json json = parsed(message(
        R"([{"METHOD":"PUT","Path":"/Users/a","BulkID":"b","version":"W/\"3\"","DATA":{}}])"));
    auto bulk = read(json);
    const BulkOperation &operation = bulk->operations[0];
    is(operation.method + operation.path + operation.bulk_id + operation.version,
       "PUT/Users/abW/\"3\"", "[S-137] names of an operation match in any case");
    ok(operation.data != nullptr, "the data of an operation is found");
}

// ---- References ----

std::vector<Id> ids_for(size_t count) {
    std::vector<Id> ids(count);
    for (size_t i = 0; i < count; i++) ids[i][15] = uint8_t(i);
    return ids;
}

std::string id_text(size_t i) { return to_string(ids_for(i + 1)[i]); }

// The resolved data of an operation behind two POST with the bulkIds a and b.
std::string resolved(const std::string &data, const std::string &path = "/Users/u") {
    const Json json = parsed(message(
        R"([{"method":"POST","path":"/Users","bulkId":"a"},{"method":"POST","path":"/Users",)"
        R"("bulkId":"b"},{"method":"PATCH","path":")" +
        path + R"(","data":)" + data + "}]"));
    auto bulk = read(json);
    resolve_references(*bulk, ids_for(3));
    const BulkOperation &operation = bulk->operations[2];
    if (!operation.valid) return operation.valid.error().detail;
    std::string text = operation.path == path ? "" : operation.path + " ";
    write_value(text, operation.data);
    for (uint32_t needed : operation.needs) text += " needs " + std::to_string(needed);
    return text;
}

void test_references() {
    const std::string a = id_text(0), b = id_text(1);
    is(resolved(R"({"value":"bulkId:a"})"), R"({"value":")" + a + R"("} needs 0)",
       "[S-140] a reference that is a whole string becomes the id");
    is(resolved(R"({"x":[{"y":["bulkId:b",{"z":"bulkId:a"}]}],"v":"bulkId:b"})"),
       R"({"x":[{"y":[")" + b + R"(",{"z":")" + a + R"("}]}],"v":")" + b + R"("} needs 0 needs 1)",
       "[S-140] references at any depth become ids");
    is(resolved(R"({"$ref":"https://x/v2/Users/bulkId:b"})"),
       R"({"$ref":"https://x/v2/Users/)" + b + R"("} needs 1)",
       "a reference at the end of a URL becomes the id");
    is(resolved(R"({"path":"members[value eq \"bulkId:a\" or value eq \"bulkId:b\"]"})"),
       R"({"path":"members[value eq \")" + a + R"(\" or value eq \")" + b +
           R"(\"]"} needs 0 needs 1)",
       "references in the filter of a path become ids");
    is(resolved(R"({"a":"the bulkId:a","b":"x\"bulkId:c\"","c":"/bulkId:c","d":"bulkid:a"})"),
       R"({"a":"the bulkId:a","b":"x\"bulkId:c\"","c":"/bulkId:c","d":"bulkid:a"})",
       "text that is not a reference is not changed");
    is(resolved(R"({"bulkId:a":1})"), R"({"bulkId:a":1})", "names of members are not changed");
    is(resolved(R"({"v":"bulkId:c"})"),
       R"("data" refers to the bulkId "c", but no POST operation of the request has it)",
       "[S-142] a reference to an unknown bulkId refuses the operation");
    is(resolved(R"({"path":"members[value eq \"bulkId:c\"]"})"),
       R"("path" of the data refers to the bulkId "c", but no POST operation of the request has it)",
       "an unknown bulkId in the filter of a path refuses the operation");
    is(resolved("{}", "/Groups/bulkId:b"), "/Groups/" + b + " {} needs 1",
       "a reference in the path becomes the id");
    is(resolved("{}", "/Groups/bulkId:b/"), "/Groups/" + b + " {} needs 1",
       "a slash behind a reference in the path is ignored");
    is(resolved("{}", "/Groups/bulkId:c"),
       R"("path" refers to the bulkId "c", but no POST operation of the request has it)",
       "[S-142] an unknown bulkId in the path refuses the operation");

    const Json json = parsed(message(
        R"([{"method":"POST","path":"/Users","bulkId":"a","data":{"manager":"bulkId:a"}}])"));
    auto bulk = read(json);
    resolve_references(*bulk, ids_for(1));
    ok(bulk->operations[0].needs.empty(), "an operation does not need itself");
    is(std::string(text_of(json_object_get(bulk->operations[0].data, "manager"))), a,
       "a reference of a POST to itself becomes its id");
}

// ---- Order ----

BulkRequest bulk_of(const std::vector<std::vector<uint32_t>> &needs) {
    BulkRequest bulk;
    for (size_t i = 0; i < needs.size(); i++) {
        BulkOperation operation;
        operation.method = "POST";
        operation.path = "/Users";
        operation.needs = needs[i];
        bulk.operations.push_back(std::move(operation));
    }
    return bulk;
}

std::string order(const BulkRequest &bulk) {
    std::string text;
    for (const auto &unit : order_of_work(bulk)) {
        text += text.empty() ? "" : " ";
        for (size_t i = 0; i < unit.size(); i++) text += (i ? "+" : "") + std::to_string(unit[i]);
    }
    return text;
}

void test_order() {
    is(order(bulk_of({})), "", "no operations have an empty order");
    is(order(bulk_of({{}, {}, {}})), "0 1 2",
       "[S-144] without references the order is that of the request");
    is(order(bulk_of({{2}, {}, {}})), "1 2 0",
       "[S-144] an operation waits for the one that it refers to");
    is(order(bulk_of({{3}, {0}, {}, {}, {}})), "2 3 0 1 4",
       "an operation that waited comes as soon as possible");
    is(order(bulk_of({{1}, {0}, {}})), "0+1 2",
       "two operations that refer to each other are one unit");
    is(order(bulk_of({{3}, {}, {0}, {2}, {}})), "1 0+2+3 4",
       "a circle comes at the place of its last operation");
    is(order(bulk_of({{1}, {0, 2}, {3}, {2}, {0}})), "2+3 0+1 4",
       "a circle that refers to another one comes after it");

    BulkRequest same = bulk_of({{3}, {}, {}, {}});
    for (size_t i : {0, 1, 2}) same.operations[i].method = "PATCH";
    same.operations[0].path = same.operations[1].path = "/Groups/g";
    is(order(same), "2 3 0 1", "[S-144] operations on one resource keep the order of the request");
}

// The order of random requests: complete, dependencies first, and in one unit exactly what can be
// reached in both directions.
void test_random_orders() {
    std::mt19937 random(7);
    bool complete = true, sorted = true, exact = true;
    for (int round = 0; round < 2000; round++) {
        const size_t n = 1 + random() % 9;
        std::vector<std::vector<uint32_t>> needs(n);
        for (size_t i = 0; i < n; i++)
            for (size_t edge = random() % 3; edge > 0; edge--)
                if (const auto to = uint32_t(random() % n); to != i) needs[i].push_back(to);
        std::vector<std::vector<bool>> reaches(n, std::vector<bool>(n));
        for (size_t i = 0; i < n; i++) {
            reaches[i][i] = true;
            for (uint32_t to : needs[i]) reaches[i][to] = true;
        }
        for (size_t k = 0; k < n; k++)
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++)
                    if (reaches[i][k] && reaches[k][j]) reaches[i][j] = true;
        const auto units = order_of_work(bulk_of(needs));
        std::vector<size_t> unit_of(n, SIZE_MAX);
        size_t count = 0;
        for (size_t u = 0; u < units.size(); u++)
            for (uint32_t i : units[u]) {
                unit_of[i] = u;
                count++;
            }
        complete &= count == n && std::count(unit_of.begin(), unit_of.end(), SIZE_MAX) == 0;
        for (size_t i = 0; i < n && complete; i++)
            for (size_t j = 0; j < n; j++) {
                if (reaches[i][j]) sorted &= unit_of[j] <= unit_of[i];
                exact &= (unit_of[i] == unit_of[j]) == (reaches[i][j] && reaches[j][i]);
            }
    }
    ok(complete, "each order of 2,000 random requests contains each operation once");
    ok(sorted, "in 2,000 random requests each operation comes after what it refers to");
    ok(exact, "in 2,000 random requests the units are the circles");
}

void test_long_chains() {
    constexpr uint32_t n = 100000;
    std::vector<std::vector<uint32_t>> chain(n), ring(n);
    for (uint32_t i = 0; i < n; i++) {
        if (i + 1 < n) chain[i] = {i + 1};
        ring[i] = {(i + 1) % n};
    }
    const auto units = order_of_work(bulk_of(chain));
    ok(units.size() == n && units.front() == std::vector<uint32_t>{n - 1},
       "a chain of 100,000 operations is done from its end");
    is(order_of_work(bulk_of(ring)).size(), 1u, "a ring of 100,000 operations is one unit");
}

}  // namespace

int main() {
    test_messages();
    test_operations();
    test_references();
    test_order();
    test_random_orders();
    test_long_chains();
    return tap::done();
}
