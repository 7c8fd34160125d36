#pragma once
// The transactions of an import (import.h): a thread that takes the batches of records, in order,
// and writes them.
//
// A transaction goes on with the next batch, because a long one writes a page of an index once for
// many rows. It ends when another writer waits for the lock, after a time that depends on how long
// nobody has waited (write_pace.h), when it has used half of the room in the map, and before something
// that takes long or needs what it has written.

#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "service/import_writer.h"
#include "service/write_pace.h"

namespace scim::service {

// Records that follow each other in the input.
struct ImportBatch {
    std::vector<ImportRecord> records;
    size_t bytes = 0;  // of their lines
    std::shared_ptr<const ImportReader> reader;
    bool is_read = false;  // `reader` has read the records
    std::future<void> reading;
};

class ImportTransactions {
  public:
    // All must outlive the object.
    ImportTransactions(Store &store, store::TenantNumber tenant, const ImportOptions &options,
                       ImportListener &listener);
    ~ImportTransactions();

    // Looks for an interrupted import of the same input, whose first line has this digest, and starts
    // the thread.
    Outcome begin(uint64_t source);
    // Passes on the next batch, and starts to read its records. Waits while batches_most of them
    // wait. An error is what has ended the thread.
    Outcome add(ImportBatch batch);
    // Waits until all is written, with the references to later records. An exception of the thread is
    // thrown.
    Outcome finish();
    // For an input that breaks off: waits until all batches are written. The import can be continued.
    Outcome break_off();

    // What is committed; of a dry run, what would be. REQUIRES: the thread has ended.
    const ImportCounts &counts() const { return counts_; }
    const std::map<std::string, uint64_t> &ignored() const { return writer_.ignored(); }

  private:
    static constexpr size_t batches_most = 2;

    struct Transaction {
        Transaction(store::Env &env, store::TenantNumber tenant)
            : txn(env), directory(txn, tenant) {}
        store::WriteTxn txn;
        store::DirectoryWriter directory;
    };

    void complete(bool breaks_off);
    Outcome write_all();
    Outcome write_batches();
    Result<std::unique_ptr<ImportBatch>> next_batch();
    std::shared_ptr<const ImportReader> make_reader();

    Outcome take(ImportBatch &batch);
    Outcome recall(ImportBatch &batch, size_t &next);
    Outcome expect(ImportBatch &batch);
    Outcome write(ImportBatch &batch, size_t next);
    Outcome write_some(ImportBatch &batch, size_t &next);
    void read_again(ImportBatch &batch, size_t next);
    Outcome rehearse(ImportBatch &batch, size_t next);
    Outcome write_later();
    Outcome rehearse_later();
    Outcome end();
    Outcome other_input();

    Outcome begin_transaction();
    Outcome check(store::WriteTxn &txn);
    Outcome commit();
    Outcome failed(store::Errc code) const;

    Store &store_;
    const store::TenantNumber tenant_;
    const ImportOptions options_;
    ImportListener &listener_;
    store::ImportPosition origin_;  // when the thread starts: the ids of the records depend on it

    // Used by the thread, when it has started.
    Session session_;
    CatalogCache catalogs_;
    WritePace pace_;
    ImportWriter writer_;
    ImportCounts counts_;
    std::optional<Transaction> transaction_;  // that is open
    size_t records_left_ = 0;                 // that it may still write
    bool ids_changed_ = false;                // of records that are not committed
    store::ImportPosition position_;
    std::optional<store::ImportPosition> known_;  // as it was stored last, if no other import runs
    uint64_t recalled_ = 0;                       // lines that the interrupted import has done
    bool is_resumed_ = false;  // the interrupted import has written a part of the next record
    std::future<void> freeing_;

    std::mutex mutex_;  // of the members below
    std::condition_variable changed_;
    std::shared_ptr<const Catalog> catalog_;  // of the last transaction
    std::deque<std::unique_ptr<ImportBatch>> waiting_;
    bool is_complete_ = false;  // no further batch will be added
    bool breaks_off_ = false;   // the input has more, which could not be read
    bool has_ended_ = false;    // the thread
    std::future<Outcome> outcome_;
};

}  // namespace scim::service
