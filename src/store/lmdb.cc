#include "store/lmdb.h"

#include <lmdb.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "store/lmdb_error.h"

namespace scim::store {

namespace {

MDB_val to_val(Bytes b) { return {b.size(), const_cast<char *>(b.data())}; }
Bytes to_bytes(const MDB_val &v) { return {static_cast<const char *>(v.mv_data), v.mv_size}; }

}  // namespace

Errc from_mdb(int rc) {
    switch (rc) {
        case MDB_SUCCESS: return Errc::ok;
        case MDB_NOTFOUND: return Errc::not_found;
        case MDB_KEYEXIST: return Errc::exists;
        case MDB_MAP_FULL: return Errc::map_full;
        case ENOSPC:
        case EDQUOT: return Errc::no_space;
        case MDB_MAP_RESIZED: return Errc::map_resized;
        case MDB_READERS_FULL: return Errc::readers_full;
        case MDB_PANIC: return Errc::panic;
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID:
        case MDB_VERSION_MISMATCH:
        case MDB_INCOMPATIBLE:
        case MDB_CURSOR_FULL:
        case MDB_PAGE_FULL: return Errc::damaged;
        case MDB_TXN_FULL: return Errc::txn_full;
        case EACCES:
        case EPERM:
        case EROFS: return Errc::denied;
        case MDB_BAD_VALSIZE:
        case MDB_BAD_TXN:
        case MDB_BAD_DBI:
        case EINVAL: return Errc::invalid;
        case EIO: return Errc::io;
        default:
            return rc > 0 ? Errc(int(Errc::system_error) + rc)
                          : Errc::unknown;  // LMDB's own codes are negative
    }
}

std::string_view to_string(Errc code) {
    switch (code) {
        case Errc::ok: return "ok";
        case Errc::not_found: return "not found";
        case Errc::exists: return "exists already";
        case Errc::map_full: return "the map is full: raise size= of scim_store";
        case Errc::no_space: return "no space left on the device";
        case Errc::map_resized: return "the map was grown by another process";
        case Errc::given_up: return "timed out waiting for the write lock of the store";
        case Errc::readers_full: return "no reader slot is free";
        case Errc::panic: return "LMDB must be reopened after a failed write";
        case Errc::suspended: return "the store is suspended; see the error log";
        case Errc::damaged: return "the store is damaged";
        case Errc::denied: return "permission denied or read-only";
        case Errc::replaced: return "a file of the store was replaced or removed";
        case Errc::txn_full: return "the transaction changes too many pages";
        case Errc::invalid: return "invalid argument to an LMDB call";
        case Errc::io: return "input/output error";
        case Errc::unknown: return "unknown LMDB error";
        case Errc::system_error: break;
    }
    // A static text: for a system code mdb_strerror() returns that of strerror().
    return mdb_strerror(int(code) - int(Errc::system_error));
}

uint64_t Txn::id() const { return txn_ != nullptr ? mdb_txn_id(txn_) : 0; }

bool Txn::must_end() const { return env_.adoption_due_.load(std::memory_order_relaxed); }

// Writes the rows of `meta` that are held back.
void Txn::write_meta() {
    for (const auto &[key, value] : meta_) {
        if (!good()) break;
        MDB_val k = to_val(key), v = to_val(value);
        int rc = mdb_put(txn_, env_.handles_[size_t(Db::meta)], &k, &v, 0);
        if (rc != 0) fail(from_mdb(rc));
    }
    meta_.clear();
}

bool Txn::get(Db db, Bytes key, Bytes &value) {
    if (!good()) return false;
    if (db == Db::meta && !meta_.empty()) {
        if (const auto row = meta_.find(key); row != meta_.end()) {
            value = row->second;
            return true;
        }
    }
    MDB_val k = to_val(key), v;
    int rc = mdb_get(txn_, env_.handles_[size_t(db)], &k, &v);
    if (rc == 0) {
        value = to_bytes(v);
        return true;
    }
    if (rc != MDB_NOTFOUND) fail(from_mdb(rc));
    return false;
}

uint64_t Txn::entries(Db db) {
    if (db == Db::meta) write_meta();
    if (!good()) return 0;
    MDB_stat stat;
    int rc = mdb_stat(txn_, env_.handles_[size_t(db)], &stat);
    if (rc != 0) fail(from_mdb(rc));
    return rc == 0 ? stat.ms_entries : 0;
}

uint64_t Txn::bytes(Db db) {
    if (db == Db::meta) write_meta();
    if (!good()) return 0;
    MDB_stat stat;
    int rc = mdb_stat(txn_, env_.handles_[size_t(db)], &stat);
    if (rc != 0) fail(from_mdb(rc));
    return rc == 0 ? (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) *
                         uint64_t(stat.ms_psize)
                   : 0;
}

Reader::~Reader() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
}

ReadTxn::ReadTxn(Reader &reader) : Txn(reader.env_) {
    if (env_.is_suspended()) {
        error_ = Errc::suspended;
        return;
    }
    for (int attempt = 0; attempt < 4; attempt++) {
        entered_ = env_.enter();
        if (!entered_) {
            error_ = Errc::map_resized;
            return;
        }
        int rc = env_.begin_read(&reader.txn_);
        if (rc == 0) {
            txn_ = reader.txn_;
            error_ = Errc::ok;
            return;
        }
        env_.leave();
        entered_ = false;
        error_ = from_mdb(rc);
        if (error_ == Errc::readers_full && env_.check_readers() > 0) continue;
        if (error_ == Errc::map_resized && env_.adopt_map() == Errc::ok) continue;
        return;
    }
}

ReadTxn::~ReadTxn() {
    if (txn_ != nullptr) mdb_txn_reset(txn_);
    if (entered_) env_.leave();
}

