// Preloaded into nginx: makes system calls fail on demand. Once the file $TEST_FAULT exists, the next
// write of an LMDB meta page removes the file and fails. Once the file $TEST_READ_FAULT exists, the
// next pread() does.

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace {

// Removes the file; false if it does not exist.
bool takes(const char *trigger) { return trigger != nullptr && unlink(trigger) == 0; }

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
