#pragma once
// How long a read may take, and the look at the clock that keeps it within that.

#include "service/request.h"

namespace scim::service {

enum class Patience : uint8_t {
    event_loop,  // a few milliseconds: what would take longer is deferred
    thread,      // until the request's deadline, or until its client is gone
};

class Watch {
  public:
    explicit Watch(const Request &request) : request_(request) {}

    // To be asked for each record that is looked at: false if that must end.
    bool go_on() { return (++seen_ % records_a_look != 0 || look()) && !stopped_; }
    bool stopped() const { return stopped_; }
    // REQUIRES: stopped().
    Error error() const;

  private:
    static constexpr uint64_t records_a_look = 1000;
    bool look();

    const Request &request_;
    uint64_t seen_ = 0;
    bool stopped_ = false, cancelled_ = false;
};

}  // namespace scim::service
