#include "service/content_type.h"

#include "scim/text.h"

namespace scim::service {

Outcome check_content_type(std::string_view type) {
    std::string_view media = type.substr(0, type.find(';'));
    while (!media.empty() && media.back() == ' ') media.remove_suffix(1);
    if (media.empty() || ascii_iequals(media, "application/scim+json") ||
        ascii_iequals(media, "application/json"))
        return Done{};
    return Error{415, ScimType::none,
                 "the body is " + quoted(media) + "; send Content-Type: application/scim+json", 0};
}

}  // namespace scim::service
