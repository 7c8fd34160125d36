#pragma once
// Pagination by startIndex (RFC 7644 3.4.2.4) and by cursor (RFC 9865), and the ListResponse message
// (RFC 7644 3.4.2).

#include <cstdint>
#include <optional>
#include <string>

#include "scim/request/target.h"

namespace scim {

struct Page {
    uint64_t start = 1;  // 1-based
    uint64_t count = 0;  // maximum number of resources
};

// The page that `startIndex` and `count` select. A startIndex less than 1 is read as 1, a negative
// count as 0; an absent count is 100; every count is limited to `max_results`.
Page page_of(const Query &query, uint64_t max_results);

// The number of resources that the client asks for: 0 if `count` is negative, 100 if it is absent.
uint64_t count_of(const Query &query);

// 400 invalidValue if the query has both startIndex and cursor.
Outcome check_paging(const Query &query);

// `resources` is the comma-separated text of `items` resources.
void write_list(std::string &out, uint64_t total, uint64_t start, uint64_t items,
                std::string_view resources);
// The same in two parts: the text before the resources and the text after them.
void begin_list(std::string &out, uint64_t total, uint64_t start, uint64_t items);
void end_list(std::string &out);
// The text before the resources of a page by cursor. `total` is nothing if it is not known; `next` is
// empty on the last page.
void begin_cursor_list(std::string &out, std::optional<uint64_t> total, uint64_t items,
                       std::string_view next);

}  // namespace scim
