#pragma once
// One SCIM request and its response, independent of nginx.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/filter/filter.h"
#include "scim/patch/patch.h"
#include "scim/request/target.h"
#include "scim/resource/projection.h"
#include "scim/text/json.h"
#include "scim/text/result.h"
#include "store/directory.h"
#include "store/read_budget.h"
#include "store/tenants.h"

namespace scim::service {

using store::ReadBudget;
using store::RunOn;

enum class Method : uint8_t { get, post, put, patch, del, other };
std::string_view to_string(Method method);

// The largest body of a bulk request, in bytes. body_work_most bounds its content.
constexpr size_t bulk_payload_most = 16u << 20;

// The settings of a location. They do not change while it serves requests.
struct Settings {
    uint64_t max_results = 1000;
    uint64_t max_scan = 1000000;  // records that one query may read
    size_t max_operations = 1000, max_members = 20000;
    size_t bulk_max_operations = 1000, bulk_max_payload = bulk_payload_most;  // bytes
    bool bulk_atomic = false;
    JsonLimits json;
    FilterLimits filter;
    int64_t cursor_timeout = 24 * 60 * 60;  // seconds
    bool strict = false;                    // scim_profile rfc
    bool bearer_token = true;               // false: scim_auth off
    bool nested_groups = false;             // scim_nested_groups
    bool explains = false;                  // scim_explain

    PatchLimits patch_limits() const {
        PatchLimits limits;
        limits.operations = max_operations;
        limits.members = max_members;
        limits.filter = filter;
        return limits;
    }
};

class BodySink;  // service/spilling_body.h

// The views point into memory of the caller, which must outlive the request. data() is null for a
// missing header.
struct Request {
    Method method = Method::get;
    std::string_view path;      // the rest of the URI after the base URL, percent-decoded
    std::string_view args;      // the query string, not decoded
    std::string_view base_url;  // without a trailing slash
    std::string_view content_type, content_encoding, if_match, if_none_match;
    std::string_view body;
    const Settings *settings = nullptr;
    store::RequestId id{};
    int64_t now = 0;           // milliseconds since 1970
    store::ReadEnd read_end;   // for a long read
    BodySink *sink = nullptr;  // takes a response body of more than 1 MiB
    bool explains = false;     // true: LogFields::plan is set
};

// The authenticated client. Shared by all requests with the same token until any token or tenant
// changes.
struct Actor {
    store::TenantNumber tenant = 0;
    uint32_t number = 0;  // of the row in `actors`; 0: no token (scim_auth off)
    uint32_t token = 0;   // number of the token in the tenant; 0: no token
    uint8_t scopes = 0;
    int64_t not_before = 0, expires = 0;  // milliseconds since 1970; 0: no limit
    std::string tenant_name, label;
    std::string cursor_key;   // Tenant::cursor_key
    std::string subject;      // id of the user that /Me addresses (me.h); empty: none
    store::Digest digest{};   // of the token
    uint64_t auth_epoch = 0;  // of the snapshot that these values were read from

    bool may(store::Scope scope) const { return (scopes & scope) != 0; }
};
using ActorPtr = std::shared_ptr<const Actor>;

// Values for the error log and for the variables of the access log.
struct LogFields {
    std::string_view operation;  // "create", "get", "list", …: a literal
    std::string resource_type, resource_id, detail, dialect;
    std::string plan;  // how the query was evaluated
    ScimType scim_type = ScimType::none;
    std::string_view error_id;         // Error::id(); empty if the request is not refused
    std::vector<std::string> refused;  // of a bulk request: sentences for the error log
    bool has_error = true;             // false: `detail` is not an error
};

// How a list was made: the header SCIM-Explain, and scimctl explain.
struct Explanation {
    std::string plan;                  // Search::explain()
    std::string advice;                // Search::advice()
    uint64_t resources = 0, rows = 0;  // that were examined
    uint64_t returned = 0;             // resources
    int64_t microseconds = 0;
};
std::string to_string(const Explanation &explanation);

struct Response {
    uint16_t status = 500;
    uint16_t retry_after = 0;  // seconds; 0: no Retry-After
    std::string_view allow;    // value of Allow for 405, a literal
    std::string etag, location, body;
    bool is_of_me = false;  // of /Me: every response has `location` (RFC 7644 3.11), errors too
    uint64_t in_sink = 0;   // bytes of the body that were written to the sink; then `body` is empty
    std::optional<Explanation> explanation;  // of a list, if Settings::explains
    LogFields log_fields;

    void clear();  // keeps the capacity of its strings
};

// Sets status, Retry-After, log fields and a SCIM error body. Uses the id and the settings of the
// request only.
void refuse(Response &response, const Error &error, const Request &request);

// The same, but sets only status and Retry-After if memory is short. Never throws.
void refuse_or_less(Response &response, const Error &error, const Request &request) noexcept;

// 503 for a lack of memory. The detail fits into a std::string without an allocation.
inline Error out_of_memory() noexcept { return Error{Refusal::out_of_memory, "out of memory", 5}; }

// 503 for a store that cannot be read. `retry_after` is in seconds.
Error unreadable(store::Errc code, uint16_t retry_after = 5);

// The id as 32 hexadecimal digits. Not named to_string(), because RequestId is the same type as Id.
std::string request_text(const store::RequestId &id);

}  // namespace scim::service
