// The threads of a worker use one store at the same time: one writes in batches, one prepares the next
// batch, some read long lists, one reads as the event loop does, and another process increases the
// size of the map. Each read sees whole batches only. `make tsan` runs this under ThreadSanitizer.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "client.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

constexpr int batches = 40, batch_users = 8, readers = 3;
constexpr size_t small_map = size_t(8) << 20, large_map = size_t(64) << 20;

using Jobs = std::vector<Job *>;

// Users of the list that `client` is told of; -1 if it is told of an error.
int count_users(Client &client, RunOn run_on) {
    Response response;
    const char *args = run_on == RunOn::thread ? "count=1000&filter=title+co+%22t%22" : "count=0";
    if (client.ask(client.request(Method::get, "/Users", args), response, run_on) != "answered")
        return -1;
    constexpr std::string_view total = "\"totalResults\":";
    const size_t at = response.body.find(total);
    return at == std::string::npos ? -1 : std::stoi(response.body.substr(at + total.size()));
}

// What the readers have seen.
struct Seen {
    std::atomic<bool> enough{false};
    std::atomic<int> wrong{0};                 // lists of parts of a batch, or shorter than before
    std::atomic<int> refused{0}, answered{0};  // the map is being adopted; or not
};

void read_on(Client &client, RunOn run_on, Seen &seen) {
    for (int last = 0; !seen.enough;) {
        const int users = count_users(client, run_on);
        (users < 0 ? seen.refused : seen.answered)++;
        if (users < 0) continue;
        seen.wrong += users < last || users % batch_users != 0;
        last = users;
    }
}

Jobs batch_of(Client &client, int number) {
    Jobs jobs;
    for (int i = 0; i < batch_users; i++)
        jobs.push_back(client.job(
            Method::post, "/Users",
            R"({"title":"t","userName":"u)" + std::to_string(number * batch_users + i) + "\"}"));
    return jobs;
}

void prepare(Session &session, const Jobs &jobs) {
    for (Job *job : jobs) {
        Snapshot snapshot(session);
        prepare_job(*job, snapshot);
    }
}

bool all_committed(const Jobs &jobs) {
    for (const Job *job : jobs)
        if (job->response.status != 201 || !job->committed) return false;
    return true;
}

// A batch that finds the map too small is sent again. The number of batches that were.
int write_batches(Store &store, Client &client, int first) {
    Session lane(store);
    int again = 0;
    Jobs jobs = batch_of(client, first);
    for (int i = 1; i <= batches; i++) {
        Jobs next = batch_of(client, first + i);
        std::thread preparing([&] { prepare(lane, next); });
        for (client.run(jobs); !all_committed(jobs); client.run(jobs)) again++;
        client.writer().do_maintenance(client.now);
        preparing.join();
        jobs = std::move(next);
    }
    return again;
}

// In a process of its own.
int grow(const std::string &path) {
    auto store = fixture::open_store(path, large_map);
    if (store == nullptr) return 2;
    store::WriteTxn txn(store->env());
    for (int i = 0; i < 2 * int(small_map) / 4096; i++)
        txn.put(store::Db::local, "grown" + std::to_string(i), std::string(3000, 'x'));
    return txn.commit() == store::Errc::ok ? 0 : 3;
}

bool grow_elsewhere(const std::string &path) {
    const pid_t child = fork();
    if (child == 0) {
        // The child opens the files anew: its copies of this process's are never used.
        execl("/proc/self/exe", "threads", "grow", path.c_str(), nullptr);
        _exit(1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status == 0;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc == 3 && std::string_view(argv[1]) == "grow") return grow(argv[2]);
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, small_map);
    const auto tenant = fixture::add_tenant(store->env(), "one");
    Seen seen;
    std::vector<std::thread> threads;
    threads.reserve(readers);
    for (int i = 0; i < readers; i++)
        threads.emplace_back([&, i] {
            Client client(*store, tenant);
            read_on(client, i == 0 ? RunOn::event_loop : RunOn::thread, seen);
        });
    Client writer(*store, tenant);
    is(write_batches(*store, writer, 0), 0, "every write beside reads is committed at once");
    is(seen.refused.load(), 0, "and every read is answered");
    ok(grow_elsewhere(dir.path), "another process grows the map meanwhile");
    const int again = write_batches(*store, writer, batches);
    note(std::to_string(again) + " batches were refused until the larger map was adopted, and " +
         std::to_string(seen.refused) + " reads of " + std::to_string(seen.answered));
    seen.enough = true;
    for (std::thread &thread : threads) thread.join();
    is(seen.wrong.load(), 0, "every read sees whole batches, and never fewer than before");
    Client after(*store, tenant);
    is(count_users(after, RunOn::thread), 2 * batches * batch_users, "all users are there");
    is(store->env().info().map_size, large_map, "in the larger map");
    return tap::done();
}
