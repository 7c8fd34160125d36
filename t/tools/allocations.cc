// Preloaded into nginx: allocations fail when a test says so. The file $TEST_ALLOCATIONS_FILE is shared with the test and
// holds four numbers of 64 bits: 1 if allocations are counted; how many there are until the first one that fails; how many
// fail from that one on; and how many have failed.

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

struct Order {
    std::atomic<int64_t> armed, left, times, failed;
};
Order *order;

__attribute__((constructor)) void open_order() {
    const char *path = getenv("TEST_ALLOCATIONS_FILE");
    int fd = path != nullptr ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = mmap(nullptr, sizeof(Order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) order = static_cast<Order *>(map);
}

bool fails() {
    if (order == nullptr || order->armed == 0) return false;
    int64_t left = order->left--;
    if (left > 1 || left <= 1 - order->times) return false;
    order->failed++;
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
