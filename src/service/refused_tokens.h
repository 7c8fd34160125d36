#pragma once
// Refusals of tokens that the store knows: expired, revoked or not yet valid ones. They are written
// to the log of the token's tenant (scimctl log --failed).

#include <utility>
#include <vector>

#include "service/once_a_minute.h"
#include "service/request.h"
#include "store/directory.h"
#include "store/lmdb.h"

namespace scim::service {

// The owner of the token in an Authorization header that was refused with 401; nullptr if the store
// does not know the token. Only the tenant, the token's number and their names are set.
ActorPtr find_refused(store::Txn &txn, std::string_view authorization);

class RefusedTokens {
  public:
    // Adds a refusal, at most one a minute for each token, and at most 64 until take(). `now` is in
    // milliseconds since 1970.
    void add(const Actor &actor, const store::RequestId &request, const Error &error, int64_t now);
    // Returns the refusals and removes them.
    std::vector<store::Refusal> take() { return std::exchange(refusals_, {}); }

  private:
    std::vector<store::Refusal> refusals_;
    OnceAMinute lately_;
};

}  // namespace scim::service
