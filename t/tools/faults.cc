// Preloaded into nginx: as soon as the file $TEST_FAULT is there, the next write of LMDB's meta page
// removes it and fails.

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

// LMDB writes pages as wholes, and of a meta page only what has changed.
extern "C" ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    static const auto real = reinterpret_cast<decltype(&pwrite)>(dlsym(RTLD_NEXT, "pwrite"));
    static const char *const order = getenv("TEST_FAULT");
    if (size % 4096 == 0 || order == nullptr || unlink(order) != 0)
        return real(fd, bytes, size, at);
    errno = EIO;
    return -1;
}
