// Tests substring indexes (scim_index … type=substring): they are built in steps while writes go on,
// kept by every write, used for co, sw, ew and eq, dropped, and checked by verify().
//
//     SCIM_SEED=n substring_index.t

#include <algorithm>
#include <map>
#include <set>

#include "filter_trees.h"
#include "store/trigrams.h"
#include "substring_fixture.h"

using namespace scim;
using fixture::below;
using fixture::chance;
using fixture::Client;

namespace {

std::string name_text() {
    constexpr const char *parts[] = {"an", "na", "ba", "mü", "Å", "ß", "x", " ", "son"};
    std::string text;
    for (size_t n = below(6); n > 0; n--) text += parts[below(std::size(parts))];
    return text;
}

// The users of a tenant, which are also kept in memory.
class Users {
  public:
    explicit Users(service::Store &store) : client_(store) {}

    void change() {
        const size_t what = all_.empty() ? 0 : below(4);
        auto one = all_.empty() ? all_.end() : std::next(all_.begin(), long(below(all_.size())));
        if (what < 2) {
            const std::string name = "u" + std::to_string(made_++);
            User user = random_user();
            const std::string id = client_.create("/Users", body_of(name, user));
            all_[name] = {id, std::move(user)};
        } else if (what == 2) {
            one->second.second = random_user();
            is_sent(client_.send(service::Method::put, "/Users/" + one->second.first,
                                 body_of(one->first, one->second.second)));
        } else {
            is_sent(client_.send(service::Method::del, "/Users/" + one->second.first));
            all_.erase(one);
        }
        client_.forget_jobs();
    }

    // True if a random filter finds the users that it should. Adds its plan to `plans`.
    bool agrees(std::set<std::string> &plans) {
        constexpr const char *ops[] = {"co", "sw", "ew", "eq"};
        std::string filter;
        std::set<std::string> expected;
        for (const auto &entry : all_) expected.insert(entry.first);
        for (size_t n = 1 + below(2); n > 0; n--) {
            const bool is_email = chance(2), is_not = chance(6);
            const size_t op = below(4);
            std::string text = name_text();
            if (is_email) text = email_of(text);
            const std::string key = key_of(Matching::folded, text);
            filter += filter.empty() ? "" : " and ";
            filter += is_not ? "not (" : "";
            filter += std::string(is_email ? "emails.value " : "displayName ") + ops[op] + " \"" +
                      text + "\"";
            filter += is_not ? ")" : "";
            for (const auto &[name, user] : all_)
                if (has(user.second, is_email, op, key) == is_not) expected.erase(name);
        }
        service::Response response;
        std::string args = "count=1000&filter=";
        for (char c : filter) {
            char text[4];
            std::snprintf(text, sizeof text, "%%%02x", unsigned(uint8_t(c)));
            args += text;
        }
        service::Request request = client_.request(service::Method::get, "/Users", args);
        request.explains = true;
        client_.ask(request, response);
        std::set<std::string> got;
        for (size_t at = 0;
             (at = response.body.find("\"userName\":\"", at)) != std::string::npos;) {
            at += 12;
            got.insert(response.body.substr(at, response.body.find('"', at) - at));
        }
        plans.insert(response.log_fields.plan.substr(0, response.log_fields.plan.find(',')));
        if (got == expected) return true;
        diag(filter + " has " + std::to_string(got.size()) + " users, expected " +
             std::to_string(expected.size()) + ": " + response.log_fields.plan +
             response.body.substr(0, 200));
        return false;
    }

    Client &client() { return client_; }

  private:
    struct User {
        std::string display;
        std::vector<std::string> emails;
    };

