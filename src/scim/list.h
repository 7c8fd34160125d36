#pragma once
// Index paging (RFC 7644 3.4.2.4, S-93…97) and the ListResponse envelope.

#include <cstdint>
#include <string>

#include "scim/target.h"

namespace scim {

struct Page {
    uint64_t start = 1;  // 1-based
    uint64_t count = 0;  // resources wanted, at most
};

// What `startIndex` and `count` mean: less than 1 is 1, negative is 0, absent is 100 or
// `max_results` if that is smaller, more than `max_results` is `max_results`.
Page page_of(const Query &query, uint64_t max_results);

// `resources` is the comma-separated text of `items` resources.
void write_list(std::string &out, uint64_t total, uint64_t start, uint64_t items,
                std::string_view resources);
// The same in pieces: what stands before and behind the resources.
void begin_list(std::string &out, uint64_t total, uint64_t start, uint64_t items);
void end_list(std::string &out);

}  // namespace scim
