#pragma once
// Imports NDJSON of SCIM resources, one a line, into a tenant.
//
// A record takes the same steps as a request: it is prepared, planned and applied, and refused by
// the same rules. Records are prepared on threads, outside of a transaction, and written in
// transactions whose length depends on who else waits for the write lock (write_pace.h). A group of
// many members is created and updated in steps.
//
// Records should precede those that refer to them. A reference to a later record is added at the
// end of the input; one to a record that does not exist is left out and reported.
//
// The position in the input is written in the transaction of its records (store/import_position.h).
// An import of the same input with the same options continues there: no record is written twice or
// lost. The lines before the position are read again, to know their ids.

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "service/import_writer.h"
#include "service/write_pace.h"

namespace scim::service {

class Importer {
  public:
    // All must outlive the importer.
    Importer(Store &store, store::TenantNumber tenant, const ImportOptions &options,
             ImportListener &listener);

    // Adds the next line of the input, without its line feed; it may be written later. Blank lines
    // are ignored. 503 if the store cannot be read or written, or the tenant was removed: what is
    // committed stays, and the import can be continued. 409 if the input is not that of the
    // interrupted import. After an error the importer must not be used.
    Outcome add(std::string line);
    // Writes what is left, then the references to later records. Must be called even after an
    // empty input.
    Outcome finish();

    const ImportCounts &counts() const { return writer_.counts(); }
    const std::map<std::string, uint64_t> &ignored() const { return writer_.ignored(); }

  private:
    struct Batch {
        std::vector<ImportRecord> records;
        std::shared_ptr<const ImportReader> reader;
        size_t bytes = 0;
    };

    Outcome begin(const std::string &line);
    Outcome pass_on();
    Outcome take(Batch &batch);
    Outcome check_recalled(const ImportRecord &record);
    Outcome expect(Batch &batch);
    Outcome write(Batch &batch, size_t next);
    Outcome write_some(Batch &batch, size_t &next);
    Outcome rehearse(Batch &batch, size_t next);
    Outcome write_later();
    Outcome write_later_some();
    Outcome end();
    Outcome check(store::WriteTxn &txn, std::shared_ptr<const Catalog> &catalog);
    Outcome commit(store::WriteTxn &txn);
    Outcome failed(store::Errc code) const;
    Outcome other_input();
    std::shared_ptr<const ImportReader> make_reader(std::shared_ptr<const Catalog> catalog);

    Store &store_;
    const store::TenantNumber tenant_;
    const ImportOptions options_;
    ImportListener &listener_;
    Session session_;
    CatalogCache catalogs_;
    WritePace pace_;
    ImportWriter writer_;
    std::shared_ptr<const Catalog> catalog_;

    store::ImportPosition position_;
    std::optional<store::ImportPosition> known_;  // as it was stored last, if no other import runs
    uint64_t recalled_ = 0;                       // lines that the interrupted import has done
    bool is_resumed_ = false;  // the interrupted import has written a part of the next record

    uint64_t lines_ = 0, digest_ = 0;  // of the input
    Batch filling_;
    Batch reading_;  // by the tasks, until they have ended
    std::vector<std::future<void>> tasks_;
};

}  // namespace scim::service
