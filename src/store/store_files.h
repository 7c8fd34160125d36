#pragma once
// The two files of a store, data.mdb and lock.mdb, as the file system has them.
//
// LMDB opens files by name and never looks at the names again. A process that goes on with a
// data.mdb that was replaced writes into a file that is lost; one that goes on with a lock.mdb that
// was replaced has a write lock of its own, and two writers destroy the store. So:
//
// * Each write transaction takes a shared flock() on data.mdb and then checks both names.
// * A process that makes a new lock.mdb for an existing data.mdb takes the exclusive one: no writer
//   that uses another lock.mdb is within a transaction, and none begins one afterwards.
//
// A store that is gone is not made anew: lock.mdb counts the transactions of its store, and a
// data.mdb that is missing or empty beside a count above 0 was taken away.

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace scim::store {

// The process that holds the write lock.
struct LockHolder {
    pid_t process = 0;  // 0 if it cannot be found: it is in another pid namespace
    pid_t thread = 0;
};

// "process 17"
std::string to_string(const LockHolder &holder);

// True if there is a store in the directory: its data.mdb is there and not empty, or cannot be looked
// at.
bool is_there(const std::string &directory);

class StoreFiles {
  public:
    StoreFiles() = default;
    // LMDB's locks on lock.mdb belong to the process and end when any descriptor of the file is
    // closed. REQUIRES: LMDB has closed the file.
    ~StoreFiles();
    StoreFiles(const StoreFiles &) = delete;
    StoreFiles &operator=(const StoreFiles &) = delete;

    // Before LMDB opens the files. A sentence if it must not: there is no store and none may be
    // made, one of the names is not a regular file, or a permission is missing.
    std::string prepare(const std::string &directory, bool may_create);
    // After LMDB has opened them; `data` is its descriptor. A sentence if they have changed since.
    std::string opened(int data);

    // True if both names still mean the files that were opened, and data.mdb was not cut off.
    bool in_place() const noexcept;
    // What is wrong with them: "its data.mdb was removed". Empty if they are in place.
    std::string displaced() const;

    // For the time of a write transaction.
    void begin_write() const;
    void end_write() const;

    // Nothing if the write lock is free, or if lock.mdb is not of a known layout.
    std::optional<LockHolder> lock_holder() const;

  private:
    struct File {
        dev_t device = 0;
        ino_t inode = 0;
    };
    enum class Found : uint8_t { in_place, cut_off, replaced, missing };
    static Found look(const std::string &path, const File &file, struct stat &st) noexcept;
    Found look_at_data() const noexcept;
    std::string check_data(bool may_create);
    std::string open_lock_file();

    std::string directory_, data_path_, lock_path_;
    File data_, lock_;
    int data_fd_ = -1;   // LMDB's
    int lock_fd_ = -1;   // of this object
    int guard_fd_ = -1;  // of data.mdb while a new lock.mdb is made: holds the exclusive flock()
    bool has_data_ = false;
    mutable std::atomic<off_t> data_size_{0};  // the largest that was seen: the file never shrinks
};

}  // namespace scim::store
