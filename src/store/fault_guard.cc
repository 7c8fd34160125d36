#include "store/fault_guard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <mutex>

namespace scim::store {

// The layout of the file `faults`, in the machine's byte order: the file is used on one machine
// only. All zeros mean no deaths and no suspension.
struct FaultFile {
    std::atomic<uint64_t> suspended;  // 0 or 1
    std::atomic<uint64_t> data;       // identity of the suspended data.mdb
    std::atomic<uint64_t> deaths;     // number of deaths, modulo 2^64
    // Times of the last deaths, milliseconds since 1970; a ring indexed by `deaths`.
    std::atomic<uint64_t> times[FaultGuard::deaths_max];
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// The signal handlers of this process and the list of guards that they notify.
struct FaultSignals {
    static constexpr std::array<int, 5> signals = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    static std::mutex mutex;  // held while the list is changed
    static std::atomic<FaultGuard *> first;
    static std::array<struct sigaction, signals.size()> before;

    static void handler(int signal, siginfo_t *info, void *context);
    static void install();
    static void uninstall();
    static void add(FaultGuard &guard);
    static void remove(FaultGuard &guard);
};
std::mutex FaultSignals::mutex;
std::atomic<FaultGuard *> FaultSignals::first{nullptr};
std::array<struct sigaction, FaultSignals::signals.size()> FaultSignals::before{};

// Async-signal-safe. With the previous action restored, a fault recurs when this returns; a signal
// that was sent by kill() or raise() is raised again here.
void FaultSignals::handler(int signal, siginfo_t *info, void *) {
    const int saved = errno;
    for (FaultGuard *guard = first.load(); guard != nullptr; guard = guard->next_.load())
        if (guard->inside_->load() > 0) guard->note_death();
    for (size_t i = 0; i < signals.size(); i++)
        if (signals[i] == signal) sigaction(signal, &before[i], nullptr);
    if (info == nullptr || info->si_code <= 0) raise(signal);
    errno = saved;
}

void FaultSignals::install() {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < signals.size(); i++) sigaction(signals[i], &action, &before[i]);
}

// Keeps a handler that another module has installed later.
void FaultSignals::uninstall() {
    for (size_t i = 0; i < signals.size(); i++) {
        struct sigaction now {};
        if (sigaction(signals[i], nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
            now.sa_sigaction == handler)
            sigaction(signals[i], &before[i], nullptr);
    }
}

void FaultSignals::add(FaultGuard &guard) {
    std::lock_guard<std::mutex> lock(mutex);
    if (first.load() == nullptr) install();
    guard.next_ = first.load();
    first = &guard;
}

void FaultSignals::remove(FaultGuard &guard) {
    std::lock_guard<std::mutex> lock(mutex);
    std::atomic<FaultGuard *> *link = &first;
    while (link->load() != &guard) link = &link->load()->next_;
    *link = guard.next_.load();
    if (first.load() == nullptr) uninstall();
}

namespace {

std::string file_of(const std::string &directory) { return directory + "/faults"; }

// Distinguishes a restored data.mdb from the previous one. Includes the birth time, because the
// inode number may be reused. 0 if there is no data.mdb.
uint64_t identity_of(const std::string &directory) {
    struct statx st;
    if (statx(AT_FDCWD, (directory + "/data.mdb").c_str(), 0, STATX_INO | STATX_BTIME, &st) != 0)
        return 0;
    uint64_t born = (st.stx_mask & STATX_BTIME) == 0
                        ? 0
                        : uint64_t(st.stx_btime.tv_sec) * 1000000000 + st.stx_btime.tv_nsec;
    return (uint64_t(st.stx_ino) * 0x9E3779B97F4A7C15 ^ born) | 1;
}

// On failure returns nullptr and sets errno.
FaultFile *map_file(const std::string &directory, int flags) {
    const int fd = open(file_of(directory).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0) return nullptr;
    struct stat st;
    void *map = MAP_FAILED;
    int code = fstat(fd, &st) == 0 ? 0 : errno;
    // Allocated in full: in a sparse file, writing on a full disk would raise SIGBUS.
    if (code == 0 && st.st_size < off_t(sizeof(FaultFile)))
        code = posix_fallocate(fd, 0, sizeof(FaultFile));
    if (code == 0)
        map = mmap(nullptr, sizeof(FaultFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (code == 0 && map == MAP_FAILED) code = errno;
    close(fd);
    errno = code;
    return map == MAP_FAILED ? nullptr : static_cast<FaultFile *>(map);
}

void unmap(FaultFile *file) { munmap(file, sizeof *file); }

void clear(FaultFile &file) {
    file.suspended = 0;
    file.deaths = 0;
    for (auto &time : file.times) time = 0;
}

}  // namespace

std::unique_ptr<FaultGuard> FaultGuard::open(const std::string &directory,
                                             const std::atomic<int> &inside) {
    FaultFile *file = map_file(directory, O_CREAT);
    if (file == nullptr) return nullptr;
    std::unique_ptr<FaultGuard> guard(new FaultGuard);
    guard->file_ = file;
    guard->suspended_ = &file->suspended;
    guard->inside_ = &inside;
    guard->data_ = identity_of(directory);
    if (guard->suspended() && file->data != guard->data_) clear(*file);
    FaultSignals::add(*guard);
    return guard;
}

FaultGuard::~FaultGuard() {
    FaultSignals::remove(*this);
    unmap(file_);
}

void FaultGuard::note_death() {
    struct timespec clock {};
    clock_gettime(CLOCK_REALTIME, &clock);
    const uint64_t now = uint64_t(clock.tv_sec) * 1000 + uint64_t(clock.tv_nsec) / 1000000;
    const uint64_t number = file_->deaths.fetch_add(1);
    file_->times[number % deaths_max] = now;
    const uint64_t oldest = file_->times[(number + 1) % deaths_max];  // of the last deaths_max
    if (number + 1 < deaths_max || oldest > now || now - oldest > within) return;
    file_->data = data_;
    file_->suspended = 1;
}

std::string suspension_text(const std::string &directory) {
    return "store \"" + directory + "\" is suspended: " + std::to_string(FaultGuard::deaths_max) +
           " worker processes died inside it within " + std::to_string(FaultGuard::within / 1000) +
           " seconds, so it is probably damaged; check it with \"scimctl --store " + directory +
           " verify\" and restore a backup, or end the suspension with \"scimctl --store " +
           directory + " store resume\"";
}

bool is_suspended(const std::string &directory) {
    FaultFile *file = map_file(directory, 0);
    if (file == nullptr) return false;
    const bool suspended = file->suspended != 0;
    unmap(file);
    return suspended;
}

bool resume_store(const std::string &directory, std::string &why) {
    FaultFile *file = map_file(directory, 0);
    if (file == nullptr && errno == ENOENT) return true;
    if (file == nullptr) {
        why = "cannot write \"" + file_of(directory) + "\": " + std::strerror(errno);
        return false;
    }
    clear(*file);
    unmap(file);
    return true;
}

}  // namespace scim::store
