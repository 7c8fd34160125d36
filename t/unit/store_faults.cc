// A store that is taken away is not made anew, and is not written with a lock of its own; who waits
// for the write lock can be told which process holds it, and can be released from the work.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <thread>

#include "fixture.h"

namespace scim::store {
std::ostream &operator<<(std::ostream &out, Errc code) { return out << to_string(code); }
}  // namespace scim::store

using namespace scim::store;

namespace {

constexpr size_t map_size = size_t(1) << 20;

std::unique_ptr<Env> open(const std::string &path, std::string &why, bool may_create = true) {
    why.clear();
    EnvOptions options{path, map_size, 16};
    options.may_create = may_create;
    return Env::open(options, why);
}

std::unique_ptr<Env> must_open(const std::string &path) {
    std::string why;
    auto env = open(path, why);
    if (!env) diag(why);
    if (env->open_databases() != Errc::ok && env->create_databases() != Errc::ok) diag("no store");
    return env;
}

Errc write(Env &env) {
    WriteTxn txn(env);
    txn.put(Db::meta, "key", "value");
    return txn.commit();
}

bool contains(const std::string &text, std::string_view part) {
    if (text.find(part) != std::string::npos) return true;
    diag(text);
    return false;
}

bool exists(const std::string &path) {
    struct stat st;
    return stat(path.c_str(), &st) == 0 && st.st_size > 0;
}

// Another process; it ends when the object does.
class Child {
  public:
    Child(const char *what, const std::string &path) {
        int to_child[2], from_child[2];
        if (pipe(to_child) != 0 || pipe(from_child) != 0) abort();
        pid = fork();
        if (pid == 0) {
            dup2(to_child[0], 0);
            dup2(from_child[1], 1);
            for (int fd : {to_child[0], to_child[1], from_child[0], from_child[1]}) close(fd);
            execl("/proc/self/exe", "store_faults", what, path.c_str(), nullptr);
            _exit(1);
        }
        close(to_child[0]);
        close(from_child[1]);
        in_ = to_child[1];
        out_ = from_child[0];
    }
    ~Child() {
        close(in_);
        close(out_);
        waitpid(pid, nullptr, 0);
    }
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    // Its next line, or what it said before it ended.
    std::string line() {
        std::string text;
        for (char c; read(out_, &c, 1) == 1 && c != '\n';) text += c;
        return text;
    }
    pid_t pid = 0;

