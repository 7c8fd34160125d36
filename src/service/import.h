#pragma once
// Imports NDJSON of SCIM resources, one a line, into a tenant.
//
// A record takes the same steps as a request: it is prepared, planned and applied, and refused by
// the same rules. Records are prepared on threads, outside of a transaction, and written in
// transactions whose length depends on who else waits for the write lock (import_transactions.h). A
// group of many members is created and updated in steps.
//
// Records should precede those that refer to them. A reference to a later record is added at the
// end of the input; one to a record that does not exist is left out and reported.
//
// The position in the input is written in the transaction of its records (store/import_position.h).
// An import of the same input with the same options continues there: no record is written twice or
// lost. The lines before the position are read again, to know their ids.

#include <map>
#include <string>
#include <string_view>

#include "service/import_transactions.h"

namespace scim::service {

class Importer {
  public:
    // All must outlive the importer. The functions of the listener are called one after the other,
    // but for begun() on another thread than those of the importer.
    Importer(Store &store, store::TenantNumber tenant, const ImportOptions &options,
             ImportListener &listener)
        : options_(options), transactions_(store, tenant, options, listener) {}

    // Adds the next line of the input, without its line feed; it may be written later. Blank lines
    // are ignored. 503 if the store cannot be read or written, or the tenant was removed: what is
    // committed stays, and the import can be continued. 409 if the input is not that of the
    // interrupted import. After an error the importer must not be used.
    Outcome add(std::string line);
    // Writes what is left, then the references to later records. Must be called even after an
    // empty input.
    Outcome finish();
    // Instead of finish(), if the rest of the input cannot be read: writes the batches that are full.
    // The import can be continued.
    Outcome break_off();

    // REQUIRES: finish() or break_off() was called, or add() has failed.
    const ImportCounts &counts() const { return transactions_.counts(); }
    const std::map<std::string, uint64_t> &ignored() const { return transactions_.ignored(); }

  private:
    Outcome begin(std::string_view line);
    Outcome pass_on();

    const ImportOptions options_;
    uint64_t lines_ = 0, digest_ = 0;  // of the input
    bool is_begun_ = false;
    ImportBatch batch_;  // that is filled
    ImportTransactions transactions_;
};

}  // namespace scim::service
