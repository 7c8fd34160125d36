// Preloaded into nginx: makes system calls fail or wait on demand. Once the file $TEST_FAULT exists,
// the next write of an LMDB meta page removes the file and fails. Once the file $TEST_READ_FAULT
// exists, the next pread() does. While the file $TEST_HOLD exists, threads other than the event loop
// wait when they read the clock, as a read of a list does after it has begun; $TEST_HOLD.held is
// written when one waits.

#include <dlfcn.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

namespace {

// Removes the file; false if it does not exist.
bool takes(const char *trigger) { return trigger != nullptr && unlink(trigger) == 0; }

void wait_while_held() {
    if (gettid() == getpid()) return;
    static const char *const hold = getenv("TEST_HOLD");
    if (hold == nullptr || access(hold, F_OK) != 0) return;
    close(open((std::string(hold) + ".held").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    while (access(hold, F_OK) == 0) usleep(1000);
}

}  // namespace

// LMDB writes whole pages, except that of a meta page it writes only the changed part.
extern "C" ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    static const auto real = reinterpret_cast<decltype(&pwrite)>(dlsym(RTLD_NEXT, "pwrite"));
    static const char *const trigger = getenv("TEST_FAULT");
    if (size % 4096 == 0 || !takes(trigger)) return real(fd, bytes, size, at);
    errno = EIO;
    return -1;
}

extern "C" ssize_t pread(int fd, void *bytes, size_t size, off_t at) {
    static const auto real = reinterpret_cast<decltype(&pread)>(dlsym(RTLD_NEXT, "pread"));
    static const char *const trigger = getenv("TEST_READ_FAULT");
    if (!takes(trigger)) return real(fd, bytes, size, at);
    errno = EIO;
    return -1;
}

extern "C" int clock_gettime(clockid_t clock, timespec *time) noexcept {
    static const auto real =
        reinterpret_cast<decltype(&clock_gettime)>(dlsym(RTLD_NEXT, "clock_gettime"));
    wait_while_held();
    return real(clock, time);
}
