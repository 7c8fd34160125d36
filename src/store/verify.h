#pragma once
// A whole store checked against itself, in bounded memory.
//
// Every row is read once or twice, and every rule that DirectoryWriter, tenants.h and refusals keep
// is checked in both directions: every derived row exists, and every derived row has its source.
// The time grows with the number of rows and with the bytes of the records, not faster. The rows of
// a tenant that is being removed are counted and not judged: they go in any order. Nothing is
// written.
//
// The store may be written meanwhile. A snapshot that stays open keeps the writers from reusing the
// pages that they free, and the file grows; so the check may read many short snapshots. Every rule
// is then checked within one snapshot, except two: that a counter of resources is right, which
// cannot be said of a tenant that was written while its resources were counted (`uncompared`); and
// pages (verify_pages.h), which one snapshot tells.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/lmdb.h"

namespace scim::store {

struct Problem {
    Db db;
    std::string key;   // for a reader: "tenant 1 User userName \"ada\" 0190…"
    std::string text;  // one sentence
};

struct VerifyReport {
    std::vector<Problem> problems;  // the first ones
    uint64_t problem_count = 0;     // all

    uint64_t tenants = 0, removing = 0;  // active ones, and those that are being removed
    uint64_t tokens = 0, resources = 0, index_rows = 0, memberships = 0, changes = 0,
             refusals = 0;      // of active tenants
    uint64_t unswept_rows = 0;  // of tenants that are being removed
    uint64_t uncompared = 0;    // counters that could not be compared
};

// The transactions that a check reads, one after the other.
class Snapshots {
  public:
    virtual Txn &txn() = 0;
    // Called with the size of each row in bytes: true if the next row should be read in another
    // transaction.
    virtual bool is_due(size_t bytes) = 0;
    // Ends the transaction and begins another one, which is not older. REQUIRES: no cursor is open,
    // and no bytes of the transaction are looked at afterwards.
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

// A new transaction after 10,000 rows or 16 MiB: some 50 ms.
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

// `limit`: how many problems are described; the others are counted. If the store cannot be read to
// its end, that is a problem, too.
VerifyReport verify(Snapshots &snapshots, size_t limit = 100);
inline VerifyReport verify(Txn &txn, size_t limit = 100) {
    OneSnapshot one(txn);
    return verify(one, limit);
}

std::string_view database_name(Db db);

}  // namespace scim::store