    static std::string email_of(const std::string &text) {
        std::string email;
        for (char c : text) email += c == ' ' ? '.' : c;
        return email;
    }
    static User random_user() {
        User user{name_text(), {}};
        for (size_t n = below(4); n > 0; n--)
            user.emails.push_back(email_of(name_text()) + "@x" + std::to_string(n));
        return user;
    }
    static std::string body_of(const std::string &name, const User &user) {
        std::string body =
            R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name +
            R"(","displayName":")" + user.display + R"(","emails":[)";
        for (const std::string &email : user.emails)
            body += (body.back() == '[' ? R"({"value":")" : R"(,{"value":")") + email + "\"}";
        return body + "]}";
    }
    static bool has(const User &user, bool is_email, size_t op, const std::string &key) {
        std::vector<std::string> values = user.emails;
        if (!is_email) values = {user.display};
        return std::any_of(values.begin(), values.end(), [&](const std::string &value) {
            const std::string own = key_of(Matching::folded, value);
            const size_t at = op == 0 ? own.find(key) : own.rfind(key);
            if (op == 1) return own.compare(0, key.size(), key) == 0;
            if (op == 3) return own == key;
            return at != std::string::npos && (op == 0 || at + key.size() == own.size());
        });
    }
    static void is_sent(const service::Response &response) {
        if (response.status >= 300) diag("status " + std::to_string(response.status));
    }

    Client client_;
    std::map<std::string, std::pair<std::string, User>> all_;
    size_t made_ = 0;
};

void test_life() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(256) << 20);
    Users users(*store);
    std::set<std::string> plans;
    bool right = true;
    auto change = [&](int times) {
        for (int i = 0; i < times; i++) users.change();
    };
    auto check = [&](int times) {
        for (int i = 0; i < times && right; i++) right = users.agrees(plans);
    };
    auto finish = [&](uint64_t generation) {
        while (users.client().writer().do_maintenance(users.client().now)) {
            change(int(below(12)));
            if (chance(3)) check(2);
        }
        change(int(generation));
    };
    change(1200);
    check(50);
    declare_indexes(*store, 2, both);
    is(states(*store),
       "User displayName type=substring building; User emails.value type=substring building; ",
       "a substring index is built if resources are stored");
    change(30);
    is(blocks(*store), 0u, "a write before the first step leaves the lists to the build");
    sound(store->env(), "verify finds no problem before the first step");
    ok(users.client().writer().do_maintenance(users.client().now),
       "the first step leaves more to do");
    sound(store->env(), "verify finds no problem while an index is built");
    plans.clear();
    check(50);
    ok(right && std::none_of(plans.begin(), plans.end(),
                             [](const std::string &plan) {
                                 return plan.find("substring") != std::string::npos;
                             }),
       "an index that is built is not used");
    finish(3);
    is(states(*store),
       "User displayName type=substring ready; User emails.value type=substring ready; ",
       "the indexes become ready");
    sound(store->env(), "verify finds no problem after writes during the build");
    plans.clear();
    constexpr const char *wanted[] = {"User: scan",
                                      "User: substring index displayName co",
                                      "User: substring index displayName sw",
                                      "User: substring index displayName ew",
                                      "User: substring index displayName eq",
                                      "User: substring index emails.value co",
                                      "User: substring index emails.value ew",
                                      "User: substring index displayName co and emails.value co",
                                      "User: index emails.value sw"};
    const auto is_missing = [&](const char *plan) { return plans.count(plan) == 0; };
    // At least 20 rounds, and as many as the rarest plan needs.
    for (int round = 0; round < 20 || (round < 2000 && std::any_of(std::begin(wanted),
                                                                   std::end(wanted), is_missing));
         round++) {
        change(40);
        check(40);
    }
    ok(right, "filters find the same users with the indexes as in memory");
    for (const char *plan : wanted)
        ok(!is_missing(plan), std::string("some filters have the plan '") + plan + "'");
    sound(store->env(), "verify finds no problem after writes");

    declare_indexes(*store, 3, {both[0]});
    ok(users.client().writer().do_maintenance(users.client().now), "an index is dropped in steps");
    sound(store->env(), "verify finds no problem while an index is dropped");
    declare_indexes(*store, 4, both);
    finish(5);
    is(states(*store),
       "User displayName type=substring ready; User emails.value type=substring ready; ",
       "an index that is declared again while it is dropped is built anew");
    sound(store->env(), "verify finds no problem after it was built anew");
    check(100);
    ok(right, "filters find the same users then");
    declare_indexes(*store, 6, {});
    finish(6);
    is(states(*store) + std::to_string(blocks(*store)), "0", "dropped indexes leave no block");
    sound(store->env(), "verify finds no problem without the indexes");
}

