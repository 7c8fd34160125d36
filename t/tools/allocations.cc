// Preloaded into nginx: makes allocations fail on demand. The file $TEST_ALLOCATIONS_FILE is
// shared with the test and holds four 64-bit numbers: 1 if allocations are counted; the number of
// the first allocation that fails, counted down; how many fail from that one on; how many have
// failed.

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
}

namespace {

struct Control {
    std::atomic<int64_t> armed, left, times, failed;
};
Control *control;

__attribute__((constructor)) void open_control() {
    const char *path = getenv("TEST_ALLOCATIONS_FILE");
    int fd = path != nullptr ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) control = static_cast<Control *>(map);
}

bool fails() {
    if (control == nullptr || control->armed == 0) return false;
    int64_t left = control->left--;
    if (left > 1 || left <= 1 - control->times) return false;
    control->failed++;
    errno = ENOMEM;
    return true;
}

}  // namespace

extern "C" {

void *malloc(size_t size) { return fails() ? nullptr : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails() ? nullptr : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return fails() ? nullptr : __libc_realloc(old, size); }

int posix_memalign(void **memory, size_t alignment, size_t size) {
    if (fails()) return ENOMEM;
    *memory = __libc_memalign(alignment, size);
    return *memory != nullptr ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails() ? nullptr : __libc_memalign(alignment, size);
}
}
