// Tests SpillingBody: a response of up to 1 MiB stays in memory, and a longer one is written to its
// sink, all bytes in order. A failing sink ends the response with an error, and the event loop
// defers a long response to a thread.

#include "service/spilling_body.h"

#include "client.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

// Keeps the bytes written. Write number `fails` and all later ones fail.
struct Kept : BodySink {
    bool write(std::string_view bytes) override {
        if (++writes >= fails) return false;
        most = std::max(most, bytes.size());
        text += bytes;
        return true;
    }
    size_t writes = 0, fails = SIZE_MAX, most = 0;
    std::string text;
};

// Writes a response with elements of these sizes. Returns where its bytes are, or the error.
std::string sizes(const std::vector<size_t> &elements, Kept &sink) {
    Request request;
    request.sink = &sink;
    Response response;
    ReadBudget budget(request.read_end, RunOn::thread);
    SpillingBody body(request, response, budget);
    for (size_t size : elements) {
        if (!body.go_on(size)) break;
        body.text().append(size, 'x');
    }
    auto done = body.finish();
    if (!done) return done.error().detail;
    return std::to_string(response.in_sink) + " in " + std::to_string(sink.writes) + ", " +
           std::to_string(response.body.size()) + " in memory";
}

void test_sizes() {
    constexpr size_t full = SpillingBody::memory;
    auto written = [](const std::vector<size_t> &elements) {
        Kept sink;
        std::string text = sizes(elements, sink);
        is(sink.text, std::string(sink.text.size(), 'x'),
           "the sink has only bytes of the response: " + text);
        return text;
    };
    is(written({}), "0 in 0, 0 in memory", "an empty response is empty");
    is(written({full}), "0 in 0, 1048576 in memory", "a response of 1 MiB stays in memory");
    is(written({full, 0}), "0 in 0, 1048576 in memory",
       "a response of 1 MiB and an empty element stays in memory");
    is(written({full + 1}), "1048577 in 1, 0 in memory",
       "a response of 1 MiB and a byte is written to the sink");
    is(written({full, 1}), "1048577 in 1, 0 in memory",
       "a response of 1 MiB and a byte in two elements is written to the sink at once");
    is(written({full, 1, 1}), "1048578 in 2, 0 in memory",
       "the rest of a response is written to the sink at its end");
    is(written(std::vector<size_t>(4097, 1024)), "4195328 in 4, 0 in memory",
       "a long response is written to the sink 1 MiB or more at a time");
    for (size_t fails : {1, 2}) {
        Kept sink;
        sink.fails = fails;
        ok(sizes({full, 1, 1}, sink).find("cannot be written") != std::string::npos,
           "a sink that fails in write " + std::to_string(fails) + " makes finish() an error");
        is(sink.writes, fails,
           "a sink that fails in write " + std::to_string(fails) + " is not written again");
    }
}

std::string members(const std::vector<std::string> &ids) {
    std::string out = R"("members":[)";
    for (const std::string &id : ids) out += R"({"value":")" + id + "\"},";
    out.back() = ']';
    return out;
}

std::string group(std::string_view name, const std::vector<std::string> &ids) {
    return R"({"displayName":")" + std::string(name) + "\"," + members(ids) + "}";
}

std::string get(Client &client, Response &response, std::string_view path,
                std::string_view args = {}, BodySink *sink = nullptr,
                RunOn run_on = RunOn::thread) {
    Request request = client.request(Method::get, path, args);
    request.sink = sink;
    return client.ask(request, response, run_on);
}

