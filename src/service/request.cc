#include "service/request.h"

#include <exception>

namespace scim::service {

std::string_view to_string(Method method) {
    switch (method) {
        case Method::get: return "GET";
        case Method::post: return "POST";
        case Method::put: return "PUT";
        case Method::patch: return "PATCH";
        case Method::del: return "DELETE";
        case Method::other: break;
    }
    return "this method";
}

void Response::clear() {
    status = 500;
    retry_after = 0;
    allow = {};
    etag.clear();
    location.clear();
    body.clear();
    in_sink = 0;
    facts.operation = {};
    facts.resource_type.clear();
    facts.resource_id.clear();
    facts.detail.clear();
    facts.dialect.clear();
    facts.plan.clear();
    facts.scim_type = ScimType::none;
}

Error unreadable(store::Errc code, uint16_t retry_after) {
    return Error{503, ScimType::none,
                 "the directory cannot be read now: " + std::string(to_string(code)), retry_after};
}

void refuse(Response &response, const Error &error, const store::RequestId &request) {
    response.status = error.status;
    response.retry_after = error.retry_after;
    response.etag.clear();
    response.location.clear();
    response.in_sink = 0;
    response.facts.detail = error.detail;
    response.facts.scim_type = error.type;
    response.body = error_body(error, request_text(request));
}

void refuse_or_less(Response &response, const Error &error,
                    const store::RequestId &request) noexcept {
    try {
        refuse(response, error, request);
    } catch (const std::exception &) {
        response.status = error.status;
        response.retry_after = error.retry_after;
        response.body.clear();
    }
}

std::string request_text(const store::RequestId &id) {
    std::string out;
    out.reserve(2 * id.size());
    append_hex(out, id.data(), id.size());
    return out;
}

}  // namespace scim::service
