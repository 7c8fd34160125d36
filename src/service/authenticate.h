#pragma once
// Who a request is from. Exact: a token that was revoked, or whose tenant was removed, in the
// snapshot that a request is served from does not authenticate it.

#include <string_view>
#include <utility>
#include <vector>

#include "scim/dialect.h"
#include "service/request.h"
#include "store/lmdb.h"

namespace scim::service {

class Authenticator {
  public:
    // The Authorization header's value: "Bearer <token>", or the token alone, as Okta sends what
    // was typed (bare-token). 401 tells apart: no header, another scheme, damaged, unknown, not yet
    // valid, expired, revoked. 503 if the store cannot be read. `now` in milliseconds.
    Result<ActorPtr> authenticate(store::Txn &txn, std::string_view authorization, int64_t now,
                                  Dialect &dialect);

    // The tenant of a location without authentication. 403 for a name that no tenant has.
    Result<ActorPtr> anonymous(store::Txn &txn, std::string_view tenant, uint8_t scopes);

    // Who asks for what is_public() and sends no Authorization header: of no tenant, with no scope.
    static ActorPtr nobody();

    // Uses of tokens that are to be recorded (store/tenants.h): where what is recorded is older than
    // an hour. Only who was let in is noted, so that a stranger causes no write.
    bool has_uses() const { return !uses_.empty(); }
    std::vector<store::TokenUse> take_uses() { return std::exchange(uses_, {}); }

    static constexpr int64_t use_interval = 3600 * 1000;  // milliseconds
    static constexpr size_t uses_pending_max = 1024;      // more are noted when they come again

  private:
    Result<ActorPtr> look_up(store::Txn &txn, std::string_view token, uint64_t epoch);
    uint64_t epoch_of(store::Txn &txn);

    // A cache that cannot be wrong: an entry counts only while the auth epoch of the snapshot is
    // the one it was made under, and the epoch is asked for again with every new snapshot.
    struct Entry {
        std::string token;
        ActorPtr actor;
        int64_t used = 0;  // the last use that is recorded or noted
    };
    void note_use(Entry &entry, int64_t now);
    static constexpr size_t slots = 1024;
    std::vector<Entry> cache_;  // empty, or of `slots`
    uint64_t txn_ = 0, epoch_ = 0;
    bool known_ = false;
    std::vector<store::TokenUse> uses_;
};

// 403 unless the actor belongs to `tenant`.
// Location and token must agree; `detail` names neither's data.
Outcome check_tenant(const Actor &actor, std::string_view tenant);

}  // namespace scim::service
