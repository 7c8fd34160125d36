#pragma once
// A typed interface to LMDB: environment, transactions and cursors. Only lmdb.cc and
// lmdb_env.cc include <lmdb.h> and know LMDB's error codes.
//
// A process opens each store directory at most once: a second open of the same directory fails,
// because the first close would release the locks of both. Any number of threads may use one Env,
// each with its own transaction.
//
// "Not found" and "exists already" are return values. Every other error (full map, full disk,
// damaged page) is kept in the transaction: later calls do nothing, and error() and commit() return
// the first error. A caller therefore checks once after a series of calls.
//
// Bytes that a transaction returns point into the map. They are valid until the transaction ends;
// in a write transaction, until its next put or del, and those of `meta` until its next cursor, too.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/fault_guard.h"
#include "store/store_files.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace scim::store {

using Bytes = std::string_view;

// A system error that has no name here is system_error + errno; to_string() returns strerror()'s
// text for it.
enum class Errc : uint16_t {
    ok,
    not_found,
    exists,
    map_full,      // the map (size= of scim_store) is full
    no_space,      // the disk is full
    map_resized,   // another process has grown the map, and other transactions of this process
                   // prevent map adoption: try again
    given_up,      // LockWait::give_up() ended the wait for the write lock
    readers_full,  // every reader slot is taken by a live process
    panic,         // writing a meta page failed: the environment must be reopened
    suspended,     // the store is suspended after worker deaths (fault_guard.h)
    damaged,       // the store is damaged: bytes that no version of this code wrote
    denied,        // permissions, or a read-only file system
    replaced,      // a file of the store was replaced or removed: Env::displaced() says which
    txn_full,      // the transaction changes more pages than LMDB allows
    invalid,       // an argument that LMDB rejects: a programming error
    io,            // input/output error of the device
    unknown,       // an LMDB code that has no name here
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
    actors,
    access,
    blocks,
    names,
    trigrams,
};
constexpr size_t db_count = size_t(Db::trigrams) + 1;
std::string_view database_name(Db db);

struct EnvOptions {
    std::string directory;
    size_t map_size = size_t(1) << 30;  // bytes
    // A worker takes two reader slots, up to six while long reads run. During a reload two
    // generations of workers run, and tools take slots, too. The process that creates lock.mdb sets
    // the number; it holds while any process has the file open.
    unsigned max_readers = 4096;
    // True in an nginx worker: its deaths inside the store are counted, and a suspended store is
    // not opened (fault_guard.h).
    bool is_worker = false;
    // False: opening fails if there is no store. True: a missing store is created, unless lock.mdb
    // shows that there was one (store_files.h).
    bool may_create = true;
};

struct EnvInfo {
    size_t map_size = 0;   // bytes
    size_t used = 0;       // bytes up to the last page in use
    size_t page_size = 0;  // bytes
    uint64_t last_txn = 0;
    unsigned readers = 0, max_readers = 0;
};

// A reader slot that is in use. `txn`: the transaction whose snapshot it reads; 0: none now.
struct ReaderSlot {
    int64_t process = 0;
    uint64_t txn = 0;
};

// Of the library in use, such as "0.9.24".
std::string lmdb_version();

class Env {
  public:
    // Opens the store in an existing directory. Creates a missing lock.mdb, and a missing data.mdb
    // if `may_create` is set, with mode 0600. On failure returns nullptr and sets `why` to a
    // sentence. Does not open the databases.
    static std::unique_ptr<Env> open(const EnvOptions &options, std::string &why);
    ~Env();
    Env(const Env &) = delete;
    Env &operator=(const Env &) = delete;

    // open_databases() opens the handles of all databases; not_found if one is missing.
    // create_databases() creates missing ones in its own write transaction and may wait for the
    // write lock. REQUIRES: no other transaction in this process.
    Errc open_databases();
    Errc create_databases();
    bool has_databases() const { return has_databases_; }
    // True if the database `meta` exists: the store has a format, possibly one without some of the
    // databases of this build.
    bool has_meta() const { return has_meta_; }

    EnvInfo info() const;
    std::vector<ReaderSlot> readers() const;
    // Bytes of pages that were freed and can be used again.
    size_t free_bytes() const;
    // Frees the reader slots of dead processes and returns their number.
    int check_readers();
    // True while data.mdb and lock.mdb are the files that were opened. Costs two stat() calls.
    bool in_place() const noexcept { return files_.in_place(); }
    // What happened to the files, for example "its data.mdb was removed"; empty if in_place().
    std::string displaced() const { return files_.displaced(); }
    // The process that holds the write lock, if known.
    std::optional<LockHolder> lock_holder() const { return files_.lock_holder(); }
    // The use of the write lock. A process that holds it for long ends its transaction when another
    // one waits. Costs two system calls.
    LockUse lock_use() const { return files_.lock_use(); }
    const std::string &directory() const { return directory_; }
    // The descriptor of data.mdb, for reading only. The caller must not close it.
    int descriptor() const;

  private:
    friend class Txn;
    friend class ReadTxn;
    friend class WriteTxn;
    friend class Cursor;
    friend class Reader;

    Env() = default;
    Errc extend_file();
    Errc open_handles(bool create);
    bool has_panicked();
    bool is_suspended() const { return guard_ != nullptr && guard_->suspended(); }
    bool enter();  // false during map adoption
    void leave();
    Errc adopt_map();

