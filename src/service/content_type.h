#pragma once
// Media types: Content-Type and Content-Encoding of requests, Content-Type of responses.

#include "service/request.h"

namespace scim::service {

// 415 unless Content-Type is application/scim+json, application/json (RFC 7644 3.8) or missing,
// which is common and harmless. 415 for any Content-Encoding but identity, because a small
// compressed body could become arbitrarily large.
Outcome check_content_type(const Request &request);

// The Accept fields of a request (RFC 7644 3.8, RFC 9110 12.5.1). They select one of two media types.
class AcceptedTypes {
  public:
    // The arguments must outlive the object.
    AcceptedTypes(std::string_view usual, std::string_view other)
        : usual_{usual, {}}, other_{other, {}} {}
    // Adds one field; several fields count as one list. A malformed list member is ignored.
    void add(std::string_view field);
    // `other` if the client prefers it to `usual`, otherwise `usual`, even if it accepts neither.
    std::string_view answer_type() const;

  private:
    // The weight of the most specific media range that matches the type.
    struct Quality {
        int specificity = 0;  // 1: */*, 2: application/*, 3: the type itself
        int weight = 0;       // thousandths
    };
    struct Candidate {
        std::string_view type;
        Quality quality;
    };
    static int specificity_of(std::string_view range, std::string_view type);
    static void raise(Candidate &candidate, std::string_view range, int weight);
    Candidate usual_, other_;
};

}  // namespace scim::service
