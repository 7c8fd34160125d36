#pragma once
// Tokens that are refused although the store knows them: expired, revoked or not yet valid. They have
// a tenant, whose log keeps the refusal.

#include <utility>
#include <vector>

#include "service/once_a_minute.h"
#include "service/request.h"
#include "store/directory.h"
#include "store/lmdb.h"

namespace scim::service {

// The token of an Authorization header that was refused with 401; nullptr if the store does not know
// it. Only tenant, number and names are set.
ActorPtr find_refused(store::Txn &txn, std::string_view authorization);

class RefusedTokens {
  public:
    // Once a minute a token, at most 64 until they are taken. `now` in milliseconds.
    void add(const Actor &actor, const store::RequestId &request, const Error &error, int64_t now);
    std::vector<store::Refusal> take() { return std::exchange(refusals_, {}); }

  private:
    std::vector<store::Refusal> refusals_;
    OnceAMinute lately_;
};

}  // namespace scim::service
