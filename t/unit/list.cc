// Proves that startIndex and count mean what RFC 7644 3.4.2.4 says, and that a ListResponse has all
// its members.

#include "scim/list.h"

#include "tap.h"

using namespace scim;

static std::string page(std::optional<int64_t> start, std::optional<int64_t> count, uint64_t max) {
    Query query;
    query.start_index = start;
    query.count = count;
    Page p = page_of(query, max);
    return std::to_string(p.start) + "+" + std::to_string(p.count);
}

int main() {
    is(page({}, {}, 1000), "1+100", "the default page");
    is(page({}, {}, 20), "1+20", "the default page is never more than max_results");
    is(page(0, 10, 1000), "1+10", "startIndex 0 is 1");
    is(page(-5, 10, 1000), "1+10", "startIndex -5 is 1");
    is(page(7, 10, 1000), "7+10", "startIndex 7");
    is(page(1, 0, 1000), "1+0", "count 0 asks for the total alone");
    is(page(1, -3, 1000), "1+0", "a negative count is 0");
    is(page(1, 1000, 1000), "1+1000", "count max_results");
    is(page(1, 1001, 1000), "1+1000", "count beyond max_results");
    is(page(INT64_MAX, INT64_MAX, 1000), "9223372036854775807+1000", "the largest values");
    is(page(INT64_MIN, INT64_MIN, 1000), "1+0", "the smallest values");

    std::string out = "x";
    write_list(out, 12, 3, 2, R"({"id":"a"},{"id":"b"})");
    is(out,
       R"(x{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":12,)"
       R"("startIndex":3,"itemsPerPage":2,"Resources":[{"id":"a"},{"id":"b"}]})",
       "a list is appended");
    out.clear();
    write_list(out, 0, 1, 0, "");
    is(out,
       R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,)"
       R"("startIndex":1,"itemsPerPage":0,"Resources":[]})",
       "an empty list has Resources");
    return tap::done();
}
