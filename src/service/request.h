#pragma once
// One SCIM request and its answer, as every layer below HTTP sees them.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/filter.h"
#include "scim/json.h"
#include "scim/patch.h"
#include "scim/projection.h"
#include "scim/result.h"
#include "scim/target.h"
#include "store/directory.h"
#include "store/tenants.h"

namespace scim::service {

enum class Method : uint8_t { get, post, put, patch, del, other };
std::string_view to_string(Method method);

// What a location says about the requests it serves; const while it serves them.
struct Settings {
    uint64_t max_results = 1000;
    uint64_t max_scan = 1000000;  // records that one query may look at
    size_t max_operations = 1000, max_members = 20000;
    JsonLimits json;
    FilterLimits filter;
    bool strict = false;       // scim_profile rfc
    bool bearer_token = true;  // false: scim_auth off

    PatchLimits patch_limits() const {
        PatchLimits limits;
        limits.operations = max_operations;
        limits.members = max_members;
        limits.filter = filter;
        return limits;
    }
};

class Sink;  // service/outlet.h

// Views into bytes that the caller keeps until the answer is made; null for a missing header.
struct Request {
    Method method = Method::get;
    std::string_view path;      // percent-decoded, what follows the base URL
    std::string_view args;      // the query string as it was sent
    std::string_view base_url;  // without a trailing slash
    std::string_view content_type, content_encoding, if_match, if_none_match;
    std::string_view body;
    const Settings *settings = nullptr;
    store::RequestId id{};
    int64_t now = 0;  // milliseconds since 1970
    // Of a long read: when it must have ended, and whether nobody waits for it any more.
    std::optional<std::chrono::steady_clock::time_point> deadline;
    const std::atomic<bool> *cancelled = nullptr;
    Sink *sink = nullptr;   // takes an answer that is too long for memory
    bool explains = false;  // facts.plan is wanted
};

// Who asks. Shared by all requests that present the same token,
// until anything about tokens or tenants changes.
struct Actor {
    store::TenantNumber tenant = 0;
    uint32_t token = 0;  // its number in the tenant; 0 without one (scim_auth off)
    uint8_t scopes = 0;
    int64_t not_before = 0, expires = 0;  // milliseconds, 0: no bound
    std::string tenant_name, label;
    store::Digest digest{};   // of the token
    uint64_t auth_epoch = 0;  // at which all this was looked up

    bool may(store::Scope scope) const { return (scopes & scope) != 0; }
};
using ActorPtr = std::shared_ptr<const Actor>;

// What happened, for the log and its variables.
struct Facts {
    std::string_view operation;  // "create", "get", "list", …: a literal
    std::string resource_type, resource_id, detail, dialect;
    std::string plan;  // how a query was answered
    ScimType scim_type = ScimType::none;
};

struct Response {
    uint16_t status = 500;
    uint16_t retry_after = 0;  // seconds
    std::string_view allow;    // for 405: a literal
    std::string etag, location, body;
    uint64_t in_sink =
        0;  // bytes of a body that the request's sink has taken; `body` is empty then
    Facts facts;

    void clear();  // keeps the capacity of its strings
};

// Sets status, Retry-After, facts and an Error body that names the request.
void refuse(Response &response, const Error &error, const store::RequestId &request);

// The same; without memory for that the status and Retry-After alone. Never throws.
void refuse_or_less(Response &response, const Error &error,
                    const store::RequestId &request) noexcept;

// What is answered when memory runs out. Its text fits into a string that allocates nothing.
inline Error out_of_memory() noexcept { return Error{503, ScimType::none, "out of memory", 5}; }

// 503: why the store cannot be read, and after how many seconds it may be.
Error unreadable(store::Errc code, uint16_t retry_after = 5);

// 32 hexadecimal digits. Not a to_string(): a RequestId is the same type as an Id.
std::string request_text(const store::RequestId &id);

}  // namespace scim::service
