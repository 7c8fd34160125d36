// Preloaded into nginx: what one iteration of an event loop does at most, that is, its thread
// between two calls of epoll_wait(). $TEST_TURNS_FILE has four 64-bit numbers, which the process
// that reads them may set to 0:
//     CPU time in nanoseconds
//     bytes read from sockets
//     bytes of unlinked files that were closed
//     responses that were written (calls of writev)

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

enum Kind { cpu_time, bytes_read, bytes_closed, responses, kinds };

std::atomic<int64_t> *longest;
thread_local bool is_loop;  // the thread has called epoll_wait()
thread_local int64_t begun, amount[kinds];

__attribute__((constructor)) void open_file() {
    const char *path = getenv("TEST_TURNS_FILE");
    int fd = path != nullptr ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = mmap(nullptr, kinds * sizeof *longest, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (map != MAP_FAILED) longest = static_cast<std::atomic<int64_t> *>(map);
}

int64_t processor_time() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return int64_t(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

bool is_socket(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

void end_turn() {
    amount[cpu_time] = processor_time() - begun;
    for (int kind = 0; kind < kinds; kind++)
        if (amount[kind] > longest[kind]) longest[kind] = amount[kind];
}

template <class F>
F next(F, const char *name) {
    return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int epoll_wait(int fd, epoll_event *events, int count, int timeout) {
    if (longest != nullptr && is_loop) end_turn();
    int n = int(syscall(SYS_epoll_pwait, fd, events, count, timeout, nullptr, 0));
    for (int64_t &one : amount) one = 0;
    is_loop = true;
    begun = processor_time();
    return n;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags) {
    static const auto real = next(recv, "recv");
    ssize_t n = real(fd, bytes, size, flags);
    if (n > 0 && (flags & MSG_PEEK) == 0) amount[bytes_read] += n;
    return n;
}

// OpenSSL reads sockets with this.
ssize_t read(int fd, void *bytes, size_t size) {
    ssize_t n = syscall(SYS_read, fd, bytes, size);
    if (n > 0 && is_loop && is_socket(fd)) amount[bytes_read] += n;
    return n;
}

ssize_t writev(int fd, const iovec *parts, int count) {
    if (is_loop && is_socket(fd)) amount[responses]++;
    return syscall(SYS_writev, fd, parts, count);
}

int close(int fd) {
    struct stat st;
    if (is_loop && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0)
        amount[bytes_closed] += st.st_size;
    return int(syscall(SYS_close, fd));
}

}  // extern "C"
