#include "service/refused_tokens.h"

#include "service/token.h"
#include "store/tenants.h"

namespace scim::service {

ActorPtr find_refused(store::Txn &txn, std::string_view authorization) {
    while (!authorization.empty() && authorization.back() == ' ') authorization.remove_suffix(1);
    const size_t blank = authorization.rfind(' ');
    const std::string_view token =
        authorization.substr(blank == authorization.npos ? 0 : blank + 1);
    auto row = store::find_token(txn, digest_of(token));
    auto tenant = row ? store::find_tenant(txn, row->tenant) : std::nullopt;
    if (!tenant || tenant->state != store::TenantState::active) return nullptr;
    auto actor = std::make_shared<Actor>();
    actor->tenant = row->tenant;
    actor->token = row->number;
    actor->number = row->actor;
    actor->tenant_name = tenant->name;
    actor->label = row->label;
    return actor;
}

void RefusedTokens::add(const Actor &actor, const store::RequestId &request, const Error &error,
                        int64_t now) {
    constexpr size_t pending_max = 64;
    const std::string key = std::to_string(actor.tenant) + ' ' + std::to_string(actor.token);
    if (refusals_.size() >= pending_max || !lately_.is_new(key, now)) return;
    store::Refusal &refusal = refusals_.emplace_back();
    refusal.tenant = actor.tenant;
    refusal.time = now;
    refusal.actor = actor.number;
    refusal.request = request;
    refusal.operation = "authenticate";
    refusal.status = error.status();
    refusal.error_id = error.id();
    refusal.detail = error.detail;
}

}  // namespace scim::service