  private:
    int in_ = -1, out_ = -1;
};

void say(const std::string &line) {
    std::puts(line.c_str());
    std::fflush(stdout);
}

int run_child(std::string_view what, const std::string &path) {
    std::string why;
    auto env = open(path, why);
    if (!env || env->open_databases() != Errc::ok) return say(why), 1;
    if (what == "open") return say("opened"), 0;
    WriteTxn txn(*env);
    say(txn.good() ? "held" : std::string(to_string(txn.error())));
    char c;
    return read(0, &c, 1) < 0;
}

void test_gone() {
    fixture::TempDir dir;
    const std::string data = dir.path + "/data.mdb", lock = dir.path + "/lock.mdb";
    std::string why;
    ok(!open(dir.path, why, false) && contains(why, "is gone: its data.mdb was removed"),
       "an open that may not create makes no store");
    ok(!exists(data) && !exists(lock), "and writes no file");
    must_open(dir.path).reset();
    unlink(data.c_str());
    ok(!open(dir.path, why) && contains(why, "to begin with an empty store remove lock.mdb"),
       "beside a lock.mdb that counts commits a removed data.mdb is not made anew");
    // cppcheck-suppress stlcstrParam  ; the system's open(), which takes a C string
    close(::open(data.c_str(), O_CREAT | O_WRONLY, 0600));
    ok(!open(dir.path, why) && contains(why, "its data.mdb is empty"),
       "nor is an empty one filled");
    ok(!exists(data), "nothing was written");
    unlink(data.c_str());
    unlink(lock.c_str());
    ok(open(dir.path, why) != nullptr, "without both files a store may be made");
}

void test_not_regular() {
    for (const char *name : {"/data.mdb", "/lock.mdb"}) {
        fixture::TempDir dir;
        std::string why;
        mkfifo((dir.path + name).c_str(), 0600);
        alarm(20);
        ok(!open(dir.path, why) && contains(why, "is not a regular file"),
           std::string("a FIFO as ") + name + " is refused");
        alarm(0);
    }
}

void test_displaced() {
    struct {
        const char *name, *say;
        void (*change)(const std::string &directory);
    } cases[] = {
        {"data.mdb removed", "its data.mdb was removed",
         [](const std::string &d) { unlink((d + "/data.mdb").c_str()); }},
        {"lock.mdb removed", "its lock.mdb was removed",
         [](const std::string &d) { unlink((d + "/lock.mdb").c_str()); }},
        {"lock.mdb replaced", "its lock.mdb was replaced",
         [](const std::string &d) {
             const std::string path = d + "/lock.mdb", other = d + "/other";
             close(::open(other.c_str(), O_CREAT | O_WRONLY, 0600));
             rename(other.c_str(), path.c_str());
         }},
        {"data.mdb cut off", "its data.mdb was cut off",
         [](const std::string &d) {
             if (truncate((d + "/data.mdb").c_str(), 8192) != 0) diag("not cut off");
         }},
        {"the directory not a directory", "its data.mdb cannot be looked at: Not a directory",
         [](const std::string &d) {
             rename(d.c_str(), (d + ".away").c_str());
             close(::open(d.c_str(), O_CREAT | O_WRONLY, 0600));
         }},
    };
    for (const auto &[name, said, change] : cases) {
        fixture::TempDir dir;
        auto env = must_open(dir.path);
        is(write(*env), Errc::ok, "a write");
        is(env->displaced(), "", "into files that are in place");
        change(dir.path);
        is(env->displaced(), said, std::string(name) + " is said");
        is(write(*env), Errc::replaced, std::string(name) + ": no write transaction begins");
        if (rename((dir.path + ".away").c_str(), dir.path.c_str()) == 0 || errno == ENOENT)
            continue;
        unlink(dir.path.c_str());
        rename((dir.path + ".away").c_str(), dir.path.c_str());
    }
}

void test_second_lock() {
    fixture::TempDir dir;
    auto env = must_open(dir.path);
    {
        WriteTxn txn(*env);
        unlink((dir.path + "/lock.mdb").c_str());
        Child child("open", dir.path);
        ok(contains(child.line(), "a process whose lock.mdb was removed"),
           "while a write is under way no second lock.mdb is made");
        txn.put(Db::meta, "key", "during");
        is(txn.commit(), Errc::ok, "the write is committed");
    }
    Child child("hold", dir.path);
    is(child.line(), "held", "then another process has the write lock of a new lock.mdb");
    is(write(*env), Errc::replaced, "and the first one, with the old lock, writes no more");
}

void test_holder() {
    fixture::TempDir dir;
    auto env = must_open(dir.path);
    ok(!env->lock_holder(), "nobody holds the write lock");
    {
        WriteTxn txn(*env);
        auto holder = env->lock_holder();
        ok(holder && holder->process == getpid(), "this process does");
    }
    auto child = std::make_unique<Child>("hold", dir.path);
    is(child->line(), "held", "another process has it");
    auto holder = env->lock_holder();
    is(holder ? to_string(*holder) : "nobody", "process " + std::to_string(child->pid),
       "by its pid");

    for (bool is_given_up : {true, false}) {
        LockWait wait;
        ok(!wait.give_up(), "what does not wait is not given up");
        Errc code = Errc::ok;
        std::thread waiting([&] {
            WriteTxn txn(*env, &wait);
            txn.put(Db::meta, "waited", "value");
            code = txn.commit();
        });
        while (!wait.is_waiting()) std::this_thread::yield();
        if (is_given_up) ok(wait.give_up() && !wait.give_up(), "a wait is given up, once");
        child.reset();
        waiting.join();
        is(code, is_given_up ? Errc::given_up : Errc::ok,
           is_given_up ? "its transaction fails when the lock is free" : "another one commits");
        Reader reader(*env);
        ReadTxn txn(reader);
        Bytes value;
        is(txn.get(Db::meta, "waited", value), !is_given_up, "what it has written");
        if (!is_given_up) break;
        child = std::make_unique<Child>("hold", dir.path);
        is(child->line(), "held", "another process has it again");
    }
}

void test_texts() {
    is(to_string(Errc(int(Errc::system_error) + ENOMEM)), "Cannot allocate memory",
       "a system error has the system's text");
    is(to_string(Errc::io), "input/output error", "EIO has its own");
}

}  // namespace

int main(int argc, char **argv) {
    if (argc == 3) return run_child(argv[1], argv[2]);
    test_gone();
    test_not_regular();
    test_displaced();
    test_second_lock();
    test_holder();
    test_texts();
    return tap::done();
}
