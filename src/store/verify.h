#pragma once
// Checks the consistency of a whole store in bounded memory, without writing.
//
// Every row is read once or twice. Every rule that DirectoryWriter, tenants.h and add_refusal()
// maintain is checked in both directions: every derived row exists, and every derived row has its
// source. The time is linear in the number of rows and the bytes of the records. The rows of a
// tenant that is being removed are only counted, because they are deleted in steps.
//
// The store may be written during the check. An open snapshot prevents writers from reusing the
// pages that they free, and the file grows; therefore the check may read many short snapshots. Each
// rule is then checked within one snapshot, with two exceptions: a counter of resources is not
// compared if the tenant was written while its resources were counted (`uncompared`), and pages
// (verify_pages.h) are always checked in one snapshot of their own.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/lmdb.h"

namespace scim::store {

struct Problem {
    Db db;
    std::string key;   // readable: "tenant 1 User userName \"ada\" 0190…"
    std::string text;  // one sentence
};

struct VerifyReport {
    std::vector<Problem> problems;  // the first `limit` ones
    uint64_t problem_count = 0;     // of all problems

    uint64_t tenants = 0, removing = 0;  // active tenants, tenants that are being removed
    uint64_t tokens = 0, resources = 0, index_rows = 0, memberships = 0, changes = 0, refusals = 0,
             access_rows = 0, names = 0;  // of active tenants
    uint64_t unswept_rows = 0;            // of tenants that are being removed
    uint64_t uncompared = 0;              // counters that could not be compared
};

// The sequence of transactions that a check reads.
class Snapshots {
  public:
    virtual Txn &txn() = 0;
    // Called with the size of each row in bytes: true if the next row should be read in a new
    // transaction.
    virtual bool is_due(size_t bytes) = 0;
    // Ends the transaction and begins a new one. REQUIRES: no cursor is open, and bytes that the
    // old transaction returned are not used afterwards.
    virtual void renew() = 0;

  protected:
    ~Snapshots() = default;
};

// One transaction for the whole check.
class OneSnapshot final : public Snapshots {
  public:
    explicit OneSnapshot(Txn &txn) : txn_(txn) {}
    Txn &txn() override { return txn_; }
    bool is_due(size_t) override { return false; }
    void renew() override {}

  private:
    Txn &txn_;
};

// Begins a new transaction after 10,000 rows or 16 MiB, which take about 50 ms.
class ShortSnapshots final : public Snapshots {
  public:
    explicit ShortSnapshots(Reader &reader) : reader_(reader) { txn_.emplace(reader_); }
    Txn &txn() override { return *txn_; }
    bool is_due(size_t bytes) override;
    void renew() override;

  private:
    Reader &reader_;
    std::optional<ReadTxn> txn_;
    size_t rows_ = 0, bytes_ = 0;
};

// Describes the first `limit` problems and counts all. If the store cannot be read to its end, that
// is reported as a problem.
VerifyReport verify(Snapshots &snapshots, size_t limit = 100);
inline VerifyReport verify(Txn &txn, size_t limit = 100) {
    OneSnapshot one(txn);
    return verify(one, limit);
}

}  // namespace scim::store
