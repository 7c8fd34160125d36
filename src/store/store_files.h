#pragma once
// Detects replaced or removed files of a store, data.mdb and lock.mdb, before a write uses them.
//
// LMDB opens files by name and never checks the names again. A process that continues with a
// replaced data.mdb writes into a file that is lost. A process that continues with a replaced
// lock.mdb has a different write lock than other processes, and two concurrent writers destroy the
// store. Therefore:
//
// * Each write transaction takes a shared flock() on data.mdb and then checks both names.
// * A process that creates lock.mdb for an existing data.mdb takes an exclusive flock() on
//   data.mdb: no writer that uses another lock.mdb has a transaction open, and none begins one
//   afterwards.
//
// A store is not opened while a process of another PID namespace has it open: LMDB checks by the
// process ids in lock.mdb whether a reader is alive, and such ids mean other processes here.
//
// A removed store is not created again: lock.mdb records the last transaction id of its store. If
// that is above 0 and data.mdb is missing or empty, data.mdb was removed.

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace scim::store {

// The process that holds the write lock.
struct LockHolder {
    pid_t process = 0;  // 0 if unknown: it is in another pid namespace
    pid_t thread = 0;
};

enum class LockUse : uint8_t {
    free,  // or unknown: the layout of lock.mdb is not known
    held,
    awaited,  // held, and a thread waits for it; perhaps also after the last wait has ended
};

// For example "process 17".
std::string to_string(const LockHolder &holder);

// True if the directory contains a store: its data.mdb exists and is not empty, or cannot be
// checked.
bool is_there(const std::string &directory);
// True if lock.mdb says that the directory contained a store. REQUIRES: this process does not have
// lock.mdb open, because closing it releases LMDB's locks.
bool was_there(const std::string &directory);

class StoreFiles {
  public:
    StoreFiles() = default;
    // REQUIRES: LMDB has closed lock.mdb. Its locks on that file belong to the process and are
    // released when any descriptor of the file is closed.
    ~StoreFiles();
    StoreFiles(const StoreFiles &) = delete;
    StoreFiles &operator=(const StoreFiles &) = delete;

    // Called before LMDB opens the files. Returns an empty string, or a sentence if LMDB must not
    // open them: there is no store and `may_create` is false, a name is not a regular file, a
    // permission is missing, or another PID namespace has the store open.
    std::string prepare(const std::string &directory, bool may_create);
    // Called after LMDB has opened the files; `data` is LMDB's descriptor of data.mdb. Returns an
    // empty string, or a sentence if a file was replaced since prepare().
    std::string opened(int data);

    // True if both names still refer to the opened files, and data.mdb was not truncated.
    bool in_place() const noexcept;
    // What happened to the files, for example "its data.mdb was removed"; empty if in_place().
    std::string displaced() const;

    // Take and release the shared flock() of a write transaction.
    void begin_write() const;
    void end_write() const;

    // Nothing if the write lock is free, or if the layout of lock.mdb is unknown.
    std::optional<LockHolder> lock_holder() const;
    LockUse lock_use() const;

  private:
    struct File {
        dev_t device = 0;
        ino_t inode = 0;
    };
    enum class Found : uint8_t { in_place, truncated, replaced, missing };
    static Found check(const std::string &path, const File &file, struct stat &st) noexcept;
    Found check_open_data() const noexcept;
    std::string check_data(bool may_create);
    std::string open_lock_file();
    std::optional<uint32_t> lock_word() const;

    std::string directory_, data_path_, lock_path_;
    File data_, lock_;
    int data_fd_ = -1;   // of data.mdb; owned by LMDB
    int lock_fd_ = -1;   // of lock.mdb; owned by this object
    int guard_fd_ = -1;  // of data.mdb; holds the exclusive flock() while lock.mdb is created
    bool has_data_ = false;
    mutable std::atomic<off_t> data_size_{0};  // largest size seen, bytes: data.mdb never shrinks
};

}  // namespace scim::store
