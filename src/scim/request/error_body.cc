#include "scim/request/error_body.h"

#include "scim/text/json.h"

namespace scim {

std::string error_body(const Error &error, std::string_view request_id) {
    std::string detail = error.detail;
    if (!request_id.empty()) {
        if (!detail.empty()) detail += ' ';
        detail.append("(request ").append(request_id).append(")");
    }
    std::string out = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":")" +
                      std::to_string(error.status) + '"';
    if (error.type != ScimType::none)
        out.append(R"(,"scimType":")").append(to_string(error.type)) += '"';
    out += R"(,"detail":)";
    write_string(out, detail);
    out += '}';
    return out;
}

}  // namespace scim