void test_reads(Client &client, const std::string &path, std::string_view args,
                const std::string &name) {
    Response whole, loop;
    is(get(client, whole, path, args), "answered", name + " is answered without a sink");
    ok(whole.body.size() > 2 * SpillingBody::memory, name + " is longer than 2 MiB");
    Kept sink;
    Response response;
    is(get(client, response, path, args, &sink), "answered", name + " is answered with a sink");
    ok(sink.text == whole.body, name + " is the same in a sink as in memory");
    is(response.in_sink, whole.body.size(), name + " in a sink has its size in in_sink");
    is(response.body, "", name + " in a sink leaves nothing in memory");
    ok(sink.most < SpillingBody::memory + 70000,
       name + " is never more than 1 MiB and an element in memory");
    is(response.etag, whole.etag, name + " has the same ETag with and without a sink");
    for (size_t fails : {1, 2}) {
        Kept bad;
        bad.fails = fails;
        ok(get(client, response, path, args, &bad).find("cannot be written") != std::string::npos,
           name + " is refused when write " + std::to_string(fails) + " of the sink fails");
        is(response.status, 503, name + " has status 503 when its sink fails");
        is(response.in_sink, 0u, name + " has its error in memory when its sink fails");
        is(bad.writes, fails, name + " is not written further after its sink fails");
    }
    is(get(client, loop, path, args, nullptr, RunOn::event_loop), "deferred",
       name + " is deferred on the event loop");
    ok(loop.body.size() <= 2 * SpillingBody::memory,
       name + " is deferred before it is longer than 2 MiB");
}

// Sends a PUT whose response is longer than its failing sink takes.
Job &put_unshown(Client &client, const std::string &path, const std::string &body, Kept &bad) {
    bad.fails = 2;
    Job &job = *client.job(Method::put, path, body);
    job.request.sink = &bad;
    client.run({&job});
    client.finish(job);
    ok(!job.unfinished && job.response.in_sink == 0,
       "a PUT whose sink fails has no part of a body");
    return job;
}

void test_writes(Client &client, const std::string &path, const std::vector<std::string> &ids) {
    const std::string body = group("written", ids);
    Kept sink;
    Job &job = *client.job(Method::put, path, body);
    job.request.sink = &sink;
    client.run({&job});
    ok(job.unfinished, "the writer leaves the response of a PUT with 510 members unfinished");
    is(job.response.status, 200, "a PUT with an unfinished response has status 200");
    is(sink.writes, 0u, "the writer writes nothing of an unfinished response to the sink");
    client.finish(job);
    Response shown;
    is(get(client, shown, path), "answered", "GET after the PUT is answered");
    ok(sink.text == shown.body, "the finished response of a PUT is the same as that of GET");
    is(job.response.etag, shown.etag, "the finished response of a PUT has the ETag of GET");
    Kept bad, worse;
    const Job &changed = put_unshown(client, path, group("again", ids), bad);
    is(changed.response.status, 204, "a PUT whose sink fails is answered with 204");
    is(changed.response.body, "", "a PUT whose sink fails has no body");
    ok(changed.response.log_fields.detail.find("the change is made, but it cannot be shown") == 0,
       "a PUT whose sink fails has the reason in its log fields");
    const Job &same = put_unshown(client, path, group("again", ids), worse);
    is(same.response.status, 503,
       "a PUT that changes nothing and whose sink fails is refused with 503");
    ok(same.response.retry_after > 0 && same.response.etag.empty(),
       "the 503 of a PUT that changes nothing has Retry-After and no ETag");
    ok(same.response.body.find("temporary file cannot be written") != std::string::npos,
       "the 503 of a PUT that changes nothing says that its response cannot be written");
}

}  // namespace

int main() {
    test_sizes();
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(256) << 20);
    Client client(*store);
    client.settings.max_results = 1000;
    std::vector<std::string> ids;
    ids.reserve(510);
    const std::string name(60000, 'x');
    for (int i = 0; i < 60; i++)
        ids.push_back(client.create("/Users", R"({"userName":"u)" + std::to_string(i) +
                                                  R"(","displayName":")" + name + "\"}"));
    const std::string few = "/Groups/" + client.create("/Groups", group("few", ids));
    test_reads(client, few, "", "a group of long names");
    test_reads(client, "/Users", "count=1000", "a list of users");
    test_reads(client, "/Users", "count=1000&excludedAttributes=groups", "a list without groups");
    test_reads(client, "/Users", "count=1000&filter=displayName+sw+%22x%22", "a filtered list");
    test_reads(client, "/Users", "count=1000&sortBy=userName", "a sorted list");
    test_reads(client, "/", "count=1000", "a list of all types");
    client.create("/Groups", group("more", ids));
    test_reads(client, "/Groups", "", "a list of groups");
    for (int i = 0; i < 450; i++)
        ids.push_back(client.create("/Users", R"({"userName":"v)" + std::to_string(i) + "\"}"));
    test_writes(client, few, ids);
    return tap::done();
}
