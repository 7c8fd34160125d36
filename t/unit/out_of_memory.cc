// Tests, with each allocation failing in turn, that parse_json() returns the right tree or throws
// std::bad_alloc, that a write succeeds or is refused with 503 and Retry-After, that the next write
// succeeds, and that a write that could not be prepared ahead of its batch succeeds.

#include <cstdlib>
#include <new>
#include <utility>

#include "client.h"
#include "scim/text/json.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

// The number of allocations that succeed before one fails; -1 if none fails.
int64_t left = -1;
bool has_failed = false;

bool fails() {
    if (left < 0 || left-- > 0) return false;
    has_failed = true;
    return true;
}

void *allocate(size_t size) { return fails() ? nullptr : std::malloc(size); }

}  // namespace

void *operator new(size_t size, const std::nothrow_t &) noexcept { return allocate(size); }
void *operator new(size_t size) {
    void *memory = allocate(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }

namespace {

// Calls `f` with each of its allocations failing in turn; returns the number of allocations.
template <class F>
int with_each_failing(F f) {
    for (int n = 0;; n++) {
        left = n;
        has_failed = false;
        f();
        left = -1;
        if (!has_failed) return n;
    }
}

void parser() {
    const std::string long_text(300, 'x');
    std::string text = R"({"a":[)";
    for (int i = 0; i < 40; i++) text += "null,";
    text += "1234567890123456789,1.7976931348623157e+308,\"" + long_text + "\\u00e4\"],\"" +
            long_text + "\":{\"b\\n\":true,\"c\":\"12345678901234567890123456789012\"}}";
    std::string want;
    write_value(want, parse_json(text, {})->get());
    int wrong = 0, thrown = 0;
    const int allocations = with_each_failing([&] {
        try {
            auto tree = parse_json(text, {});
            left = -1;
            std::string got;
            if (tree) write_value(got, tree->get());
            wrong += has_failed || got != want;
        } catch (const std::bad_alloc &) {
            thrown++;
        }
    });
    is(wrong, 0, "parse_json() without memory neither refuses a text nor returns another tree");
    is(thrown, allocations, "parse_json() throws std::bad_alloc for each failed allocation");
}

struct Write {
    Method method;
    std::string path, body;
};

int without_memory = 0;  // responses with the id out-of-memory

// Describes a wrong response to a write while its allocations fail; empty if all are right.
std::string fault_of(Client &client, const Write &write, int &allocations) {
    std::string fault;
    int n = 0;
    allocations = with_each_failing([&] {
        left = -1;
        std::string body = write.body;
        for (size_t at; (at = body.find('%')) != body.npos;)
            body.replace(at, 1, std::to_string(client.now) + "n");
        Job *job = client.job(write.method, write.path, body);
        const std::vector<Job *> jobs{job};
        left = n++;
        client.run(jobs);
        left = -1;
        const Response &response = job->response;
        const bool is_success =
            write.method == Method::post ? response.status == 201 : response.status / 100 == 2;
        if (is_success == job->committed &&
            (is_success || (response.status == 503 && response.retry_after > 0))) {
            without_memory += response.log_fields.error_id == row_of(Refusal::out_of_memory).id;
            return;
        }
        fault = "allocation " + std::to_string(n) + ": " + std::to_string(response.status) +
                (job->committed ? ", committed " : ", not committed ") + response.body;
    });
    return fault;
}

void writes() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store);
    const std::string long_text(300, 'x');
    const std::string ada = client.create("/Users", R"({"userName":"ada"})");
    const std::string group =
        client.create("/Groups", R"({"displayName":"g","members":[{"value":")" + ada + "\"}]}");
    const std::string ops = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],)"
                            R"("Operations":[)";
    const Write writes[] = {
        {Method::post, "/Users", R"({"userName":"post%","displayName":")" + long_text + "\"}"},
        {Method::post, "/Users", R"({"userName":"odd%","attributeThatNoSchemaDeclares":"x"})"},
        {Method::put, "/Users/" + ada,
         R"({"userName":"put%","displayName":")" + long_text +
             R"(%","emails":[{"type":"work","value":"a%@example.com"}]})"},
        {Method::patch, "/Users/" + ada,
         ops + R"({"op":"replace","path":"userName","value":"patch%"},)" +
             R"({"op":"add","path":"emails[type eq \"home\"].value","value":"b%@example.com"}]})"},
        {Method::patch, "/Groups/" + group,
         ops + R"({"op":"replace","path":"displayName","value":"g%"}]})"},
    };
    for (const Write &write : writes) {
        int allocations = 0;
        const std::string name = std::string(to_string(write.method)) + " " +
                                 write.path.substr(0, write.path.find('/', 1));
        is(fault_of(client, write, allocations), "",
           name + " succeeds or is answered 503 with Retry-After, whichever allocation fails");
        ok(allocations > 20, name + ": " + std::to_string(allocations) + " allocations failed");
        is(client
               .send(Method::patch, "/Users/" + ada,
                     ops + R"({"op":"add","path":"title","value":")" + name + "\"}]}")
               .status,
           200, name + " without memory: the next write succeeds");
    }
    ok(without_memory > 0, "refusals for a lack of memory have the id out-of-memory");
}

