// Tests when a ReadBudget ends a read, and that the error of a search that takes too long counts each
// resource once.

#include "store/read_budget.h"

#include <algorithm>

#include "client.h"

using namespace scim::service;
using fixture::Client;
using scim::store::ReadEnd;

namespace {

void test_ends() {
    std::atomic<bool> cancelled{false};
    ReadEnd end;
    end.cancelled = &cancelled;
    end.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
    std::optional<scim::Refusal> refused;
    auto records = [&] {
        ReadBudget budget(end, RunOn::thread);
        size_t n = 0;
        while (n < 100000 && budget.next_resource()) n++;
        refused = budget.stopped() ? std::optional(budget.error().refusal) : std::nullopt;
        return std::pair(n, budget.stopped() ? budget.error().detail : "");
    };
    auto rows = [&](RunOn run_on) {
        ReadBudget budget(end, run_on);
        size_t n = 0;
        while (n < 100000 && budget.may_walk()) n++;
        return n;
    };
    is(rows(RunOn::thread), 100000u, "a thread before its deadline walks 100,000 rows");
    is(rows(RunOn::event_loop), 16384u, "the event loop walks at most 16,384 rows");
    is(records().first, 100000u, "a search before its deadline reads 100,000 records");
    end.deadline = std::chrono::steady_clock::now();
    is(records().first, 999u, "a search checks its deadline at the 1,000th record");
    ok(records().second.find("took too long") != std::string::npos,
       "the error of a search after its deadline says that it took too long");
    ok(refused == scim::Refusal::read_too_slow, "its refusal is read-too-slow");
    is(rows(RunOn::thread), 16384u, "a thread checks its deadline after 16,384 rows");
    end.deadline = {};
    cancelled = true;
    is(records().second, "the client is gone", "a search ends when the client has disconnected");
    ok(refused == scim::Refusal::client_gone, "its refusal is client-gone");
    is(rows(RunOn::thread), 16384u,
       "a thread that walks rows ends when the client has disconnected");
}

// The users are 2 MiB: the search reads only their index rows, and the budget checks the deadline
// after the first MiB of the response.
void test_count() {
    constexpr int users = 600;
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store);
    const std::string title(3500, 'x');
    std::vector<Job *> jobs;
    jobs.reserve(users);
    for (int i = 0; i < users; i++)
        jobs.push_back(
            client.job(Method::post, "/Users",
                       R"({"userName":"u)" + std::to_string(i) + R"(","title":")" + title + "\"}"));
    while (!jobs.empty()) {
        client.run(jobs);
        jobs.erase(std::remove_if(jobs.begin(), jobs.end(),
                                  [](const Job *job) { return !job->postponed; }),
                   jobs.end());
    }
    Request request =
        client.request(Method::get, "/Users", "filter=userName+sw+%22u%22&count=1000");
    request.read_end.deadline = std::chrono::steady_clock::now();
    Response response;
    is(client.ask(request, response),
       "the search took too long and was ended after 600 resources; ask for less by a condition "
       "with eq on an indexed attribute",
       "a search that ends while its hits are rendered has counted each resource once");
}

}  // namespace

int main() {
    test_ends();
    test_count();
    return tap::done();
}
