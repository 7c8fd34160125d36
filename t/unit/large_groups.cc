// Tests that requests and background work on large groups are bounded: the number of calls of LMDB
// that read or write a row does not depend on the members of a group, unless the request lists them.

#include <dlfcn.h>
#include <lmdb.h>

#include "client.h"
#include "store/members.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

static size_t calls;

// Each function of LMDB that reads or writes a row is counted.
template <class Function>
static Function *real(const char *name) {
    return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}
int mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data) {
    calls++;
    static const auto next = real<decltype(mdb_get)>("mdb_get");
    return next(txn, dbi, key, data);
}
int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags) {
    calls++;
    static const auto next = real<decltype(mdb_put)>("mdb_put");
    return next(txn, dbi, key, data, flags);
}
int mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data) {
    calls++;
    static const auto next = real<decltype(mdb_del)>("mdb_del");
    return next(txn, dbi, key, data);
}
int mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op) {
    calls++;
    static const auto next = real<decltype(mdb_cursor_get)>("mdb_cursor_get");
    return next(cursor, key, data, op);
}
int mdb_cursor_del(MDB_cursor *cursor, unsigned flags) {
    calls++;
    static const auto next = real<decltype(mdb_cursor_del)>("mdb_cursor_del");
    return next(cursor, flags);
}

namespace {

constexpr size_t few = 10, many = 20000;
// The rows of a group are counted up to this number, to decide whether they are deleted at once.
constexpr size_t counted = store::members_deleted_at_once + 10;

class Directories {
  public:
    Directories() : store_(fixture::open_store(dir_.path, size_t(1) << 30)), client(*store_) {
        for (size_t i = 0; i < many + 10; i++) {
            batch_.push_back(client.job(Method::post, "/Users",
                                        R"({"userName":"u)" + std::to_string(i) + "\"}"));
            if (batch_.size() == 1000 || i + 1 == many + 10) run_batch();
        }
    }

    std::string members(size_t from, size_t to) const {
        std::string list;
        for (size_t i = from; i < to; i++) list += R"(,{"value":")" + users[i] + "\"}";
        return "[" + list.substr(1) + "]";
    }
    std::string group(size_t size) {
        return client.create("/Groups", R"({"displayName":"g)" + std::to_string(++groups_) +
                                            R"(","members":)" + members(0, size) + "}");
    }
    // The number of calls of a request, which must be answered with `status`.
    size_t cost(Method method, const std::string &path, const std::string &body, int status) {
        Job *job = client.job(method, path, body);
        const size_t before = calls;
        client.run({job});
        const size_t cost = calls - before;
        if (job->response.status != status) {
            ok(false, path + " is answered with " + std::to_string(status));
            diag(job->response.body.substr(0, 200));
        }
        client.forget_jobs();
        return cost;
    }
    size_t cost_of_get(const std::string &path, const std::string &args) {
        const size_t before = calls;
        Response response;
        if (client.ask(client.request(Method::get, path, args), response) != "answered" ||
            response.status != 200)
            ok(false, path + "?" + args + " is answered with 200");
        return calls - before;
    }
    // Deletes all dead rows; returns the calls of the longest step.
    size_t sweep() {
        size_t longest = 0;
        for (bool more = true; more;) {
            const size_t before = calls;
            more = client.writer().do_maintenance(client.now) && has_dead_rows();
            longest = std::max(longest, calls - before);
        }
        return longest;
    }
    store::Env &env() { return store_->env(); }
    bool has_dead_rows() {
        store::Reader reader(store_->env());
        store::ReadTxn txn(reader);
        return store::has_dead_rows(txn);
    }

  private:
    void run_batch() {
        for (auto left = batch_; !left.empty();) {
            client.run(left);
            std::vector<Job *> postponed;
            for (Job *job : left)
                if (job->postponed)
                    postponed.push_back(job);
                else
                    users.push_back(job->response.log_fields.resource_id);
            left = std::move(postponed);
        }
        batch_.clear();
        client.forget_jobs();
    }

    fixture::TempDir dir_;
    std::unique_ptr<Store> store_;
    std::vector<Job *> batch_;
    size_t groups_ = 0;

  public:
    Client client;
    std::vector<std::string> users;  // ids
};

std::string patch(const char *op, const std::string &value) {
    return R"({"Operations":[{"op":")" + std::string(op) + R"(","path":"members")" +
           (value.empty() ? "" : ",\"value\":" + value) + "}]}";
}

// A request costs as much with 20,000 members as with ten: at most `more` calls more.
void same(size_t small, size_t large, const std::string &name, size_t more = 10) {
    ok(large <= small + more, name + ": " + std::to_string(small) + " calls, " +
                                  std::to_string(large) + " with 20,000 members");
}

