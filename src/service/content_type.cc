#include "service/content_type.h"

#include "scim/text.h"

namespace scim::service {

Outcome check_content_type(const Request &request) {
    std::string_view media = request.content_type.substr(0, request.content_type.find(';'));
    while (!media.empty() && media.back() == ' ') media.remove_suffix(1);
    if (!media.empty() && !ascii_iequals(media, "application/scim+json") &&
        !ascii_iequals(media, "application/json"))
        return Error{415, ScimType::none,
                     "the body is " + quoted(media) + "; send Content-Type: application/scim+json",
                     0};
    std::string_view encoding = request.content_encoding;
    if (!encoding.empty() && !ascii_iequals(encoding, "identity"))
        return Error{
            415, ScimType::none,
            "the body is encoded as " + quoted(encoding) + "; send it without Content-Encoding", 0};
    return Done{};
}

}  // namespace scim::service