    int begin_read(MDB_txn **txn);
    Errc begin_write(MDB_txn **txn);
    Errc error_of_commit(int rc);

    StoreFiles files_;  // outlives env_
    MDB_env *env_ = nullptr;
    std::string directory_;
    uint64_t device_ = 0, inode_ = 0;
    bool registered_ = false;
    unsigned handles_[db_count] = {};
    bool has_databases_ = false, has_meta_ = false;
    // Map adoption: after another process has grown the map, this process must set its own map size
    // at a moment when it has no transaction.
    std::atomic<int> active_{0};  // transactions and opens of this process
    std::atomic<bool> adopting_{false};
    std::unique_ptr<FaultGuard> guard_;  // reads active_
    std::atomic<bool> adoption_due_{false};
};

// A writer thread's wait for the write lock, visible to a second thread. LMDB cannot interrupt the
// wait, so the second thread gives up the work instead: either the writer gets the lock and claims
// the work, or the second thread gives up and reports the failure; never both.
class LockWait {
  public:
    bool is_waiting() const { return state_ == State::waiting; }
    // True if the writer was waiting: when it gets the lock, its transaction fails with given_up
    // and writes nothing, and the writer no longer uses the work. False if the writer was not
    // waiting: it completes the work.
    bool give_up() {
        State waiting = State::waiting;
        return state_.compare_exchange_strong(waiting, State::given_up);
    }

  private:
    friend class WriteTxn;
    enum class State : uint8_t { idle, waiting, given_up };
    void begin() { state_ = State::waiting; }
    // Ends the wait; false if it was given up.
    bool claim() { return state_.exchange(State::idle) == State::waiting; }
    std::atomic<State> state_{State::idle};
};

class Txn {
  public:
    Txn(const Txn &) = delete;
    Txn &operator=(const Txn &) = delete;

    Errc error() const { return error_; }
    bool good() const { return error_ == Errc::ok; }
    uint64_t id() const;  // LMDB's transaction id; of a write transaction, the id it will commit

    // False if there is no such key, or if the transaction has failed.
    bool get(Db db, Bytes key, Bytes &value);
    uint64_t entries(Db db);
    uint64_t bytes(Db db);  // size of the database's pages in bytes
    // True if map adoption is due. It requires that this process has no transaction, so a long read
    // should end.
    bool must_end() const;
    void fail(Errc code) {
        if (good()) error_ = code;
    }

  protected:
    friend class Cursor;
    using Rows = std::map<std::string, std::string, std::less<>>;

    explicit Txn(Env &env) : env_(env) {}
    ~Txn() = default;
    void write_meta();

    Env &env_;
    MDB_txn *txn_ = nullptr;
    Errc error_ = Errc::ok;
    // Of a write transaction: the rows of `meta` that it has put and not written yet. Nearly every
    // change of a resource puts the same few counters, so they are written by commit(), or when
    // something else than get() and put() needs them.
    Rows meta_;
};

// A reader slot that one thread reuses: renewing a transaction costs a tenth of beginning one.
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

// A snapshot: one committed state of the store. A Reader has at most one ReadTxn at a time.
class ReadTxn : public Txn {
  public:
    explicit ReadTxn(Reader &reader);
    ~ReadTxn();

  private:
    bool entered_ = false;
};

// A write transaction. There is one at a time over all processes: the constructor waits for the
// write lock. The destructor aborts an uncommitted transaction.
class WriteTxn : public Txn {
  public:
    // `wait` lets another thread observe the wait and give it up; it must outlive the constructor.
    explicit WriteTxn(Env &env, LockWait *wait = nullptr);
    ~WriteTxn();

    void put(Db db, Bytes key, Bytes value);
    // False if the key exists already; its value is not changed.
    bool insert(Db db, Bytes key, Bytes value);
    // The same as put() for a key after all others of the database: leaves no space for keys in
    // between.
    void append(Db db, Bytes key, Bytes value);
    // The same as put(), for a new key that may be the last one of the database: append() if it is.
    void put_new(Db db, Bytes key, Bytes value);
    // good(), when LMDB has taken all rows that were put. Otherwise an error of a row of `meta` is
    // that of commit().
    bool written() {
        write_meta();
        return good();
    }
    // True if the key existed.
    bool del(Db db, Bytes key);
    // ok: the changes are on disk. Another code: nothing was written, except that after `panic` the
    // outcome is unknown. The transaction has ended in either case.
    [[nodiscard]] Errc commit();
    void abort();
    // Bytes of the map that are unused or free for reuse; counting stops at `enough`.
    size_t room(size_t enough);
    size_t map_size() const { return env_.info().map_size; }

  private:
    void begin();
    void put(Db db, Bytes key, Bytes value, unsigned flags);
    bool entered_ = false;
};

class Cursor {
  public:
    Cursor(Txn &txn, Db db);
    ~Cursor();
    Cursor(const Cursor &) = delete;
    Cursor &operator=(const Cursor &) = delete;

    // Each moves the cursor; true if it is at an entry, which key() and value() return.
    bool seek(Bytes key);         // the first entry at or after `key`
    bool seek_before(Bytes key);  // the last entry before `key`
    bool next();
    bool prev();

    Bytes key() const { return key_; }
    Bytes value() const { return value_; }
    // Deletes the current entry; next() then moves to the entry after it. REQUIRES: the transaction
    // is a WriteTxn, and no other cursor is open on this database.
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
