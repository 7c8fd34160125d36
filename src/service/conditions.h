#pragma once
// Conditional requests (RFC 9110 13.1.1, 13.1.2): If-Match and If-None-Match.
//
//     field := OWS ( "*" / [ tag ] *( OWS "," OWS [ tag ] ) ) OWS
//     tag   := [ "W/" ] DQUOTE *etagc DQUOTE / 1*etagc
//
// A tag without quotes deviates from the RFC's grammar; it is accepted because users copy tags by
// hand. A field must have at least one tag.

#include "service/request.h"

namespace scim::service {

// 400 if the request has one of the two fields and its value is empty or malformed, so that a
// malformed If-Match does not become an unconditional write.
Outcome check_condition_fields(const Request &request);

// For a request whose target has no ETag (a list, discovery, a search, a create): 412 if If-Match
// lists tags, because none of them can match (RFC 9110 13.1.1). If-Match: * and any If-None-Match
// are true.
Outcome check_unversioned(const Request &request);

// 412 unless `if_match` is "*" or lists `etag`. REQUIRES: `if_match` is well-formed and not empty.
Outcome check_if_match(std::string_view if_match, std::string_view etag);

// True if `field` is "*" or lists `etag`; tags are compared weakly (RFC 9110 8.8.3.2), because the
// ETags of resources are weak (RFC 7644 3.14). False for a malformed field.
bool etag_listed(std::string_view field, std::string_view etag);

}  // namespace scim::service
