// Preloaded into nginx: once the file $TEST_FAULT exists, the next write of an LMDB meta page
// removes the file and fails.

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

// LMDB writes whole pages, except that of a meta page it writes only the changed part.
extern "C" ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    static const auto real = reinterpret_cast<decltype(&pwrite)>(dlsym(RTLD_NEXT, "pwrite"));
    static const char *const trigger = getenv("TEST_FAULT");
    if (size % 4096 == 0 || trigger == nullptr || unlink(trigger) != 0)
        return real(fd, bytes, size, at);
    errno = EIO;
    return -1;
}
