#include "scim/request/list.h"

#include <algorithm>

namespace scim {

namespace {

// The page size that Okta uses, and the smallest default that draft-zollner-scim-interop-profile
// recommends.
constexpr uint64_t default_count = 100;

constexpr std::string_view opening =
    R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"])";

uint64_t at_least(int64_t least, int64_t value) { return uint64_t(std::max(least, value)); }

}  // namespace

uint64_t count_of(const Query &query) {
    return query.count ? at_least(0, *query.count) : default_count;
}

Page page_of(const Query &query, uint64_t max_results) {
    return Page{at_least(1, query.start_index.value_or(1)), std::min(count_of(query), max_results)};
}

Outcome check_paging(const Query &query) {
    if (!query.cursor || !query.start_index) return Done{};
    return Error{
        Refusal::paging_conflict,
        "\"startIndex\" and \"cursor\" exclude each other: a list is paged by one of them"};
}

// All five members are always written, although RFC 7644 3.4.2 makes some optional: clients fail if
// one is missing.
void begin_list(std::string &out, uint64_t total, uint64_t start, uint64_t items) {
    out += opening;
    out += R"(,"totalResults":)";
    out += std::to_string(total);
    out += R"(,"startIndex":)";
    out += std::to_string(start);
    out += R"(,"itemsPerPage":)";
    out += std::to_string(items);
    out += R"(,"Resources":[)";
}

void begin_cursor_list(std::string &out, std::optional<uint64_t> total, uint64_t items,
                       std::string_view next) {
    out += opening;
    if (total) {
        out += R"(,"totalResults":)";
        out += std::to_string(*total);
    }
    out += R"(,"itemsPerPage":)";
    out += std::to_string(items);
    if (!next.empty()) {
        out += R"(,"nextCursor":")";
        out += next;
        out += '"';
    }
    out += R"(,"Resources":[)";
}

void end_list(std::string &out) { out += "]}"; }

void write_list(std::string &out, uint64_t total, uint64_t start, uint64_t items,
                std::string_view resources) {
    begin_list(out, total, start, items);
    out += resources;
    end_list(out);
}

}  // namespace scim