// While an index is built, it is declared by a newer configuration: no resource is added twice.
void test_declared_meanwhile() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(256) << 20);
    Users users(*store);
    for (int i = 0; i < 900; i++) users.change();
    declare_indexes(*store, 2, {both[0]});
    ok(users.client().writer().do_maintenance(users.client().now),
       "the first step leaves more to do");
    declare_indexes(*store, 3, both);
    while (users.client().writer().do_maintenance(users.client().now)) users.change();
    is(states(*store),
       "User displayName type=substring ready; User emails.value type=substring ready; ",
       "the build goes on under a newer configuration");
    sound(store->env(), "verify finds no problem then");
}

// A text whose trigrams, with the marks, are `size` different ones.
std::string different_trigrams(size_t size) {
    std::string text;
    std::set<std::string> seen;
    while (text.size() < size) {
        text += char('b' + below(25));  // without "aaa", which test_bounds() looks for
        if (text.size() > 2 && !seen.insert(text.substr(text.size() - 3)).second) text.pop_back();
    }
    return text;
}

void test_bounds() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    declare_indexes(*store, 2, both);
    finish_builds(*store);
    Client client(*store);
    auto trigrams = [&](const std::string &display) {
        service::Session session(*store);
        service::Snapshot snapshot(session);
        const TypeView &type = *snapshot.catalog()->type_by_name("User");
        const std::string json = '"' + display + '"';
        const std::vector<Leaf> leaves = {{type.find("displayName")->number, 0, json}};
        const auto sets = trigram_sets(*snapshot.catalog(), type, leaves);
        return sets.empty() ? std::vector<Trigram>() : sets[0].trigrams;
    };
    const std::vector<Trigram> any = {any_trigram};
    is(trigrams(std::string(trigram_value_most - 2, 'a')).size(), 3u,
       "a value of 1,000 bytes has its trigrams");
    ok(trigrams(std::string(trigram_value_most - 1, 'a')) == any, "a value of 1,001 bytes has not");
    const std::string most = different_trigrams(trigrams_most),
                      more = different_trigrams(trigrams_most + 1);
    is(trigrams(most).size(), trigrams_most, "500 different trigrams are indexed");
    ok(trigrams(more) == any, "501 are not");
    ok(trigrams("").empty() && trigrams("a").size() == 1, "the empty value has no trigram");
    for (const std::string &display : {std::string(trigram_value_most - 2, 'a'),
                                       std::string(trigram_value_most - 1, 'a'), most, more})
        client.create("/Users",
                      R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u)" +
                          std::to_string(display.size()) + R"(","displayName":")" + display +
                          "\"}");
    auto found = [&](const std::string &filter) {
        const std::string body =
            client.get("/Users", "attributes=id&filter=displayName+" + filter).body;
        return body.substr(body.find("\"totalResults\""), 16);
    };
    is(found("co+%22aaa%22"), R"("totalResults":2)",
       "values at and beyond the bound of bytes are found");
    is(found("ew+%22" + most.substr(most.size() - 20) + "%22"), R"("totalResults":1)",
       "a value at the bound of trigrams is found");
    is(found("ew+%22" + more.substr(more.size() - 20) + "%22"), R"("totalResults":1)",
       "a value beyond it is found");
    sound(store->env(), "verify finds no problem with values beyond the bounds");
}

