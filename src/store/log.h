#pragma once
// A tenant's log read back: changes with their parts put together. Reading costs what is read, not
// what the log holds: backwards from the end, or forwards from a place that was seen before.

#include <cstdint>
#include <optional>
#include <vector>

#include "store/directory.h"

namespace scim::store {

// Of each of `added` and `removed`, a LoggedChange keeps the first of this many; all are counted.
constexpr size_t members_kept = 100;

struct LogPlace {
    uint64_t position = 0;
    uint16_t part = 0;
};

// What one position says about one resource.
struct LoggedChange {
    LogPlace place;  // of its last part
    Change change;
    uint64_t added = 0, removed = 0;
};

// The newest first: at most `limit` that are not older than `since` (milliseconds).
std::vector<LoggedChange> last_changes(Directory &directory, size_t limit, int64_t since);

// The oldest first: at most `limit` behind `place`.
std::vector<LoggedChange> changes_after(Directory &directory, LogPlace place, size_t limit);

// Where a tenant's log begins. What was before it has been trimmed (store/retention.h): who has seen
// no position up to the one before `position` has missed something.
struct LogStart {
    uint64_t position = 1;        // of its first change; in an empty log, of the one to come
    std::optional<int64_t> time;  // of that change, milliseconds; nothing if the log is empty

    bool trimmed() const { return position > 1; }
};
LogStart log_start(Directory &directory);

}  // namespace scim::store
