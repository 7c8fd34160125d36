#pragma once
// What a body may say it is, and what an answer is called.

#include "service/request.h"

namespace scim::service {

// 415 unless the type is SCIM's, plain JSON's, or missing: that is common on real requests and
// harmless (RFC 7644 3.8). 415 for what is compressed, too: a small body could become any size.
Outcome check_content_type(const Request &request);

// RFC 7644 3.8, RFC 9110 12.5.1: the Accept fields of a request. An answer is always JSON, under one of
// two names.
class AcceptedTypes {
  public:
    // One field; several count as one list. A member that is malformed is ignored.
    void add(std::string_view field);
    // "application/json" if the client prefers it to "application/scim+json", which is what else is
    // sent: to a client that accepts neither, too.
    std::string_view answer_type() const;

  private:
    // The quality of the most specific range that covers the type.
    struct Quality {
        int specificity = 0;  // 1: */*, 2: application/*, 3: the type itself
        int weight = 0;       // thousandths
    };
    static void raise(Quality &quality, int specificity, int weight);
    Quality scim_, json_;
};

}  // namespace scim::service