void test_verify() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    declare_indexes(*store, 2, {{"User", "userName", IndexKind::substring}});
    finish_builds(*store);
    const TenantNumber tenant = fixture::add_tenant(store->env(), "one").number;
    AttrNumber attr = 0;
    {
        WriteTxn txn(store->env());
        for (const auto &[n, name] :
             {std::pair(1, "ada"), std::pair(2, "adam"), std::pair(3, "eve")})
            put_user(txn, tenant, uint8_t(n), name);
        attr = catalog_of(txn)->type_by_name("User")->find("userName")->number;
        if (txn.commit() != Errc::ok) std::abort();
    }
    Env &env = store->env();
    sound(env, "verify finds no problem with resources of one number");
    constexpr Trigram ada = 0x616461;
    const Key list = trigram_prefix(tenant, 1, attr, ada);
    const uint64_t number = number_of(id_of(1));
    const std::string name = "trigrams: tenant 1 User userName trigram 616461";
    damage(env, "a list without a resource that has the trigram",
           {name + " " + to_string(id_of(1)) + ": the list lacks the resource",
            name + " " + to_string(id_of(2)) + ": the list lacks the resource"},
           [&](WriteTxn &txn) { PostingWriter(txn, list).remove(number); });
    damage(env, "a list with a resource that lacks the trigram",
           {name + " 0100000000000000: the list has 3 resources"},
           [&](WriteTxn &txn) { PostingWriter(txn, list).add({number}); });
    damage(env, "a list with a resource that does not exist",
           {name + " 0000000000000005: the list has 1 resources"},
           [&](WriteTxn &txn) { PostingWriter(txn, list).add({5}); });
    damage(env, "a damaged block", {name + ": a block is damaged"},
           [&](WriteTxn &txn) { txn.put(Db::trigrams, Key(list).number(number, 8), "\x80"); });
    damage(env, "blocks that overlap",
           {name + ": two blocks of the list overlap",
            name + " 00ffffffffffffff: the list has 1 resources",
            name + " 0100000000000001: the list has 1 resources"},
           [&](WriteTxn &txn) {
               PostingWriter(txn, list).remove(number);
               PostingWriter(txn, list).remove(number);
               txn.put(Db::trigrams, Key(list).number(number, 8), "");
               txn.put(Db::trigrams, Key(list).number(number - 1, 8), "\x01");
               PostingWriter(txn, list).remove(number - 1);
               txn.put(Db::trigrams, Key(list).number(number - 1, 8), "\x02");
           });
    damage(env, "a block of an attribute without a substring index",
           {"there is no substring index on attribute " + std::to_string(attr + 1)},
           [&](WriteTxn &txn) {
               PostingWriter(txn, trigram_prefix(tenant, 1, AttrNumber(attr + 1), ada)).add({1});
           });
    damage(env, "a key that is too short", {"the key has 11 bytes"},
           [&](WriteTxn &txn) { txn.put(Db::trigrams, list, ""); });
}

// Queries that meet a damaged block are refused; so are the writes that would add to it.
void test_damaged_block() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    declare_indexes(*store, 2, both);
    finish_builds(*store);
    Client client(*store);
    const std::string user =
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"displayName":"Ada","userName":")";
    const std::string first = client.create("/Users", user + "u1\"}");
    {
        WriteTxn txn(store->env());
        const AttrNumber attr = catalog_of(txn)->type_by_name("User")->find("displayName")->number;
        const Key list = trigram_prefix(client.tenant(), 1, attr, 0x616461);
        std::string key;
        {
            Cursor cursor(txn, Db::trigrams);
            ok(cursor.seek(list) && starts_with(cursor.key(), list), "the list has a block");
            key = cursor.key();
        }
        txn.put(Db::trigrams, key, "\x80");
        ok(txn.commit() == Errc::ok, "it is damaged");
    }
    is(client.get("/Users", "filter=displayName+co+%22ada%22").status, 503,
       "a query that meets a damaged block is refused with 503");
    is(client.get("/Users", "filter=displayName+sw+%22ad%22").status, 200,
       "another query is answered");
    ok(client.send(service::Method::post, "/Users", user + "u2\"}").status >= 500,
       "a write that would add to the block is refused");
    is(client.send(service::Method::del, "/Users/" + first).status, 204,
       "a user in the block can be deleted");
    const std::string other =
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"displayName":"Eve","userName":"u3"})";
    is(client.send(service::Method::post, "/Users", other).status, 201,
       "another write is answered");
}

}  // namespace

int main() {
    fixture::seed_from_environment();
    test_life();
    test_declared_meanwhile();
    test_bounds();
    test_verify();
    test_damaged_block();
    return tap::done();
}
