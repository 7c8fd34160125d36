#include "service/request.h"
#include "scim/request/error_body.h"

#include <cstdio>
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

std::string to_string(const Explanation &explanation) {
    char time[32];
    std::snprintf(time, sizeof time, "%.3fms", double(explanation.microseconds) / 1000);
    std::string text = explanation.plan;
    text += "; examined=" + std::to_string(explanation.resources);
    text += "; rows=" + std::to_string(explanation.rows);
    text += "; returned=" + std::to_string(explanation.returned);
    text += "; time=";
    return text += time;
}

void Response::clear() {
    status = 500;
    retry_after = 0;
    allow = {};
    etag.clear();
    location.clear();
    is_of_me = false;
    body.clear();
    in_sink = 0;
    explanation.reset();
    log_fields.operation = {};
    log_fields.resource_type.clear();
    log_fields.resource_id.clear();
    log_fields.detail.clear();
    log_fields.dialect.clear();
    log_fields.plan.clear();
    log_fields.scim_type = ScimType::none;
    log_fields.error_id = {};
    log_fields.refused.clear();
    log_fields.has_error = true;
}

Error unreadable(store::Errc code, uint16_t retry_after) {
    return Error{Refusal::store_unreadable,
                 "the directory cannot be read now: " + std::string(to_string(code)), retry_after};
}

void refuse(Response &response, const Error &error, const Request &request) {
    response.status = error.status();
    response.retry_after = error.retry_after;
    response.etag.clear();
    if (!response.is_of_me) response.location.clear();
    response.in_sink = 0;
    response.log_fields.detail = error.detail;
    response.log_fields.scim_type = error.type();
    response.log_fields.error_id = error.id();
    response.body = error_body(error, {request_text(request.id), request.settings->strict});
}

void refuse_or_less(Response &response, const Error &error, const Request &request) noexcept {
    try {
        refuse(response, error, request);
    } catch (const std::exception &) {
        response.status = error.status();
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
