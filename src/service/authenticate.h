#pragma once
// Authentication by bearer tokens (RFC 6750). A token that is revoked, or whose tenant is removed,
// in the snapshot that serves a request does not authenticate that request.

#include <string_view>
#include <utility>
#include <vector>

#include "scim/resource/dialect.h"
#include "service/request.h"
#include "store/lmdb.h"

namespace scim::service {

class Authenticator {
  public:
    // `authorization` is the value of the Authorization header: "Bearer <token>", or the token
    // alone, as Okta sends it (deviation bare-token). 401 with a specific detail if the header is
    // missing or has another scheme, or if the token is damaged, unknown, not yet valid, expired or
    // revoked. 503 if the store cannot be read. `now` is in milliseconds since 1970.
    Result<ActorPtr> authenticate(store::Txn &txn, std::string_view authorization, int64_t now,
                                  Dialect &dialect);

    // The actor of a location with scim_auth off: the named tenant, without a token. 403 if no
    // tenant has this name.
    Result<ActorPtr> anonymous(store::Txn &txn, std::string_view tenant, uint8_t scopes);

    // The actor of a request for a public endpoint (is_public() in routes.h) without an
    // Authorization header. It has no tenant and no scopes.
    static ActorPtr nobody();

    // Token uses to be recorded (store/tenants.h). A use is noted if the recorded one is older than
    // use_interval. Refused tokens are not noted, so that unauthenticated clients cause no writes.
    bool has_uses() const { return !uses_.empty(); }
    std::vector<store::TokenUse> take_uses() { return std::exchange(uses_, {}); }

    static constexpr int64_t use_interval = 3600 * 1000;  // milliseconds
    static constexpr size_t uses_pending_max = 1024;      // later requests note further uses

  private:
    Result<ActorPtr> look_up(store::Txn &txn, std::string_view token, uint64_t epoch);
    uint64_t epoch_of(store::Txn &txn);

    // A cache of tokens that is never stale: an entry is used only if it was made under the auth
    // epoch of the current snapshot, and the epoch is read again from every new snapshot.
    struct Entry {
        std::string token;
        ActorPtr actor;
        int64_t used = 0;  // time of the last use recorded or noted, in milliseconds since 1970
    };
    void note_use(Entry &entry, int64_t now);
    static constexpr size_t slots = 1024;
    std::vector<Entry> cache_;  // empty until the first request, then of size `slots`
    uint64_t txn_ = 0, epoch_ = 0;
    bool known_ = false;
    std::vector<store::TokenUse> uses_;
};

// 403 unless the actor belongs to `tenant`, the scim_tenant of the location. The detail names only
// the tenant of the token.
Outcome check_tenant(const Actor &actor, std::string_view tenant);

// The 403 for every request of a disabled tenant.
Error tenant_disabled(std::string_view tenant);

}  // namespace scim::service
