#pragma once
// Who is kept out (store/access.h), as text: in the NDJSON of scimctl export and import.
//
//     resource := { … "urn:nginx-scim:access": { state } }         a living user, if it has a state
//     line     := { "urn:nginx-scim:deleted": { value, state ["blockedUser": uuid] } }   a tombstone
//     state    := "blocked": time | "notBefore": time | both
//     value    := "userName": text | "externalId": text | "id": uuid
//               | "userNameKey": hex | "externalIdKey": hex
//     time     := xsd:dateTime after 1970
//
// A tombstone has the index value of its attribute. `text` is written if it has this index value
// itself; otherwise the index value is written in hexadecimal digits, for example that of a long
// name, which contains a digest. "blockedUser" is the id, in the exported store, of the blocked user who
// has left the tombstone. A time of the input that is more than 300 seconds in the future becomes 300
// seconds after now.

#include <optional>
#include <string>
#include <vector>

#include "scim/schema/catalog.h"
#include "scim/text/json.h"
#include "scim/text/result.h"
#include "store/access.h"

namespace scim::service {

// A user that was deleted, by one of its values.
struct DeletedUser {
    store::AccessKind kind = store::AccessKind::id;
    std::vector<std::string> values;  // index values, or the 16 bytes of the id
    store::AccessState state;
};

// Appends the member of a resource to the text of its JSON object.
void append_access(std::string &object, const store::AccessState &state);
// Removes the member from `record` and returns its state; empty() if there is none.
Result<store::AccessState> take_access(json_t *record, int64_t now);

// Appends the line of a tombstone, without a line feed. `key`: of the row in `access`.
void append_deleted_user(std::string &out, const Catalog &catalog, store::Bytes key,
                         const store::AccessState &state);
// Nothing if `record` is not the line of a tombstone.
Result<std::optional<DeletedUser>> read_deleted_user(const Catalog &catalog, const json_t *record,
                                                     int64_t now);

}  // namespace scim::service
