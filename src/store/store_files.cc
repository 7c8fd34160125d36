#include "store/store_files.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "store/permissions.h"

namespace scim::store {

namespace {

// The header of lock.mdb in LMDB 0.9 (MDB_txninfo in mdb.c), built with POSIX mutexes.
struct LockHead {
    uint32_t magic, format;
    pthread_mutex_t reader_mutex;
    size_t txn;  // the last committed transaction
    unsigned readers;
};
constexpr size_t cache_line = 64;
constexpr size_t write_mutex_at = (sizeof(LockHead) + cache_line - 1) / cache_line * cache_line;
constexpr uint32_t lock_magic = 0xBEEFC0DE;
constexpr uint32_t lock_format = 0x10001;  // version 1, with process-shared mutexes
// A robust mutex begins with the kernel's futex word: the id of the holding thread and two flag
// bits (set_robust_list(2)).
constexpr uint32_t futex_tid_mask = 0x3fffffff, futex_waiters = 0x80000000;

constexpr int lock_attempts = 50;
constexpr useconds_t lock_pause = 2000;  // microseconds between attempts

bool read_head(int fd, LockHead &head) {
    return pread(fd, &head, sizeof head, 0) == ssize_t(sizeof head) && head.magic == lock_magic &&
           head.format == lock_format;
}

std::string cannot_open(const std::string &directory, int error) {
    if (error == EACCES || error == EPERM)
        if (auto problem = permission_problem(directory, geteuid(), getegid()); !problem.empty())
            return "cannot open store \"" + directory + "\": " + problem;
    return "cannot open store \"" + directory + "\": " + std::strerror(error);
}

std::string not_regular(const std::string &path) {
    return "\"" + path + "\" is not a regular file";
}

// The process that a thread belongs to; 0 if this pid namespace has no such thread.
pid_t process_of(pid_t thread) {
    const std::string path = "/proc/" + std::to_string(thread) + "/status";
    FILE *status = std::fopen(path.c_str(), "re");
    if (status == nullptr) return 0;
    char line[256];
    int process = 0;
    while (std::fgets(line, sizeof line, status) != nullptr)
        if (std::sscanf(line, "Tgid: %d", &process) == 1) break;
    std::fclose(status);
    return pid_t(process);
}

// True if a process of another PID namespace has LMDB's locks on the file: F_GETLK knows no id of a
// process that this namespace cannot see, and LMDB locks the byte whose offset is the id that the
// process has in its own namespace (offset 0: every process). REQUIRES: this process has no such
// lock.
bool is_used_in_other_namespace(int fd) {
    struct flock lock {};
    for (off_t from = 0;; from = lock.l_start + lock.l_len) {
        lock = {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        lock.l_start = from;
        if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return false;
        if (lock.l_pid == 0 || (lock.l_start != 0 && lock.l_start != lock.l_pid)) return true;
        if (lock.l_len == 0) return false;  // up to the end of the file
    }
}

}  // namespace

std::string to_string(const LockHolder &holder) {
    if (holder.process != 0) return "process " + std::to_string(holder.process);
    return "thread " + std::to_string(holder.thread) + " of an unknown process";
}

bool is_there(const std::string &directory) {
    struct stat st;
    if (stat((directory + "/data.mdb").c_str(), &st) != 0)
        return errno != ENOENT && errno != ENOTDIR;
    return st.st_size > 0;
}

bool was_there(const std::string &directory) {
    const std::string lock = directory + "/lock.mdb";
    int fd = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    LockHead head{};
    const bool had_store = read_head(fd, head) && head.txn > 0;
    ::close(fd);
    return had_store;
}

StoreFiles::~StoreFiles() {
    if (guard_fd_ >= 0) ::close(guard_fd_);
    if (lock_fd_ >= 0) ::close(lock_fd_);
}

// LMDB would create a missing data.mdb, and would block for ever on a FIFO.
std::string StoreFiles::check_data(bool may_create) {
    struct stat st;
    const bool exists = stat(data_path_.c_str(), &st) == 0;
    if (!exists && errno != ENOENT) return cannot_open(directory_, errno);
    if (exists && !S_ISREG(st.st_mode)) return not_regular(data_path_);
    has_data_ = exists && st.st_size > 0;
    if (has_data_) return {};
    const std::string gone = "store \"" + directory_ + "\" is gone: its data.mdb " +
                             (exists ? "is empty" : "was removed") + "; ";
    if (!may_create) return gone + "put it back, or restore a backup";
    if (!was_there(directory_)) return {};
    return gone + "put it back, or restore a backup; to begin with an empty store, remove lock.mdb";
}

std::string StoreFiles::open_lock_file() {
    lock_fd_ = ::open(lock_path_.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat st;
    if (lock_fd_ < 0 || fstat(lock_fd_, &st) != 0) return cannot_open(directory_, errno);
    if (!S_ISREG(st.st_mode)) return not_regular(lock_path_);
    lock_ = {st.st_dev, st.st_ino};
    if (is_used_in_other_namespace(lock_fd_))
        return "store \"" + directory_ +
               "\" is open in another PID namespace (another container, or the host): LMDB cannot "
               "tell which of its readers are alive; open it only in the container of nginx";
    if (!has_data_ || st.st_size > 0) return {};
    guard_fd_ = ::open(data_path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (guard_fd_ < 0) return cannot_open(directory_, errno);
    for (int attempt = 0; flock(guard_fd_, LOCK_EX | LOCK_NB) != 0; attempt++) {
        if (errno != EWOULDBLOCK && errno != EINTR) break;  // a file system without flock()
        if (attempt == lock_attempts)
            return "store \"" + directory_ +
                   "\" is being written by a process that uses a removed lock.mdb; wait until its "
                   "write ends and try again";
        usleep(lock_pause);
    }
    return {};
}

std::string StoreFiles::prepare(const std::string &directory, bool may_create) {
    directory_ = directory;
    data_path_ = directory + "/data.mdb";
    lock_path_ = directory + "/lock.mdb";
    std::string why = check_data(may_create);
    return why.empty() ? open_lock_file() : why;
}

std::string StoreFiles::opened(int data) {
    if (guard_fd_ >= 0) ::close(guard_fd_);
    guard_fd_ = -1;
    struct stat st;
    if (fstat(data, &st) != 0) return cannot_open(directory_, errno);
    data_ = {st.st_dev, st.st_ino};
    data_fd_ = data;
    std::string why = displaced();
    return why.empty() ? why : "cannot open store \"" + directory_ + "\": " + why;
}

// Compares the file of this name with the opened one. With Found::missing, errno is set.
StoreFiles::Found StoreFiles::check(const std::string &path, const File &file,
                                    struct stat &st) noexcept {
    if (stat(path.c_str(), &st) != 0) return Found::missing;
    return st.st_dev == file.device && st.st_ino == file.inode ? Found::in_place : Found::replaced;
}

StoreFiles::Found StoreFiles::check_open_data() const noexcept {
    struct stat st;
    const off_t size = data_size_;  // read before stat(): another thread may see the file grow
    const Found found = check(data_path_, data_, st);
    if (found != Found::in_place) return found;
    if (st.st_size < size) return Found::truncated;
    if (st.st_size > size) data_size_ = st.st_size;
    return found;
}

bool StoreFiles::in_place() const noexcept {
    struct stat st;
    return check_open_data() == Found::in_place && check(lock_path_, lock_, st) == Found::in_place;
}

std::string StoreFiles::displaced() const {
    struct stat st;
    std::string name = "its data.mdb ";
    Found found = check_open_data();
    if (found == Found::in_place) {
        name = "its lock.mdb ";
        found = check(lock_path_, lock_, st);
    }
    switch (found) {
        case Found::in_place: return {};
        case Found::truncated: return name + "was truncated";
        case Found::replaced: return name + "was replaced";
        case Found::missing: break;
    }
    return errno == ENOENT ? name + "was removed"
                           : name + "cannot be checked: " + std::strerror(errno);
}

void StoreFiles::begin_write() const {
    while (flock(data_fd_, LOCK_SH) != 0 && errno == EINTR) {
    }
}

void StoreFiles::end_write() const { flock(data_fd_, LOCK_UN); }

// The futex word of the write lock; nothing if the layout of lock.mdb is unknown.
std::optional<uint32_t> StoreFiles::lock_word() const {
    LockHead head{};
    uint32_t word = 0;
    if (!read_head(lock_fd_, head) ||
        pread(lock_fd_, &word, sizeof word, write_mutex_at) != ssize_t(sizeof word))
        return std::nullopt;
    return word;
}

std::optional<LockHolder> StoreFiles::lock_holder() const {
    const pid_t thread = pid_t(lock_word().value_or(0) & futex_tid_mask);
    if (thread == 0) return std::nullopt;
    return LockHolder{process_of(thread), thread};
}

LockUse StoreFiles::lock_use() const {
    const uint32_t word = lock_word().value_or(0);
    if ((word & futex_waiters) != 0) return LockUse::awaited;
    return (word & futex_tid_mask) != 0 ? LockUse::held : LockUse::free;
}

}  // namespace scim::store
