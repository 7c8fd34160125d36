#pragma once
// How long a read may take, and the look at the clock that keeps it within that.

#include "service/request.h"
#include "store/directory.h"

namespace scim::service {

enum class RunOn : uint8_t {
    event_loop,  // a few milliseconds: what would take longer is deferred
    thread,      // until the request's deadline, or until its client is gone
};

class ReadBudget final : public store::Allowance {
  public:
    // `txn`: the read's, to be ended when the process must adopt a larger map.
    ReadBudget(const Request &request, RunOn run_on, const store::Txn *txn = nullptr)
        : request_(request), run_on_(run_on), txn_(txn) {}

    // To be asked for each record that is looked at, with its size, or several times that if it is
    // looked at in several ways: false if that must end.
    bool go_on(size_t bytes = 0) {
        bytes_ += bytes;
        bool is_time = ++seen_ % records_a_look == 0 || bytes_ > bytes_a_look;
        return (!is_time || look()) && !stopped_;
    }
    // To be asked before more is done to a record than that: false if it must not be done. What takes
    // longer than its bytes do is given as more bytes, each some nanoseconds.
    bool has_time(size_t bytes) {
        bytes_ += bytes;
        return (bytes_ <= bytes_a_look || look()) && !stopped_;
    }
    // A checksum takes less than an eighth of what else is done to a byte.
    bool may_check(size_t bytes) override { return has_time(bytes / 8); }
    bool may_walk() override { return has_time(row_bytes); }
    // True if every record has its price: a thread that looks at a million of them saves the reckoning.
    bool is_strict() const { return run_on_ == RunOn::event_loop; }
    bool stopped() const { return stopped_; }
    // True if it is the event loop that must not go on.
    bool deferred() const { return stopped_ && run_on_ == RunOn::event_loop; }
    // REQUIRES: stopped().
    Error error() const;

  private:
    // The event loop has no time for more bytes than these. Records may be large: those of a
    // resource are bounded at 16 MiB.
    static constexpr uint64_t records_a_look = 1000, bytes_a_look = 1 << 20;
    // A row takes as long as these: the event loop walks 16,384, in one millisecond or two.
    static constexpr size_t row_bytes = 64;
    bool look();

    const Request &request_;
    RunOn run_on_;
    const store::Txn *txn_;
    uint64_t seen_ = 0, bytes_ = 0;
    bool stopped_ = false, cancelled_ = false, superseded_ = false;
};

}  // namespace scim::service
