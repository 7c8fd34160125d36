#pragma once
// Limits the time of a read: on the event loop by an estimate, counted in bytes, that does not use
// the clock; on a thread by a deadline. Once a call returns false, the read must end.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "scim/text/result.h"

namespace scim::store {

class Txn;

enum class RunOn : uint8_t {
    event_loop,  // a few milliseconds; a read that takes longer is deferred
    thread,      // until the deadline of the request, or until its client disconnects
};

// When a read on a thread must end.
struct ReadEnd {
    std::optional<std::chrono::steady_clock::time_point> deadline;
    const std::atomic<bool> *cancelled = nullptr;  // set when the client has disconnected
};

class ReadBudget {
  public:
    // `txn` is the transaction of the read, or nullptr. The read ends when the process must adopt a
    // larger map (Txn::must_end()). `txn` and `*end.cancelled` must outlive the object.
    ReadBudget(const ReadEnd &end, RunOn run_on, const Txn *txn = nullptr)
        : end_(end), run_on_(run_on), txn_(txn) {}

    // Called before each resource that is read, once, with the bytes to charge: the size of its
    // record, or a multiple of it for more work. False if the read must end.
    bool next_resource(size_t bytes = 0) {
        resources_++;
        return go_on(bytes);
    }
    // The same for other steps of a read, such as a resource that is processed again.
    bool go_on(size_t bytes = 0) {
        bytes_ += bytes;
        bool is_time = ++steps_ % steps_a_look == 0 || bytes_ > bytes_a_look;
        return (!is_time || look()) && !stopped_;
    }
    // Called before further work on a resource, with the bytes to charge for it, each some
    // nanoseconds. False if the work must not be done and the read must end.
    bool has_time(size_t bytes) {
        bytes_ += bytes;
        return (bytes_ <= bytes_a_look || look()) && !stopped_;
    }
    // Called before the checksum of a record of this size is computed. It takes less than an eighth
    // of the time that a byte is charged for: 1 ms for 7 MiB.
    bool may_check(size_t bytes) { return has_time(bytes / 8); }
    // Called before each index or membership row that is read, which takes 0.1 µs.
    bool may_walk() {
        rows_++;
        return has_time(row_bytes);
    }
    // The resources and rows that the read has examined so far.
    uint64_t resources() const { return resources_; }
    uint64_t rows() const { return rows_; }
    // True if the cost of each record must be charged (on the event loop only). On a thread this is
    // omitted, because it would slow down a scan of many records.
    bool is_strict() const { return run_on_ == RunOn::event_loop; }
    bool stopped() const { return stopped_; }
    // True if the read must end on the event loop and be repeated on a thread.
    bool deferred() const { return stopped_ && run_on_ == RunOn::event_loop; }
    // The 503 for a read on a thread that was ended. REQUIRES: stopped().
    Error error() const;

  private:
    // On a thread, look() checks the clock after this many steps or bytes: a record has up to
    // 16 MiB. On the event loop, bytes_a_look is the limit of the whole read.
    static constexpr uint64_t steps_a_look = 1000, bytes_a_look = 1 << 20;
    // The charge for an index or membership row, in bytes: the event loop reads up to 16,384 rows,
    // in 1 to 2 ms.
    static constexpr size_t row_bytes = 64;
    bool look();

    ReadEnd end_;
    RunOn run_on_;
    const Txn *txn_;
    uint64_t resources_ = 0, rows_ = 0, steps_ = 0, bytes_ = 0;
    bool stopped_ = false, cancelled_ = false, superseded_ = false;
};

}  // namespace scim::store
