// Class Env.

#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <mutex>
#include <set>
#include <utility>

#include "scim/text/text.h"
#include "store/lmdb.h"
#include "store/lmdb_error.h"
#include "store/permissions.h"

namespace scim::store {

namespace {

// In the order of Db.
constexpr const char *db_names[] = {
    "meta",  "catalog", "tenants",     "tokens",  "tenant_tokens", "resources",
    "index", "members", "memberships", "changes", "refusals",      "local",
    "jobs",  "actors",  "access",      "blocks",  "names",         "trigrams"};
static_assert(std::size(db_names) == db_count);

// Counts this process as inside the store: a worker death during its lifetime counts for the
// FaultGuard.
class Inside {
  public:
    explicit Inside(std::atomic<int> &active) : active_(active) { active_.fetch_add(1); }
    ~Inside() { active_.fetch_sub(1); }
    Inside(const Inside &) = delete;
    Inside &operator=(const Inside &) = delete;

  private:
    std::atomic<int> &active_;
};

// The directories that are open in this process. LMDB's file locks belong to the process: closing
// one of two environments on the same file would release the locks of both. Allocated and never
// destroyed, because it must outlive every Env.
struct OpenFiles {
    std::mutex mutex;
    std::set<std::pair<uint64_t, uint64_t>> set;
};
OpenFiles &open_files() {
    static auto *files = new OpenFiles;
    return *files;
}

// The reason for an error code of mdb_env_open().
std::string why_not_opened(const EnvOptions &options, int rc) {
    std::string problem;
    if (rc == EACCES || rc == EPERM)
        problem = permission_problem(options.directory, geteuid(), getegid());
    if (!problem.empty()) return problem;
    if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH)
        return std::string("its data.mdb is not an LMDB file, or its first pages are damaged (") +
               mdb_strerror(rc) + "); restore a backup: scim-backup restore";
    return mdb_strerror(rc);
}

}  // namespace

std::string_view database_name(Db db) { return db_names[size_t(db)]; }

std::unique_ptr<Env> Env::open(const EnvOptions &options, std::string &why) {
    auto failed = [&](const char *what, int rc) {
        why = std::string(what) + " \"" + options.directory + "\": " + mdb_strerror(rc);
        return nullptr;
    };
    std::unique_ptr<Env> env(new Env);
    env->directory_ = options.directory;
    struct stat st;
    if (stat(options.directory.c_str(), &st) != 0)
        return failed("cannot open store directory", errno);
    {
        auto &files = open_files();
        std::lock_guard<std::mutex> lock(files.mutex);
        if (!files.set.emplace(st.st_dev, st.st_ino).second) {
            why = "store directory \"" + options.directory + "\" is open in this process already";
            return nullptr;
        }
        env->device_ = st.st_dev;
        env->inode_ = st.st_ino;
        env->registered_ = true;
    }
    if (why = env->files_.prepare(options.directory, options.may_create); !why.empty())
        return nullptr;
    if (options.is_worker) env->guard_ = FaultGuard::open(options.directory, env->active_);
    if (env->is_suspended()) {
        why = suspension_text(options.directory);
        return nullptr;
    }
    const Inside inside(env->active_);
    int rc = mdb_env_create(&env->env_);
    if (rc == 0) rc = mdb_env_set_maxdbs(env->env_, db_count);
    if (rc == 0) rc = mdb_env_set_maxreaders(env->env_, options.max_readers);
    if (rc == 0) rc = mdb_env_set_mapsize(env->env_, options.map_size);
    if (rc != 0) return failed("cannot set up LMDB for", rc);
    // mdb_env_open() may return EAGAIN while another process closes the environment (lmdb.h); that
    // lasts microseconds.
    for (int attempt = 0; attempt < 50; attempt++) {
        rc = mdb_env_open(env->env_, options.directory.c_str(), MDB_NOTLS | MDB_NORDAHEAD, 0600);
        if (rc != EAGAIN && rc != EINTR) break;
        usleep(2000);
    }
    if (rc != 0) {
        why = "cannot open store \"" + options.directory + "\": " + why_not_opened(options, rc);
        return nullptr;
    }
    mdb_filehandle_t fd;
    mdb_env_get_fd(env->env_, &fd);
    if (why = env->files_.opened(fd); !why.empty()) return nullptr;
    if (Errc code = env->extend_file(); code != Errc::ok) {
        why = "data.mdb in \"" + options.directory +
              "\" was truncated and cannot be extended: " + std::string(to_string(code));
        return nullptr;
    }
    env->check_readers();
    return env;
}

