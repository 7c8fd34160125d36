// Tests that three crashes of workers inside a store within a minute suspend it, and that other
// crashes do not count.

#include "store/fault_guard.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>

#include "fixture.h"

using namespace scim::store;

namespace {

std::unique_ptr<Env> open_env(const std::string &path, std::string &why, bool is_worker = true) {
    EnvOptions options;
    options.directory = path;
    options.map_size = size_t(1) << 20;
    options.is_worker = is_worker;
    auto env = Env::open(options, why);
    if (env != nullptr && env->open_databases() != Errc::ok) env->create_databases();
    return env;
}

// Runs `body` with the store open in a child process. Returns the signal that ended it, or 0.
int signal_of(const std::string &path, const std::function<void(Env &)> &body,
              bool is_worker = true) {
    std::fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (int number : {SIGSEGV, SIGBUS, SIGABRT})
            signal(number, SIG_DFL);  // replaces a sanitizer's handler
        rlimit none{0, 0};
        setrlimit(RLIMIT_CORE, &none);
        std::string why;
        auto env = open_env(path, why, is_worker);
        if (env == nullptr) _exit(1);
        body(*env);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void raise_in_read(Env &env, int signal) {
    Reader reader(env);
    ReadTxn txn(reader);
    raise(signal);
}
void fault_in_write(Env &env) {
    WriteTxn txn(env);
    void *page = mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char *>(page) = 1;  // faults
}

// Another worker that has the store open. can_use() is 'y' if it can read and write, 'n' if both
// are refused because the store is suspended, and '?' otherwise.
class OtherWorker {
  public:
    explicit OtherWorker(const std::string &path) {
        if (pipe(ask_) != 0 || pipe(answer_) != 0) abort();
        std::fflush(stdout);
        child_ = fork();
        if (child_ != 0) return;
        close(ask_[1]);
        std::string why;
        auto env = open_env(path, why);
        if (env == nullptr) _exit(1);
        Reader reader(*env);
        for (char byte; read(ask_[0], &byte, 1) == 1;) {
            bool reads = ReadTxn(reader).good(), writes = WriteTxn(*env).good();
            bool refused = ReadTxn(reader).error() == Errc::suspended &&
                           WriteTxn(*env).error() == Errc::suspended;
            byte = reads && writes ? 'y' : refused ? 'n' : '?';
            if (write(answer_[1], &byte, 1) != 1) _exit(1);
        }
        _exit(0);
    }
    ~OtherWorker() {
        close(ask_[1]);
        waitpid(child_, nullptr, 0);
    }
    char can_use() {
        char byte = 'x';
        if (write(ask_[1], &byte, 1) != 1 || read(answer_[0], &byte, 1) != 1) byte = '?';
        return byte;
    }

  private:
    pid_t child_ = 0;
    int ask_[2], answer_[2];
};

}  // namespace

int main() {
    fixture::TempDir dir;
    const std::string faults = dir.path + "/faults";
    std::string why;
    { ok(open_env(dir.path, why) != nullptr, "a store is created"); }

    for (int i = 0; i < 4; i++) {
        is(signal_of(dir.path, [](Env &) { raise(SIGSEGV); }), SIGSEGV,
           "a worker ends by SIGSEGV outside a transaction");
        is(signal_of(dir.path, [](Env &env) { raise_in_read(env, SIGKILL); }), SIGKILL,
           "a worker is killed by SIGKILL inside a read transaction");
        is(signal_of(
               dir.path, [](Env &env) { raise_in_read(env, SIGABRT); }, false),
           SIGABRT, "a tool ends by SIGABRT inside a read transaction");
    }
    ok(!is_suspended(dir.path),
       "crashes outside a transaction, by SIGKILL or of a tool do not suspend the store");

    is(signal_of(dir.path, [](Env &env) { raise_in_read(env, SIGABRT); }), SIGABRT,
       "a worker ends by SIGABRT inside a read transaction");
    is(signal_of(dir.path, fault_in_write), SIGSEGV,
       "a worker ends by SIGSEGV inside a write transaction");
    ok(!is_suspended(dir.path), "two crashes do not suspend the store");
    OtherWorker other(dir.path);
    is(other.can_use(), 'y', "another worker can use the store after two crashes");
    is(signal_of(dir.path, [](Env &env) { raise_in_read(env, SIGBUS); }), SIGBUS,
       "a worker ends by SIGBUS inside a read transaction");
    ok(is_suspended(dir.path), "three crashes suspend the store");
    is(other.can_use(), 'n',
       "reads and writes of a worker that has a suspended store open are refused");
    is(signal_of(dir.path, fault_in_write), 0, "a worker cannot open a suspended store");
    ok(resume_store(dir.path, why) && !is_suspended(dir.path),
       "resume_store() ends the suspension");
    is(other.can_use(), 'y', "a worker that has the store open can use it once it is resumed");
    is(signal_of(dir.path, fault_in_write), SIGSEGV,
       "a worker ends by SIGSEGV after the store is resumed");
    ok(!is_suspended(dir.path), "one crash after a resume does not suspend the store");
    for (int i = 0; i < 2; i++) signal_of(dir.path, fault_in_write);
    ok(is_suspended(dir.path), "three crashes after a resume suspend the store");
    ok(open_env(dir.path, why) == nullptr && why.find("store resume") != why.npos,
       "the error of opening a suspended store refers to store resume");
    { ok(open_env(dir.path, why, false) != nullptr, "a tool can open a suspended store"); }

    ok(rename((dir.path + "/data.mdb").c_str(), (dir.path + "/old").c_str()) == 0,
       "data.mdb is moved away");
    unlink((dir.path + "/lock.mdb").c_str());
    { ok(open_env(dir.path, why, false) != nullptr, "a tool creates a new data.mdb"); }
    { ok(open_env(dir.path, why) != nullptr, "a worker can open the new data.mdb"); }
    ok(!is_suspended(dir.path), "a new data.mdb is not suspended");
    unlink((dir.path + "/old").c_str());
    unlink(faults.c_str());
    return tap::done();
}
