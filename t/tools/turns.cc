// Preloaded into nginx: measures the longest iteration of an event loop, that is, the CPU time that
// the thread takes between two calls of epoll_wait(). The maximum is in the file $TEST_TURNS_FILE as
// a 64-bit number of nanoseconds; the process that reads it may set it to 0.

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

std::atomic<int64_t> *longest;

__attribute__((constructor)) void open_file() {
    const char *path = getenv("TEST_TURNS_FILE");
    int fd = path != nullptr ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = mmap(nullptr, sizeof *longest, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) longest = static_cast<std::atomic<int64_t> *>(map);
}

int64_t processor_time() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return int64_t(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

extern "C" int epoll_wait(int fd, epoll_event *events, int count, int timeout) {
    static thread_local int64_t begun;
    if (longest != nullptr && begun != 0)
        if (int64_t turn = processor_time() - begun; turn > *longest) *longest = turn;
    int n = int(syscall(SYS_epoll_pwait, fd, events, count, timeout, nullptr, 0));
    begun = processor_time();
    return n;
}
