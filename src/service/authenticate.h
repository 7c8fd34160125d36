#pragma once
// Who a request is from. Exact: a token that was revoked, or whose tenant was removed, in the
// snapshot that a request is served from does not authenticate it.

#include <string_view>
#include <vector>

#include "service/request.h"
#include "store/lmdb.h"

namespace scim::service {

class Authenticator {
  public:
    // The Authorization header's value; both "Bearer <token>" and the bare token, which Okta sends
    // as it was typed. 401 tells apart: no header, another scheme, damaged, unknown, not yet valid,
    // expired, revoked. 503 if the store cannot be read. `now` in milliseconds.
    Result<ActorPtr> authenticate(store::Txn &txn, std::string_view authorization, int64_t now);

    // The tenant of a location without authentication. 403 for a name that no tenant has.
    Result<ActorPtr> anonymous(store::Txn &txn, std::string_view tenant, uint8_t scopes);

  private:
    Result<ActorPtr> look_up(store::Txn &txn, std::string_view token, uint64_t epoch);
    uint64_t epoch_of(store::Txn &txn);

    // A cache that cannot be wrong: an entry counts only while the auth epoch of the snapshot is
    // the one it was made under, and the epoch is asked for again with every new snapshot.
    struct Entry {
        std::string token;
        ActorPtr actor;
    };
    static constexpr size_t slots = 1024;
    std::vector<Entry> cache_{slots};
    uint64_t txn_ = 0, epoch_ = 0;
    bool known_ = false;
};

// 403 unless the actor belongs to `tenant`.
// Location and token must agree; `detail` names neither's data.
Outcome check_tenant(const Actor &actor, std::string_view tenant);

}  // namespace scim::service