// Extends data.mdb with zeros up to its last page. A file may legitimately end earlier: pages at
// the end that were freed before they were written. A truncated file lacks pages that are in use,
// and reading these through the map would raise SIGBUS. Zeroed pages are detected instead, by LMDB
// or by the records' checksums. fallocate() never shortens a file that another process has extended
// in the meantime.
Errc Env::extend_file() {
    struct stat st;
    mdb_filehandle_t fd;
    if (mdb_env_get_fd(env_, &fd) != 0 || fstat(fd, &st) != 0) return Errc::io;
    const off_t wanted = off_t(info().used);
    if (st.st_size >= wanted) return Errc::ok;
    if (fallocate(fd, 0, st.st_size, wanted - st.st_size) == 0) return Errc::ok;
    return from_mdb(errno);
}

Env::~Env() {
    if (env_ != nullptr) mdb_env_close(env_);
    if (!registered_) return;
    auto &files = open_files();
    std::lock_guard<std::mutex> lock(files.mutex);
    files.set.erase({device_, inode_});
}

Errc Env::open_handles(bool create) {
    const Inside inside(active_);
    MDB_txn *txn = nullptr;
    auto begin = [&] {
        return create ? begin_write(&txn)
                      : from_mdb(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn));
    };
    Errc code = begin();
    // If another process grows the map during the open, the first transaction fails with
    // map_resized.
    for (int i = 0; code == Errc::map_resized && i < 16; i++) {
        code = from_mdb(mdb_env_set_mapsize(env_, 0));
        if (code == Errc::ok) code = begin();
    }
    if (code != Errc::ok) return code;
    int rc = 0;
    for (size_t i = 0; i < db_count; i++) {
        rc = mdb_dbi_open(txn, db_names[i], create ? MDB_CREATE : 0, &handles_[i]);
        if (rc != 0) break;
        has_meta_ = true;
    }
    // Database handles stay open only if the transaction is committed, even a read transaction.
    const bool is_partial = rc == MDB_NOTFOUND && has_meta_;
    if (rc == 0 || is_partial) {
        const int committed = mdb_txn_commit(txn);
        if (committed != 0) rc = committed;
        has_meta_ = committed == 0;
    } else {
        mdb_txn_abort(txn);
        has_meta_ = false;
    }
    if (create) files_.end_write();
    has_databases_ = rc == 0;
    return create ? error_of_commit(rc) : from_mdb(rc);
}

Errc Env::open_databases() { return open_handles(false); }
Errc Env::create_databases() { return open_handles(true); }

EnvInfo Env::info() const {
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(env_, &info);
    mdb_env_stat(env_, &stat);
    EnvInfo result;
    result.map_size = info.me_mapsize;
    result.page_size = stat.ms_psize;
    result.used = (info.me_last_pgno + 1) * stat.ms_psize;
    result.last_txn = info.me_last_txnid;
    result.readers = info.me_numreaders;
    result.max_readers = info.me_maxreaders;
    return result;
}

