#pragma once
// Media types: Content-Type and Content-Encoding of requests, Content-Type of responses.

#include "service/request.h"

namespace scim::service {

// 415 unless Content-Type is application/scim+json, application/json (RFC 7644 3.8) or missing,
// which is common and harmless. 415 for any Content-Encoding but identity, because a small
// compressed body could become arbitrarily large.
Outcome check_content_type(const Request &request);

// The Accept fields of a request (RFC 7644 3.8, RFC 9110 12.5.1). They select one of the two media
// types of JSON responses.
class AcceptedTypes {
  public:
    // Adds one field; several fields count as one list. A malformed list member is ignored.
    void add(std::string_view field);
    // "application/json" if the client prefers it to "application/scim+json", otherwise
    // "application/scim+json", even if the client accepts neither.
    std::string_view answer_type() const;

  private:
    // The weight of the most specific media range that matches the type.
    struct Quality {
        int specificity = 0;  // 1: */*, 2: application/*, 3: the type itself
        int weight = 0;       // thousandths
    };
    static void raise(Quality &quality, int specificity, int weight);
    Quality scim_, json_;
};

}  // namespace scim::service