WriteTxn::WriteTxn(Env &env, LockWait *wait) : Txn(env) {
    if (env_.is_suspended()) {
        error_ = Errc::suspended;
        return;
    }
    if (wait != nullptr) wait->begin();
    begin();
    if (wait == nullptr || wait->claim()) return;
    abort();
    error_ = Errc::given_up;
}

void WriteTxn::begin() {
    for (int attempt = 0; attempt < 1000; attempt++) {
        entered_ = env_.enter();
        if (!entered_) {
            error_ = Errc::map_resized;
            std::this_thread::yield();
            continue;
        }
        error_ = env_.begin_write(&txn_);
        if (good()) return;
        env_.leave();
        entered_ = false;
        if (error_ != Errc::map_resized) return;
        // A writer has its own thread and may wait until this process has no other transaction.
        if (env_.adopt_map() != Errc::ok) usleep(500);
    }
}

WriteTxn::~WriteTxn() { abort(); }

void WriteTxn::abort() {
    meta_.clear();
    if (txn_ != nullptr) {
        mdb_txn_abort(txn_);
        env_.files_.end_write();
    }
    txn_ = nullptr;
    if (entered_) env_.leave();
    entered_ = false;
}

void WriteTxn::put(Db db, Bytes key, Bytes value, unsigned flags) {
    if (!good()) return;
    MDB_val k = to_val(key), v = to_val(value);
    int rc = mdb_put(txn_, env_.handles_[size_t(db)], &k, &v, flags);
    if (rc != 0) fail(from_mdb(rc));
}

void WriteTxn::put(Db db, Bytes key, Bytes value) {
    if (db != Db::meta) return put(db, key, value, 0);
    if (!good()) return;
    if (const auto row = meta_.find(key); row != meta_.end())
        row->second.assign(value);
    else
        meta_.emplace(key, value);
}

void WriteTxn::append(Db db, Bytes key, Bytes value) {
    if (db == Db::meta) write_meta();
    put(db, key, value, MDB_APPEND);
}

void WriteTxn::put_new(Db db, Bytes key, Bytes value) {
    if (!good()) return;
    MDB_val k = to_val(key), v = to_val(value);
    int rc = mdb_put(txn_, env_.handles_[size_t(db)], &k, &v, MDB_APPEND);
    if (rc == MDB_KEYEXIST) return put(db, key, value);
    if (rc != 0) fail(from_mdb(rc));
}

bool WriteTxn::insert(Db db, Bytes key, Bytes value) {
    if (db == Db::meta) write_meta();
    if (!good()) return false;
    MDB_val k = to_val(key), v = to_val(value);
    int rc = mdb_put(txn_, env_.handles_[size_t(db)], &k, &v, MDB_NOOVERWRITE);
    if (rc != 0 && rc != MDB_KEYEXIST) fail(from_mdb(rc));
    return rc == 0;
}

bool WriteTxn::del(Db db, Bytes key) {
    if (db == Db::meta) write_meta();
    if (!good()) return false;
    MDB_val k = to_val(key);
    int rc = mdb_del(txn_, env_.handles_[size_t(db)], &k, nullptr);
    if (rc != 0 && rc != MDB_NOTFOUND) fail(from_mdb(rc));
    return rc == 0;
}

Errc WriteTxn::commit() {
    write_meta();
    if (!good()) {
        abort();
        return error_;
    }
    // mdb_txn_commit() frees the transaction even if it fails: it must not be aborted afterwards.
    int rc = mdb_txn_commit(txn_);
    txn_ = nullptr;
    env_.files_.end_write();
    if (rc != 0) fail(env_.error_of_commit(rc));
    env_.leave();
    entered_ = false;
    return error_;
}

size_t WriteTxn::room(size_t enough) {
    if (!good()) return 0;
    EnvInfo info = env_.info();
    size_t unused = info.map_size - std::min(info.used, info.map_size);
    if (unused >= enough) return enough;
    // Freed pages count, too: a store from which much was deleted reuses them.
    return std::min(unused + env_.free_bytes(), enough);
}

Cursor::Cursor(Txn &txn, Db db) : txn_(txn) {
    if (db == Db::meta) txn.write_meta();
    if (!txn.good()) return;
    int rc = mdb_cursor_open(txn.txn_, txn.env_.handles_[size_t(db)], &cursor_);
    if (rc != 0) txn.fail(from_mdb(rc));
}

Cursor::~Cursor() {
    // The end of a write transaction frees its cursors: a Cursor must not outlive its Txn.
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

bool Cursor::move(Bytes key, int operation) {
    if (cursor_ == nullptr || !txn_.good()) return false;
    MDB_val k = to_val(key), v;
    int rc = mdb_cursor_get(cursor_, &k, &v, MDB_cursor_op(operation));
    if (rc == 0) {
        key_ = to_bytes(k);
        value_ = to_bytes(v);
        return true;
    }
    if (rc != MDB_NOTFOUND) txn_.fail(from_mdb(rc));
    return false;
}

// LMDB rejects an empty key; every entry is at or after it.
bool Cursor::seek(Bytes key) { return move(key, key.empty() ? MDB_FIRST : MDB_SET_RANGE); }
bool Cursor::next() { return move({}, MDB_NEXT); }
bool Cursor::prev() { return move({}, MDB_PREV); }
bool Cursor::seek_before(Bytes key) { return seek(key) ? prev() : move({}, MDB_LAST); }

void Cursor::del() {
    if (cursor_ == nullptr || !txn_.good()) return;
    int rc = mdb_cursor_del(cursor_, 0);
    if (rc != 0) txn_.fail(from_mdb(rc));
}

}  // namespace scim::store