std::string lmdb_version() {
    int major = 0, minor = 0, patch = 0;
    mdb_version(&major, &minor, &patch);
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

// LMDB describes each slot in a line: process, thread and transaction, or "-".
std::vector<ReaderSlot> Env::readers() const {
    std::vector<ReaderSlot> slots;
    auto add = [](const char *line, void *context) {
        long long process = 0;
        char txn[32] = "";
        if (std::sscanf(line, " %lld %*s %31s", &process, txn) == 2) {
            ReaderSlot slot{process, 0};
            read_number(txn, slot.txn);
            static_cast<std::vector<ReaderSlot> *>(context)->push_back(slot);
        }
        return 0;
    };
    mdb_reader_list(env_, add, &slots);
    return slots;
}

// Only a read transaction can open the database of free pages.
size_t Env::free_bytes() const {
    MDB_txn *reader = nullptr;
    MDB_cursor *cursor = nullptr;
    if (mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader) != 0) return 0;
    constexpr MDB_dbi free_list = 0;
    size_t free_pages = 0;
    MDB_val k, v;
    if (mdb_cursor_open(reader, free_list, &cursor) == 0) {
        while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
            size_t pages = 0;  // an entry is a count, then that many page numbers
            if (v.mv_size >= sizeof pages) std::memcpy(&pages, v.mv_data, sizeof pages);
            free_pages += pages;
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(reader);
    return free_pages * info().page_size;
}

int Env::check_readers() {
    int dead = 0;
    mdb_reader_check(env_, &dead);
    return dead;
}

int Env::descriptor() const {
    mdb_filehandle_t fd;
    return mdb_env_get_fd(env_, &fd) == 0 ? fd : -1;
}

// The commit that fails to write the meta page returns EIO or ENOSPC; MDB_PANIC is returned only by
// later calls.
bool Env::has_panicked() {
    MDB_txn *txn = nullptr;
    int rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
    if (rc == 0) mdb_txn_abort(txn);
    return rc == MDB_PANIC;
}

// Waits for the write lock. If it returns ok, the caller must call files_.end_write() after the
// transaction.
Errc Env::begin_write(MDB_txn **txn) {
    int rc = mdb_txn_begin(env_, nullptr, 0, txn);
    if (rc != 0) return from_mdb(rc);
    files_.begin_write();
    if (in_place()) return Errc::ok;
    mdb_txn_abort(*txn);
    *txn = nullptr;
    files_.end_write();
    return Errc::replaced;
}

// LMDB returns EIO for a partial write, which is what a full disk causes.
Errc Env::error_of_commit(int rc) {
    if (rc == 0) return Errc::ok;
    if (has_panicked()) return Errc::panic;
    constexpr uint64_t less_than_a_write = 1 << 20;  // bytes
    struct statvfs fs;
    mdb_filehandle_t fd;
    if (rc == EIO && mdb_env_get_fd(env_, &fd) == 0 && fstatvfs(fd, &fs) == 0 &&
        uint64_t(fs.f_bavail) * fs.f_frsize < less_than_a_write)
        return Errc::no_space;
    return from_mdb(rc);
}

bool Env::enter() {
    active_.fetch_add(1);
    if (!adopting_.load()) return true;
    leave();
    return false;
}

void Env::leave() { active_.fetch_sub(1); }

// REQUIRES: the calling thread has called leave(). Does not wait: if another thread is adopting the
// map or has a transaction, it returns map_resized, which clients see as 503 with Retry-After for a
// moment after an operator has raised `size=`. Long reads end early because of must_end(). Another
// thread may have adopted the map already.
Errc Env::adopt_map() {
    bool expected = false;
    if (!adopting_.compare_exchange_strong(expected, true)) return Errc::map_resized;
    Errc code = Errc::map_resized;
    if (active_.load() == 0)
        code = from_mdb(mdb_env_set_mapsize(env_, 0));
    else if (EnvInfo now = info(); now.used <= now.map_size)
        code = Errc::ok;
    adoption_due_.store(code != Errc::ok);
    adopting_.store(false);
    return code;
}

// LMDB takes the number of the last commit, and then its roots from one of two meta pages. The
// commit after the next one writes that page: a thread that does not run for so long would read the
// roots of that commit, which may not be on the disk yet, under the older number.
int Env::begin_read(MDB_txn **txn) {
    for (;;) {
        int rc =
            *txn != nullptr ? mdb_txn_renew(*txn) : mdb_txn_begin(env_, nullptr, MDB_RDONLY, txn);
        if (rc != 0) return rc;
        MDB_envinfo info;
        mdb_env_info(env_, &info);
        if (info.me_last_txnid <= mdb_txn_id(*txn) + 1) return 0;
        mdb_txn_reset(*txn);
    }
}

}  // namespace scim::store
