// Threads read one environment while another thread commits, or while another process increases the
// size of the map. A snapshot has exactly the state that the commit of its number wrote, and no read
// fails with map_resized once the map has been adopted.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "fixture.h"

using namespace scim::store;

namespace {

constexpr int readers = 6, commits = 400, growths = 30;
constexpr size_t step = size_t(1) << 20;  // bytes that the map grows by
// Room for all commits: a thread that is not scheduled meanwhile keeps the pages of its snapshot.
constexpr size_t numbers_map_size = size_t(64) << 20;

std::unique_ptr<Env> open(const std::string &path, size_t map_size) {
    std::string why;
    auto env = Env::open({path, map_size, 64}, why);
    if (env == nullptr) diag(why);
    return env;
}

// A commit writes its number.
void write_numbers(Env &env) {
    for (int i = 0; i < commits; i++) {
        WriteTxn txn(env);
        txn.put(Db::meta, "number", std::to_string(txn.id()));
        if (txn.commit() != Errc::ok) abort();
    }
}

// Snapshots that hold another number than their own.
int read_numbers(Env &env, const std::atomic<bool> &done) {
    int wrong = 0;
    for (Reader reader(env); !done;) {
        ReadTxn txn(reader);
        Bytes value;
        wrong += txn.get(Db::meta, "number", value) && value != std::to_string(txn.id());
    }
    return wrong;
}

void test_numbers() {
    fixture::TempDir dir;
    auto opened = open(dir.path, numbers_map_size);
    Env &env = *opened;
    ok(env.create_databases() == Errc::ok, "an environment is made");
    std::atomic<bool> done{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    threads.reserve(readers);
    write_numbers(env);
    for (int i = 0; i < readers; i++)
        threads.emplace_back([&] { wrong += read_numbers(env, done); });
    write_numbers(env);
    done = true;
    for (std::thread &thread : threads) thread.join();
    is(wrong.load(), 0, "a snapshot is what the commit of its number has left");
}

// In a process of its own.
int grow(const std::string &path, size_t map_size) {
    auto env = open(path, map_size);
    if (env == nullptr || env->open_databases() != Errc::ok) return 2;
    WriteTxn txn(*env);
    for (size_t i = 0; i < step / 4096 && txn.good(); i++)
        txn.put(Db::resources, std::to_string(map_size) + " " + std::to_string(i),
                std::string(3000, 'x'));
    return txn.commit() == Errc::ok ? 0 : 3;
}

bool grow_elsewhere(const std::string &path, size_t map_size) {
    const pid_t child = fork();
    if (child == 0) {
        // The child opens the file anew: its copy of the parent's environment is never used.
        execl("/proc/self/exe", "lmdb_threads", path.c_str(), std::to_string(map_size).c_str(),
              nullptr);
        _exit(1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status == 0;
}

// Each of several threads begins to read, again until it can, and reads until all of them do.
void adopt_at_once(Env &env) {
    std::atomic<int> started{0}, reading{0};
    std::vector<std::thread> threads;
    threads.reserve(readers);
    for (int i = 0; i < readers; i++)
        threads.emplace_back([&] {
            Reader reader(env);
            for (started++; started < readers;) std::this_thread::yield();
            for (;;) {
                ReadTxn txn(reader);
                if (!txn.good()) continue;
                for (reading++; reading < readers;) std::this_thread::yield();
                return;
            }
        });
    for (std::thread &thread : threads) thread.join();
}

void test_adopt(const std::string &path, Env &env, size_t map_size) {
    int grown = 0, told_to_end = 0;
    for (int i = 1; i <= growths; i++) {
        grown += grow_elsewhere(path, map_size + 2 * i * step);
        adopt_at_once(env);
        Reader reader(env);
        told_to_end += ReadTxn(reader).must_end();
    }
    is(grown, growths, "another process grows the map");
    is(told_to_end, 0, "no read is told to end after the threads have adopted it");
}

}  // namespace

int main(int argc, char **argv) {
    if (argc == 3) return grow(argv[1], std::stoul(argv[2]));
    constexpr size_t map_size = 2 * step;
    fixture::TempDir dir;
    auto env = open(dir.path, map_size);
    ok(env->create_databases() == Errc::ok, "an environment is made");
    test_numbers();
    test_adopt(dir.path, *env, map_size);
    return tap::done();
}
