#pragma once
// LMDB, typed: an environment, its transactions and cursors. LMDB's own header and codes are known
// in lmdb.cc and nowhere else.
//
// An Env is opened once a process and inode; a second open of the same file in one process is
// refused, because LMDB's locks would be dropped by the first close. It is used by any number of
// threads, each with a transaction of its own.
//
// Errors that a caller decides about (not found, exists) are return values. Everything else (a full
// map, a full disk, a damaged page) sticks to the transaction: later calls do nothing, and commit()
// or error() says what happened first. So a series of calls is checked once.
//
// Bytes that a transaction returns point into the map; they are valid until the transaction ends,
// in a write transaction until its next put or del.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "store/fault_guard.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace scim::store {

using Bytes = std::string_view;

enum class Errc : uint8_t {
    ok,
    not_found,
    exists,
    map_full,      // the map (size=) is full
    no_space,      // the disk is full
    map_resized,   // another process has a larger map,
                   // and this one is too busy to adopt it: try again
    readers_full,  // every reader slot is taken by a live process
    panic,         // a failed meta page write: only reopening heals
    suspended,     // workers died inside the store: fault_guard.h
    damaged,       // bytes that no version of this code wrote
    denied,        // permissions, or a read-only file system
    invalid,       // a key or value that LMDB cannot hold: a mistake of ours
    io,            // anything else
};
std::string_view to_string(Errc code);

// The named databases of an environment (docs/format.md).
enum class Db : uint8_t {
    meta,
    catalog,
    tenants,
    tokens,
    tenant_tokens,
    resources,
    index,
    members,
    memberships,
    changes,
    refusals,
    local,
    jobs,
};
constexpr size_t db_count = 13;

struct EnvOptions {
    std::string directory;
    size_t map_size = size_t(1) << 30;  // bytes
    // Two a worker, and up to six while long reads run, of two generations of workers, and tools.
    // Whoever makes the lock file decides for as long as it is open anywhere.
    unsigned max_readers = 4096;
    // A worker of nginx: its deaths inside the store are counted, and a store that they have
    // suspended is not opened (fault_guard.h).
    bool is_worker = false;
};

struct EnvInfo {
    size_t map_size = 0;   // bytes
    size_t used = 0;       // bytes up to the last page in use
    size_t page_size = 0;  // bytes
    uint64_t last_txn = 0;
    unsigned readers = 0, max_readers = 0;
};

class Env {
  public:
    // Creates data.mdb and lock.mdb (0600) in an existing directory if they are not there. Nothing,
    // and a sentence in `why`, if that fails. Databases are opened separately.
    static std::unique_ptr<Env> open(const EnvOptions &options, std::string &why);
    ~Env();
    Env(const Env &) = delete;
    Env &operator=(const Env &) = delete;

    // Opens the handles of all databases: not_found if any is missing. create_databases() makes
    // them, in a write transaction of its own; it may wait for the write lock. REQUIRES: no other
    // transaction in this process.
    Errc open_databases();
    Errc create_databases();
    bool has_databases() const { return has_databases_; }

    EnvInfo info() const;
    // Frees the reader slots of dead processes; the number freed.
    int check_readers();
    // True if data.mdb is still the file that was opened.
    bool in_place() const;
    const std::string &directory() const { return directory_; }
    // data.mdb, to be read only. Never closed by the caller.
    int descriptor() const;

  private:
    friend class Txn;
    friend class ReadTxn;
    friend class WriteTxn;
    friend class Cursor;
    friend class Reader;

    Env() = default;
    Errc fill_up();
    Errc open_handles(bool create);
    bool has_panicked();
    bool is_suspended() const { return guard_ != nullptr && guard_->suspended(); }
    bool enter();  // false while the map is being adopted
    void leave();
    Errc adopt_map();

    MDB_env *env_ = nullptr;
    std::string directory_;
    uint64_t device_ = 0, inode_ = 0;
    bool registered_ = false;
    unsigned handles_[db_count] = {};
    bool has_databases_ = false;
    // The gate: adopting a map that another process has grown needs a moment without any
    // transaction in this process.
    std::atomic<int> active_{0};
    std::atomic<bool> adopting_{false};
    std::unique_ptr<FaultGuard> guard_;  // reads active_
};

class Txn {
  public:
    Txn(const Txn &) = delete;
    Txn &operator=(const Txn &) = delete;

    Errc error() const { return error_; }
    bool good() const { return error_ == Errc::ok; }
    uint64_t id() const;  // of the snapshot, or of the commit to be

    // False if there is no such key, or if the transaction has failed.
    bool get(Db db, Bytes key, Bytes &value);
    uint64_t entries(Db db);
    uint64_t bytes(Db db);  // what its pages take
    void fail(Errc code) {
        if (good()) error_ = code;
    }

  protected:
    friend class Cursor;
    explicit Txn(Env &env) : env_(env) {}
    ~Txn() = default;

    Env &env_;
    MDB_txn *txn_ = nullptr;
    Errc error_ = Errc::ok;
};

// A reader slot that is used again and again by one thread:
// renewing a transaction costs a tenth of beginning one.
class Reader {
  public:
    explicit Reader(Env &env) : env_(env) {}
    ~Reader();
    Reader(const Reader &) = delete;
    Reader &operator=(const Reader &) = delete;

  private:
    friend class ReadTxn;
    Env &env_;
    MDB_txn *txn_ = nullptr;
};

// One committed state of the store. A Reader carries one ReadTxn at a time.
class ReadTxn : public Txn {
  public:
    explicit ReadTxn(Reader &reader);
    ~ReadTxn();

  private:
    bool entered_ = false;
};

// The one writer of all processes: the constructor waits for the lock. Aborts unless committed.
class WriteTxn : public Txn {
  public:
    explicit WriteTxn(Env &env);
    ~WriteTxn();

    void put(Db db, Bytes key, Bytes value);
    // False if the key is there already.
    bool insert(Db db, Bytes key, Bytes value);
    // True if the key was there.
    bool del(Db db, Bytes key);
    // Durable when it returns ok. Anything else is final:
    // nothing was written (after `panic`: unknown).
    [[nodiscard]] Errc commit();
    void abort();
    // True if at least `bytes` of the map are unused or reusable.
    bool has_room(size_t bytes);

  private:
    bool entered_ = false;
};

class Cursor {
  public:
    Cursor(Txn &txn, Db db);
    ~Cursor();
    Cursor(const Cursor &) = delete;
    Cursor &operator=(const Cursor &) = delete;

    // Each moves and says whether there is an entry to look at.
    bool seek(Bytes key);         // the first entry at or after `key`
    bool seek_before(Bytes key);  // the last entry before `key`
    bool next();
    bool prev();

    Bytes key() const { return key_; }
    Bytes value() const { return value_; }
    // Deletes the entry looked at; next() then goes to the one after it.
    // REQUIRES: the cursor's transaction is a WriteTxn,
    // and no other cursor is open on this database.
    void del();

  private:
    bool move(Bytes key, int operation);
    Txn &txn_;
    MDB_cursor *cursor_ = nullptr;
    Bytes key_, value_;
};

inline bool starts_with(Bytes s, Bytes prefix) {
    return s.size() >= prefix.size() && s.compare(0, prefix.size(), prefix) == 0;
}

}  // namespace scim::store