// If the thread that prepares a job ahead of its batch lacks memory, the writer prepares it again.
void prepared_ahead() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store);
    Session session(*store);
    int users = 0, refused = 0;
    const int allocations = with_each_failing([&] {
        const int64_t n = std::exchange(left, -1);
        Job *job = client.job(Method::post, "/Users",
                              R"({"userName":"user)" + std::to_string(++users) + "\"}");
        const std::vector<Job *> jobs{job};
        Snapshot snapshot(session);
        left = n;
        prepare_ahead(*job, snapshot);
        left = -1;
        client.run(jobs);
        refused += job->response.status != 201;
    });
    ok(allocations > 20,
       "prepare_ahead(): " + std::to_string(allocations) + " allocations failed in turn");
    is(refused, 0, "a job that lacked memory when it was prepared ahead is prepared by the writer");
}

// The number of users whose userName begins with the text.
size_t users(Client &client, const std::string &name) {
    const Response list = client.get("/Users", "count=0&filter=userName+sw+%22" + name + "%22");
    auto tree = parse_json(list.body, {});
    return tree ? size_t(json_integer_value(json_object_get(tree->get(), "totalResults"))) : 99;
}

void bulk() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store);
    std::string fault;
    int n = 0, complete = 0;
    const int allocations = with_each_failing([&] {
        left = -1;
        const std::string name = "bulk" + std::to_string(n) + "n";
        Job *job = client.job(
            Method::post, "/Bulk",
            R"({"Operations":[{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":")" +
                name +
                R"("}},{"method":"PATCH","path":"/Users/bulkId:a","data":{"Operations":[]}},)" +
                R"({"method":"POST","path":"/Users","bulkId":"b","data":{"userName":")" + name +
                R"(x"}},{"method":"DELETE","path":"/Users/x"}]})");
        const std::vector<Job *> jobs{job};
        left = n++;
        client.run(jobs);
        left = -1;
        const bool was_refused = has_failed && job->response.status == 503;
        size_t created = 0;
        for (size_t at = 0; (at = job->response.body.find("\"201\"", at)) != std::string::npos;
             at++)
            created++;
        complete += created == 2;
        if ((job->response.status == 200 || was_refused) && users(client, name) == created) return;
        fault = "allocation " + std::to_string(n) + ": " + job->response.body;
    });
    is(fault, "",
       "a bulk request is answered with what is done, or 503 and nothing is, whichever allocation "
       "fails");
    ok(allocations > 100 && complete > 1, "a bulk request: " + std::to_string(allocations) +
                                              " allocations failed, " + std::to_string(complete) +
                                              " requests were done");
}

}  // namespace

int main() {
    json_set_alloc_funcs(allocate, std::free);
    parser();
    writes();
    prepared_ahead();
    bulk();
    return tap::done();
}
