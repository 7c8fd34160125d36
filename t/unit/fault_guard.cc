// Three deaths of workers inside a store within a minute suspend it; other deaths do not count.

#include "store/fault_guard.h"

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

// The signal that ended a process which runs `body` with the store open; 0 if none did.
int death_of(const std::string &path, const std::function<void(Env &)> &body,
             bool is_worker = true) {
    std::fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (int number : {SIGSEGV, SIGBUS, SIGABRT}) signal(number, SIG_DFL);  // a sanitizer's
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

void die_reading(Env &env, int signal) {
    Reader reader(env);
    ReadTxn txn(reader);
    raise(signal);
}
void die_by_fault(Env &env) {
    WriteTxn txn(env);
    // cppcheck-suppress nullPointer
    *static_cast<volatile char *>(nullptr) = 1;  // the fault that is asked for
}

// Another worker that has the store open.
class Beside {
  public:
    explicit Beside(const std::string &path) {
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
    ~Beside() {
        close(ask_[1]);
        waitpid(child_, nullptr, 0);
    }
    char reads() {
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
    { ok(open_env(dir.path, why) != nullptr, "a store"); }

    for (int i = 0; i < 4; i++) {
        is(death_of(dir.path, [](Env &) { raise(SIGSEGV); }), SIGSEGV, "a death outside the store");
        is(death_of(dir.path, [](Env &env) { die_reading(env, SIGKILL); }), SIGKILL,
           "a process that is killed inside the store");
        is(death_of(
               dir.path, [](Env &env) { die_reading(env, SIGABRT); }, false),
           SIGABRT, "a death of a tool inside the store");
    }
    ok(!is_suspended(dir.path), "none of these counts");

    is(death_of(dir.path, [](Env &env) { die_reading(env, SIGABRT); }), SIGABRT, "an assertion");
    is(death_of(dir.path, die_by_fault), SIGSEGV, "a fault in a write transaction");
    ok(!is_suspended(dir.path), "two deaths do not suspend the store");
    Beside beside(dir.path);
    is(beside.reads(), 'y', "another process may read it");
    is(death_of(dir.path, [](Env &env) { die_reading(env, SIGBUS); }), SIGBUS, "a bus error");
    ok(is_suspended(dir.path), "three deaths suspend the store");
    is(beside.reads(), 'n', "a process that has it open neither reads nor writes it");
    is(death_of(dir.path, die_by_fault), 0, "no worker opens it");
    ok(resume_store(dir.path, why) && !is_suspended(dir.path), "resume_store() ends it");
    is(beside.reads(), 'y', "at once for a process that has it open");
    is(death_of(dir.path, die_by_fault), SIGSEGV, "a death after that");
    ok(!is_suspended(dir.path), "is the first one");
    for (int i = 0; i < 2; i++) death_of(dir.path, die_by_fault);
    ok(is_suspended(dir.path), "and the third one suspends it again");
    ok(open_env(dir.path, why) == nullptr && why.find("store resume") != why.npos,
       "the sentence says what to do");
    { ok(open_env(dir.path, why, false) != nullptr, "a tool opens it"); }

    ok(rename((dir.path + "/data.mdb").c_str(), (dir.path + "/old").c_str()) == 0,
       "another data.mdb is put in its place");
    unlink((dir.path + "/lock.mdb").c_str());
    { ok(open_env(dir.path, why, false) != nullptr, "which a tool makes"); }
    { ok(open_env(dir.path, why) != nullptr, "a worker opens that"); }
    ok(!is_suspended(dir.path), "and the suspension has ended");
    unlink((dir.path + "/old").c_str());
    unlink(faults.c_str());
    return tap::done();
}
