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
#include "store/store_files.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace scim::store {

using Bytes = std::string_view;

// A system error without a name here has the value system_error + errno: its text is the system's.
enum class Errc : uint16_t {
    ok,
    not_found,
    exists,
    map_full,      // the map (size=) is full
    no_space,      // the disk is full
    map_resized,   // another process has a larger map,
                   // and this one is too busy to adopt it: try again
    given_up,      // LockWait::give_up() ended the wait for the write lock
    readers_full,  // every reader slot is taken by a live process
    panic,         // a failed meta page write: only reopening heals
    suspended,     // workers died inside the store: fault_guard.h
    damaged,       // bytes that no version of this code wrote
    denied,        // permissions, or a read-only file system
    replaced,      // a file of the store was replaced or removed: Env::displaced() says which
    txn_full,      // more pages than one transaction can change
    invalid,       // a key or value that LMDB cannot hold: a mistake of ours
    io,            // the device failed
    unknown,       // a code of LMDB without a name here
    system_error = 1000,
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
    // False: an open of a store that is not there fails. True: it makes one, unless lock.mdb says
    // that there was one (store/store_files.h).
    bool may_create = true;
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
    // Creates lock.mdb, and data.mdb if that is allowed, (0600) in an existing directory if they are
    // not there. Nothing, and a sentence in `why`, if that fails. Databases are opened separately.
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
    // True while data.mdb and lock.mdb are the files that were opened. Two calls of stat().
    bool in_place() const noexcept { return files_.in_place(); }
    // Why they are not: "its data.mdb was removed". Empty while they are.
    std::string displaced() const { return files_.displaced(); }
    // The process that holds the write lock, if one does.
    std::optional<LockHolder> lock_holder() const { return files_.lock_holder(); }
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

    Errc begin_write(MDB_txn **txn);
    Errc error_of_commit(int rc);

    StoreFiles files_;  // outlives env_
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
    std::unique_ptr<FaultGuard> guard_;      // reads active_
    std::atomic<bool> adoption_due_{false};  // another process has grown the map
};

// The wait of one thread for the write lock, which LMDB cannot end, as another thread sees it.
// Either the waiting thread gets the lock and claims the work, or the other one gives the work up
// and answers for it: never both.
class LockWait {
  public:
    bool is_waiting() const { return state_ == State::waiting; }
    // True if the thread waits: its transaction will fail with given_up, and write nothing, whenever
    // it gets the lock. It does not touch the work any more. False: the thread answers for it.
    bool give_up() {
        State waiting = State::waiting;
        return state_.compare_exchange_strong(waiting, State::given_up);
    }

  private:
    friend class WriteTxn;
    enum class State : uint8_t { idle, waiting, given_up };
    void begin() { state_ = State::waiting; }
    // The end of the wait: false if it was given up.
    bool claim() { return state_.exchange(State::idle) == State::waiting; }
    std::atomic<State> state_{State::idle};
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
    // True if this process must adopt a larger map, which it can do without transactions only: a long
    // read should end.
    bool must_end() const;
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
    // `wait` lets another thread see the wait and give it up; it must outlive the constructor.
    explicit WriteTxn(Env &env, LockWait *wait = nullptr);
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
    // Bytes of the map that are unused or reusable, counted up to `enough`.
    size_t room(size_t enough);
    size_t map_size() const { return env_.info().map_size; }

  private:
    void begin();
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
