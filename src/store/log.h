#pragma once
// Reads a tenant's change log, with the parts of a change joined. A read goes backwards from the
// end, or forwards from a given place; its cost depends on the rows read, not on the size of the
// log.

#include <cstdint>
#include <optional>
#include <vector>

#include "store/directory.h"

namespace scim::store {

// A LoggedChange keeps this many ids of `added` and of `removed`, the first ones; it counts all.
constexpr size_t members_kept = 100;

struct LogPlace {
    uint64_t position = 0;
    uint16_t part = 0;
};

// The change of one resource at one position.
struct LoggedChange {
    LogPlace place;                   // of its last part
    Change change;                    // with at most members_kept ids in `added` and in `removed`
    uint64_t added = 0, removed = 0;  // numbers of members
};

// The newest `limit` changes that are not older than `since` (milliseconds), newest first.
std::vector<LoggedChange> last_changes(Directory &directory, size_t limit, int64_t since);

// The first `limit` changes after `place`, oldest first.
std::vector<LoggedChange> changes_after(Directory &directory, LogPlace place, size_t limit);

// A resource that a change at this position concerns. A change may concern several.
struct ChangedResource {
    uint64_t position = 0;
    TypeNumber type = 0;  // 0: the change concerns no resource
    Id id{};
};
// The resources of all changes after `position`, oldest first. Nothing if these changes have more
// than `limit` rows, or if some of them have been trimmed. Does not read members.
std::optional<std::vector<ChangedResource>> resources_changed_after(Directory &directory,
                                                                    uint64_t position,
                                                                    size_t limit);

// Where a tenant's log begins; earlier changes have been trimmed (store/retention.h). A reader
// whose last position is below `position - 1` has missed changes.
struct LogStart {
    uint64_t position = 1;        // of the first change; if the log is empty, of the next one
    std::optional<int64_t> time;  // of the first change, milliseconds; nothing if the log is empty

    bool trimmed() const { return position > 1; }
};
LogStart log_start(Directory &directory);

}  // namespace scim::store
