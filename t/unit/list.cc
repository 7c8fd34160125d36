// Tests that startIndex and count are read as RFC 7644 3.4.2.4 says, and that a ListResponse has
// all its members, also by cursor (RFC 9865).

#include "scim/request/list.h"

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
    is(page({}, {}, 1000), "1+100", "the default page is 100 resources from 1");
    is(page({}, {}, 20), "1+20", "the default page is at most max_results");
    is(page(0, 10, 1000), "1+10", "startIndex 0 is read as 1");
    is(page(-5, 10, 1000), "1+10", "startIndex -5 is read as 1");
    is(page(7, 10, 1000), "7+10", "startIndex 7 is kept");
    is(page(1, 0, 1000), "1+0", "count 0 gives a page without resources");
    is(page(1, -3, 1000), "1+0", "a negative count is read as 0");
    is(page(1, 1000, 1000), "1+1000", "a count of max_results is kept");
    is(page(1, 1001, 1000), "1+1000", "a count above max_results is read as max_results");
    is(page(INT64_MAX, INT64_MAX, 1000), "9223372036854775807+1000",
       "the largest startIndex is kept and the largest count is read as max_results");
    is(page(INT64_MIN, INT64_MIN, 1000), "1+0",
       "the smallest startIndex is read as 1 and the smallest count as 0");

    std::string out = "x";
    write_list(out, 12, 3, 2, R"({"id":"a"},{"id":"b"})");
    is(out,
       R"(x{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":12,)"
       R"("startIndex":3,"itemsPerPage":2,"Resources":[{"id":"a"},{"id":"b"}]})",
       "write_list() appends a ListResponse with all members");
    out.clear();
    write_list(out, 0, 1, 0, "");
    is(out,
       R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,)"
       R"("startIndex":1,"itemsPerPage":0,"Resources":[]})",
       "an empty ListResponse has an empty Resources");
    out.clear();
    begin_cursor_list(out, 12, 2, "abc");
    is(out,
       R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":12,)"
       R"("itemsPerPage":2,"nextCursor":"abc","Resources":[)",
       "a page by cursor has nextCursor and no startIndex");
    out.clear();
    begin_cursor_list(out, {}, 0, "");
    is(out,
       R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"itemsPerPage":0,)"
       R"("Resources":[)",
       "the last page has no nextCursor, and no totalResults if it is not known");
    Query query;
    query.cursor = "";
    ok(bool(check_paging(query)), "a query with a cursor is accepted");
    query.start_index = 1;
    ok(!check_paging(query), "startIndex and cursor exclude each other");
    return tap::done();
}