void of_one_group(Directories &d) {
    const std::string small = "/Groups/" + d.group(few), large = "/Groups/" + d.group(many);
    auto both = [&](Method method, const std::string &body, const std::string &name,
                    size_t more = 10) {
        same(d.cost(method, small, body, 204), d.cost(method, large, body, 204), name, more);
    };
    d.cost_of_get(small, "");  // reads the catalog
    const std::string one = d.members(many, many + 1);
    both(Method::patch, patch("add", one), "PATCH that adds one member");
    both(Method::patch, patch("add", one), "PATCH that adds a member that is one");
    both(Method::patch, patch("remove", one), "PATCH that removes one member");
    both(Method::patch,
         R"({"Operations":[{"op":"remove","path":"members[value eq \")" + d.users[3] + R"(\"]"}]})",
         "PATCH that removes a member by a filter");
    both(Method::patch, R"({"Operations":[{"op":"replace","path":"externalId","value":"x"}]})",
         "PATCH of another attribute");
    auto get = [&](const std::string &args, const std::string &name) {
        same(d.cost_of_get(small, args), d.cost_of_get(large, args), name);
    };
    get("excludedAttributes=members", "GET without members");
    get("attributes=displayName", "GET of displayName");
    auto list = [&](const std::string &filter, const std::string &name) {
        same(d.cost_of_get("/Groups", "attributes=id&filter=id+eq+%22" + small.substr(8) +
                                          "%22+and+" + filter),
             d.cost_of_get("/Groups", "attributes=id&filter=id+eq+%22" + large.substr(8) +
                                          "%22+and+" + filter),
             name);
    };
    list("members+eq+%22" + d.users[5] + "%22", "list filtered by a member");
    list("members.value+eq+%22" + d.users[many + 5] + "%22",
         "list filtered by a user who is no member");
    list("members+pr", "list filtered by members pr");
    both(Method::patch, patch("remove", ""), "PATCH that removes all members", counted);
    const std::string again = patch("add", d.members(0, few));
    both(Method::patch, again, "PATCH that adds ten members to an emptied group");
    const std::string other = "/Groups/" + d.group(few), huge = "/Groups/" + d.group(many);
    same(d.cost(Method::del, other, "", 204), d.cost(Method::del, huge, "", 204), "DELETE",
         counted);
    ok(d.sweep() < 25000, "a step of the sweep makes a bounded number of calls");
}

// Requests that name many members, or change many groups, are linear in them.
void linear(Directories &d) {
    const std::string group = "/Groups/" + d.group(few);
    const size_t some = d.cost(Method::patch, group, patch("add", d.members(few, 2010)), 204);
    const size_t all = d.cost(Method::patch, group, patch("add", d.members(few, many)), 204);
    ok(all <= 12 * many && all <= 11 * some,
       "PATCH that adds 20,000 members takes a few calls for each: " + std::to_string(all));
    const size_t gone = d.cost(Method::patch, group, patch("remove", d.members(0, many)), 204);
    ok(gone <= 12 * many,
       "PATCH that removes 20,000 members takes a few calls for each: " + std::to_string(gone));

    constexpr size_t groups = 2000, last = many + 9;
    for (size_t i = 0; i < groups; i++)
        d.client.create("/Groups", R"({"displayName":"of one )" + std::to_string(i) +
                                       R"(","members":)" + d.members(last, last + 1) + "}");
    d.client.forget_jobs();
    const size_t cost = d.cost(Method::del, "/Users/" + d.users[last], "", 204);
    ok(cost <= 12 * groups,
       "DELETE of a user in 2,000 groups takes a few calls for each: " + std::to_string(cost));
}

// Dead rows that wait for the sweep slow no read of a user down, however many groups were emptied.
void while_dead(Directories &d) {
    d.client.send(Method::patch, "/Groups/" + d.group(few), patch("add", d.members(0, 1)));
    const std::string user = "/Users/" + d.users[1];
    const size_t before = d.cost_of_get(user, "");
    constexpr size_t groups = 50;
    std::vector<std::string> emptied;
    emptied.reserve(groups);
    while (emptied.size() < groups) emptied.push_back(d.group(1100));
    for (const std::string &id : emptied)
        d.cost(Method::patch, "/Groups/" + id, patch("remove", ""), 204);
    const std::string outside = "/Users/" + d.users[many + 3];
    d.client.send(Method::patch, "/Groups/" + d.group(few),
                  patch("add", d.members(many + 3, many + 4)));
    const size_t apart = d.cost_of_get(outside, "");
    ok(apart <= before + 10,
       "GET of a user in none of 50 emptied groups: " + std::to_string(apart) + " calls");
    const size_t during = d.cost_of_get(user, "");
    ok(during <= before + 8 * groups,
       "GET of a user in 50 emptied groups: " + std::to_string(during) + " calls");
    const std::string etag = d.client.get(user).etag;
    d.sweep();
    is(d.client.get(user).etag, etag, "the sweep does not change the version of a user");
}

// Many small jobs are swept together: a step ends only when it is full.
void small_jobs(Directories &d) {
    for (int i = 0; i < 100; i++) {
        store::WriteTxn txn(d.env());
        store::ResourceEdit edit;
        edit.type = 2;
        edit.id = make_id(i, {});
        edit.record = "x";
        edit.position = 1;
        edit.members.dead_epoch = 1;
        store::apply_members(txn, d.client.tenant(), edit);
        if (txn.commit() != store::Errc::ok) diag("the commit failed");
    }
    size_t steps = 0;
    while (d.has_dead_rows() && steps < 100) {
        d.client.writer().do_maintenance(d.client.now);
        steps++;
    }
    is(steps, 1u, "100 jobs without rows are ended in one step");
}

}  // namespace

int main() {
    Directories directories;
    is(directories.users.size(), many + 10, "20,010 users are created");
    of_one_group(directories);
    linear(directories);
    while_dead(directories);
    small_jobs(directories);
    return tap::done();
}
