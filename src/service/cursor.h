#pragma once
// The cursors of lists (RFC 9865): where the next page begins, sealed into a text that the client
// sends back. The server keeps nothing, so a cursor is valid on every worker, after a restart, and in
// a restored copy of the store. Only with the tenant's key can a cursor be read, made or changed. It
// gives no rights: each page is authorised like the first.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "scim/schema/catalog.h"
#include "scim/text/id.h"
#include "scim/text/result.h"
#include "store/keys.h"

namespace scim::service {

// A position in the order of a query: that of a resource, which may have been deleted since.
struct Position {
    bool has_value = false;  // the query is sorted, and the resource has a value
    std::string key;         // its sort key (sort.h)
    TypeNumber type = 0;
    Id id{};
};

// What the queries of all pages have in common.
struct WalkQuery {
    TypeNumber type = 0;               // of the endpoint; 0: all types
    uint64_t filter = 0, sorting = 0;  // digests
    uint64_t count = 0;                // as the client asks for it
};

struct PageCursor {
    int64_t made = 0;     // milliseconds since 1970
    std::string unicode;  // unicode_version() (text.h) of the sort keys
    WalkQuery query;
    Position after;  // the page begins behind this position
};

// Whose cursors they are.
struct CursorOwner {
    store::TenantNumber tenant = 0;
    std::string_view key;  // Tenant::cursor_key
};

using CursorSalt = std::array<uint8_t, 16>;

// The cursor as a text of RFC 3986's unreserved characters. `salt` must be random.
std::string seal_cursor(const CursorOwner &owner, const PageCursor &cursor, const CursorSalt &salt);

// 400 invalidCursor, with the same detail, for every text that seal_cursor() has not made for this
// owner.
Result<PageCursor> open_cursor(const CursorOwner &owner, std::string_view text);

// 400 expiredCursor if the cursor was made `timeout` seconds ago or earlier; 400 invalidCursor if it
// belongs to another query, or its sort key to another version of Unicode; 400 invalidCount if the
// pages before had another count.
Outcome check_cursor(const PageCursor &cursor, const WalkQuery &query, int64_t now,
                     int64_t timeout);

// The text that is sealed, and the way back; nothing for bytes that are no cursor.
std::string encode_cursor(const PageCursor &cursor);
std::optional<PageCursor> decode_cursor(std::string_view bytes);

}  // namespace scim::service
