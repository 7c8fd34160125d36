// An answer stays in memory up to a mebibyte, and goes to its sink beyond: all of its bytes, in order,
// whatever is long about it. A sink that fails, or an event loop that has no time, ends it.

#include "service/outlet.h"

#include "client.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

// Keeps what it is given; says no from the write of number `fails` on.
struct Kept : Sink {
    bool write(std::string_view bytes) override {
        if (++writes >= fails) return false;
        most = std::max(most, bytes.size());
        text += bytes;
        return true;
    }
    size_t writes = 0, fails = SIZE_MAX, most = 0;
    std::string text;
};

// The text of an answer whose elements have these sizes.
std::string sizes(const std::vector<size_t> &elements, Kept &sink) {
    Request request;
    request.sink = &sink;
    Response response;
    Watch watch(request, Patience::thread);
    Outlet outlet(request, response, watch);
    for (size_t size : elements) {
        if (!outlet.go_on(size)) break;
        outlet.text().append(size, 'x');
    }
    auto done = outlet.finish();
    if (!done) return done.error().detail;
    return std::to_string(response.in_sink) + " in " + std::to_string(sink.writes) + ", " +
           std::to_string(response.body.size()) + " in memory";
}

void test_sizes() {
    constexpr size_t full = Outlet::memory;
    auto said = [](const std::vector<size_t> &elements) {
        Kept sink;
        std::string text = sizes(elements, sink);
        is(sink.text, std::string(sink.text.size(), 'x'), text);
        return text;
    };
    is(said({}), "0 in 0, 0 in memory", "nothing");
    is(said({full}), "0 in 0, 1048576 in memory", "a mebibyte is kept");
    is(said({full, 0}), "0 in 0, 1048576 in memory", "also when it goes on");
    is(said({full + 1}), "1048577 in 1, 0 in memory", "more is not");
    is(said({full, 1}), "1048577 in 1, 0 in memory", "in two elements");
    is(said({full, 1, 1}), "1048578 in 2, 0 in memory", "the last byte follows the others");
    is(said(std::vector<size_t>(4097, 1024)), "4195328 in 4, 0 in memory",
       "a mebibyte or more at a time");
    for (size_t fails : {1, 2}) {
        Kept sink;
        sink.fails = fails;
        ok(sizes({full, 1, 1}, sink).find("cannot be written") != std::string::npos,
           "a sink that fails in write " + std::to_string(fails));
        is(sink.writes, fails, "is not asked again");
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
                std::string_view args = {}, Sink *sink = nullptr,
                Patience patience = Patience::thread) {
    Request request = client.request(Method::get, path, args);
    request.sink = sink;
    return client.ask(request, response, patience);
}

void test_reads(Client &client, const std::string &path, std::string_view args,
                std::string_view name) {
    Response whole, loop;
    is(get(client, whole, path, args), "answered", std::string(name) + ": without a sink");
    ok(whole.body.size() > 2 * Outlet::memory, "is long");
    Kept sink;
    Response response;
    is(get(client, response, path, args, &sink), "answered", "with one");
    ok(sink.text == whole.body, "is the same, byte for byte");
    is(response.in_sink, whole.body.size(), "and counted");
    is(response.body, "", "nothing is left in memory");
    ok(sink.most < Outlet::memory + 70000, "where there never was more than an element too much");
    is(response.etag, whole.etag, "its ETag");
    for (size_t fails : {1, 2}) {
        Kept bad;
        bad.fails = fails;
        ok(get(client, response, path, args, &bad).find("cannot be written") != std::string::npos,
           "a sink that fails in write " + std::to_string(fails));
        is(response.status, 503, "makes it an error");
        is(response.in_sink, 0u, "whose body is in memory");
        is(bad.writes, fails, "at once");
    }
    is(get(client, loop, path, args, nullptr, Patience::event_loop), "deferred",
       "the event loop leaves it to a thread");
    ok(loop.body.size() <= 2 * Outlet::memory, "before it is long");
}

void test_writes(Client &client, const std::string &path, const std::vector<std::string> &ids) {
    const std::string body = group("written", ids);
    Kept sink;
    Job &job = *client.job(Method::put, path, body);
    job.request.sink = &sink;
    client.run({&job});
    ok(job.unfinished, "a write with many members to show is not finished by the writer");
    is(job.response.status, 200, "though done");
    is(sink.writes, 0u, "and not begun to be shown");
    client.finish(job);
    Response shown;
    is(get(client, shown, path), "answered", "finished later");
    ok(sink.text == shown.body, "it shows what GET does");
    is(job.response.etag, shown.etag, "with its ETag");
    Kept bad;
    bad.fails = 2;
    job.request.sink = &bad;
    client.run({&job});
    client.finish(job);
    is(job.response.status, 204, "a sink that fails does not undo the write");
    ok(job.response.body.empty() && job.response.in_sink == 0, "which is answered without a body");
    ok(job.response.facts.detail.find("the change is made, but it cannot be shown") == 0,
       "and with the reason for the log");
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
    test_reads(client, "/Users", "count=1000&excludedAttributes=groups", "a part of the table");
    test_reads(client, "/Users", "count=1000&filter=displayName+sw+%22x%22", "what a filter finds");
    test_reads(client, "/Users", "count=1000&sortBy=userName", "in another order");
    test_reads(client, "/", "count=1000", "of all types");
    client.create("/Groups", group("more", ids));
    test_reads(client, "/Groups", "", "a list of groups");
    for (int i = 0; i < 450; i++)
        ids.push_back(client.create("/Users", R"({"userName":"v)" + std::to_string(i) + "\"}"));
    test_writes(client, few, ids);
    return tap::done();
}
