#include "scim/request/error_body.h"

#include "scim/text/json.h"

namespace scim {

std::string error_body(const Error &error, const ErrorView &view) {
    std::string detail = error.detail;
    if (!view.request_id.empty()) {
        if (!detail.empty()) detail += ' ';
        detail.append("(request ").append(view.request_id).append(")");
    }
    const uint16_t status = view.status != 0 ? view.status : error.status();
    std::string out = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":")" +
                      std::to_string(status) + '"';
    if (error.type() != ScimType::none)
        out.append(R"(,"scimType":")").append(to_string(error.type())) += '"';
    out += R"(,"detail":)";
    write_string(out, detail);
    if (!view.strict) out.append(R"(,"errorId":")").append(error.id()) += '"';
    out += '}';
    return out;
}

}  // namespace scim
