// Tests that a removed store is not created again, that a store is not written under a second
// lock.mdb, that the process that holds the write lock is known, and that a wait for the write lock
// can be given up.

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

// Another process, which ends when the object is destroyed.
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
    // Returns the next line of its output, or the rest before its end.
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

void test_removed() {
    fixture::TempDir dir;
    const std::string data = dir.path + "/data.mdb", lock = dir.path + "/lock.mdb";
    std::string why;
    ok(!open(dir.path, why, false) && contains(why, "is gone: its data.mdb was removed"),
       "opening a missing store without may_create is refused");
    ok(!exists(data) && !exists(lock), "opening a missing store without may_create writes no file");
    must_open(dir.path).reset();
    unlink(data.c_str());
    ok(!open(dir.path, why) && contains(why, "to begin with an empty store, remove lock.mdb"),
       "opening a store whose data.mdb was removed is refused if lock.mdb counts commits");
    // cppcheck-suppress stlcstrParam  ; the system's open(), which takes a C string
    close(::open(data.c_str(), O_CREAT | O_WRONLY, 0600));
    ok(!open(dir.path, why) && contains(why, "its data.mdb is empty"),
       "opening a store whose data.mdb is empty is refused if lock.mdb counts commits");
    ok(!exists(data), "refused opens do not write data.mdb");
    unlink(data.c_str());
    unlink(lock.c_str());
    ok(open(dir.path, why) != nullptr, "a store is created if both files are missing");
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
        {"data.mdb cut off", "its data.mdb was truncated",
         [](const std::string &d) {
             if (truncate((d + "/data.mdb").c_str(), 8192) != 0) diag("not cut off");
         }},
        {"directory replaced by a file", "its data.mdb cannot be checked: Not a directory",
         [](const std::string &d) {
             rename(d.c_str(), (d + ".away").c_str());
             close(::open(d.c_str(), O_CREAT | O_WRONLY, 0600));
         }},
    };
    for (const auto &[name, said, change] : cases) {
        fixture::TempDir dir;
        auto env = must_open(dir.path);
        is(write(*env), Errc::ok, std::string(name) + ": a write before is committed");
        is(env->displaced(), "", std::string(name) + ": displaced() before is empty");
        change(dir.path);
        is(env->displaced(), said, std::string(name) + ": displaced() says so");
        is(write(*env), Errc::replaced,
           std::string(name) + ": a write is refused with Errc::replaced");
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
        ok(contains(child.line(), "a process that uses a removed lock.mdb"),
           "another process does not create a second lock.mdb during a write");
        txn.put(Db::meta, "key", "during");
        is(txn.commit(), Errc::ok, "a write during which lock.mdb was removed is committed");
    }
    Child child("hold", dir.path);
    is(child.line(), "held",
       "after the write another process gets the write lock of a new lock.mdb");
    is(write(*env), Errc::replaced,
       "a write under the old lock.mdb is refused with Errc::replaced");
}

void test_holder() {
    fixture::TempDir dir;
    auto env = must_open(dir.path);
    ok(!env->lock_holder(), "lock_holder() is empty while no process has the write lock");
    {
        WriteTxn txn(*env);
        auto holder = env->lock_holder();
        ok(holder && holder->process == getpid(),
           "lock_holder() is this process during its write transaction");
    }
    auto child = std::make_unique<Child>("hold", dir.path);
    is(child->line(), "held", "another process gets the write lock");
    auto holder = env->lock_holder();
    is(holder ? to_string(*holder) : "nobody", "process " + std::to_string(child->pid),
       "lock_holder() names the other process by its id");

    for (bool is_given_up : {true, false}) {
        LockWait wait;
        ok(!wait.give_up(), "give_up() without a wait returns false");
        Errc code = Errc::ok;
        std::thread waiting([&] {
            WriteTxn txn(*env, &wait);
            txn.put(Db::meta, "waited", "value");
            code = txn.commit();
        });
        while (!wait.is_waiting()) std::this_thread::yield();
        if (is_given_up)
            ok(wait.give_up() && !wait.give_up(), "give_up() of a wait returns true once");
        child.reset();
        waiting.join();
        is(code, is_given_up ? Errc::given_up : Errc::ok,
           is_given_up ? "a transaction whose wait was given up fails with Errc::given_up"
                       : "a transaction that has waited is committed");
        Reader reader(*env);
        ReadTxn txn(reader);
        Bytes value;
        is(txn.get(Db::meta, "waited", value), !is_given_up,
           is_given_up ? "a transaction whose wait was given up writes nothing"
                       : "a transaction that has waited writes its value");
        if (!is_given_up) break;
        child = std::make_unique<Child>("hold", dir.path);
        is(child->line(), "held", "another process gets the write lock again");
    }
}

void test_texts() {
    is(to_string(Errc(int(Errc::system_error) + ENOMEM)), "Cannot allocate memory",
       "the text of a system error is the system's");
    is(to_string(Errc::io), "input/output error", "the text of EIO is 'input/output error'");
}

}  // namespace

int main(int argc, char **argv) {
    if (argc == 3) return run_child(argv[1], argv[2]);
    test_removed();
    test_not_regular();
    test_displaced();
    test_second_lock();
    test_holder();
    test_texts();
    return tap::done();
}
