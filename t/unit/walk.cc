// Tests that a walk by cursor while others write shows each resource that exists throughout, and whose
// sort value and match do not change, exactly once and in order.
//
//     SCIM_SEED=n SCIM_WALKS=n walk.t

#include <algorithm>
#include <cstdlib>
#include <set>

#include "client.h"
#include "filter_trees.h"
#include "scim/text/json.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;
using fixture::tenant_of;

namespace {

class Directory {
  public:
    explicit Directory(Client &client) : client_(client) {}

    void create(size_t users, size_t groups) {
        std::vector<Job *> jobs;
        for (size_t i = 0; i < users; i++)
            jobs.push_back(client_.job(Method::post, "/Users", user()));
        for (size_t i = 0; i < groups; i++)
            jobs.push_back(client_.job(
                Method::post, "/Groups",
                R"({"displayName":")" + random_title() + std::to_string(++made_) + "\"}"));
        client_.run(jobs);
        for (Job *job : jobs) note(*job);
    }

    // Some writes of other clients in one batch.
    void disturb() {
        std::vector<Job *> jobs;
        for (size_t i = fixture::below(4); i > 0; i--) {
            const size_t what = fixture::below(3);
            if (what == 0 || users_.empty()) {
                jobs.push_back(client_.job(Method::post, "/Users", user()));
                continue;
            }
            auto at = users_.begin() + long(fixture::below(users_.size()));
            changed_.insert(*at);
            const std::string path = "/Users/" + *at;
            if (what == 1) {
                jobs.push_back(client_.job(Method::del, path));
                users_.erase(at);
            } else {
                jobs.push_back(
                    client_.job(Method::patch, path,
                                R"({"Operations":[{"op":"replace","path":"title","value":")" +
                                    random_title() + "\"}]}"));
            }
        }
        if (jobs.empty()) return;
        client_.run(jobs);
        for (Job *job : jobs) note(*job);
    }

    // Ids of the users that were created, changed or deleted since the last call of clear().
    const std::set<std::string> &changed() const { return changed_; }
    void clear() { changed_.clear(); }

  private:
    std::string random_title() { return std::string(1, char('a' + fixture::below(4))); }

    std::string user() {
        const std::string number = std::to_string(++made_);
        std::string body =
            R"({"userName":"u)" + std::to_string(fixture::below(90)) + "x" + number + "\"";
        if (!fixture::chance(4)) body += R"(,"title":")" + random_title() + "\"";
        if (fixture::chance(2)) body += R"(,"emails":[{"value":"team@x.com"}])";
        if (fixture::chance(3)) body += R"(,"externalId":"e)" + number + "\"";
        return body + "}";
    }

    void note(const Job &job) {
        if (job.response.status != 201) return;
        const std::string &id = job.response.log_fields.resource_id;
        changed_.insert(id);
        if (job.response.log_fields.resource_type == "User") users_.push_back(id);
    }

    Client &client_;
    size_t made_ = 0;
    std::vector<std::string> users_;
    std::set<std::string> changed_;
};

std::string encoded(std::string_view text) {
    std::string out;
    for (char c : text) {
        const char hex[] = {'%', hex_digits[uint8_t(c) >> 4], hex_digits[uint8_t(c) & 15]};
        out.append(is_letter(c) || is_digit(c) ? std::string(1, c) : std::string(hex, 3));
    }
    return out;
}

struct PageOf {
    std::vector<std::string> ids;
    std::string next, why;
};

// Sends a query, to the event loop first, as a worker does.
PageOf page_of(Client &client, const std::string &path, const std::string &args) {
    PageOf page;
    Response response;
    const Request request = client.request(Method::get, path, args);
    std::string outcome = client.ask(request, response, RunOn::event_loop);
    if (outcome == "deferred") outcome = client.ask(request, response);
    if (outcome != "answered") page.why = outcome;
    auto body = parse_json(response.body, JsonLimits());
    if (!page.why.empty() || !body) return page;
    if (const json_t *next = member_of(body->get(), "nextCursor")) page.next = text_of(next);
    const json_t *all = member_of(body->get(), "Resources");
    for (size_t i = 0; i < json_array_size(all); i++)
        page.ids.emplace_back(text_of(member_of(json_array_get(all, i), "id")));
    return page;
}

// Walks, with writes between the pages. Returns what is wrong, or "".
std::string walk(Client &client, Directory &directory, const std::string &path,
                 const std::string &args, int64_t count, uint64_t max_scan) {
    directory.clear();
    client.settings.max_scan = Settings().max_scan;
    const std::vector<std::string> before = page_of(client, path, args + "&count=1000").ids;
    const std::string paged = args + "&attributes=id&count=" + std::to_string(count);
    std::vector<std::string> seen;
    size_t pages = 0;
    client.settings.max_scan = max_scan;
    for (std::string next;;) {
        const PageOf page = page_of(client, path, paged + "&cursor=" + next);
        if (!page.why.empty()) return page.why;
        if (page.ids.size() > size_t(count)) return "a page is too long";
        if (++pages > 2000) return "the walk does not end";
        seen.insert(seen.end(), page.ids.begin(), page.ids.end());
        if (page.next.empty()) break;
        next = page.next;
        directory.disturb();
    }
    // Only resources that have not changed are compared.
    auto unchanged = [&](std::vector<std::string> ids) {
        ids.erase(std::remove_if(
                      ids.begin(), ids.end(),
                      [&](const std::string &id) { return directory.changed().count(id) > 0; }),
                  ids.end());
        return ids;
    };
    if (unchanged(seen) != unchanged(before)) return "the walk differs from the list";
    return {};
}

std::vector<Definition> types(const std::vector<std::string> &names) {
    std::vector<Definition> all;
    for (const std::string &name : names) {
        const std::string urn = "urn:example:" + name;
        all.push_back(
            *load_definition(R"({"id":")" + urn + R"(","attributes":[{"name":"displayName"}]})"));
        all.push_back(*load_definition(R"({"name":")" + name + R"(","endpoint":"/)" + name +
                                       R"(s","schema":")" + urn + "\"}"));
    }
    return all;
}

// Between two pages, the type of the last resource of the first page is removed.
void removed_type() {
    fixture::TempDir dir;
    std::string team, next;
    {
        auto store = fixture::open_store(dir.path, size_t(64) << 20, types({"Device", "Team"}), 1);
        Client client(*store);
        team = client.create("/Teams", R"({"schemas":["urn:example:Team"]})");
        client.create("/Devices", R"({"schemas":["urn:example:Device"]})");
        next = page_of(client, "/", "count=1&cursor=").next;
    }
    auto store = fixture::open_store(dir.path, size_t(64) << 20, types({"Team"}), 2);
    Client client(*store, tenant_of(*store));
    const PageOf page = page_of(client, "/", "count=1&cursor=" + next);
    ok(page.ids == std::vector<std::string>{team},
       "if the type of the last resource is removed, the walk goes on with the next type " +
           page.why);
}

}  // namespace

int main() {
    removed_type();
    fixture::seed_from_environment();
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store);
    Directory directory(client);
    directory.create(150, 12);
    const char *filters[] = {"",
                             "title eq \"a\"",
                             "title pr and userName co \"1\"",
                             "emails.value eq \"team@x.com\"",
                             "userName sw \"u1\"",
                             "userName sw \"u1\" or externalId pr",
                             "userName pr and title ne \"b\"",
                             "userName eq \"nobody\""};
    const char *orders[] = {"", "", "userName", "title", "meta.created", "emails.value", "id"};
    const char *walks_text = std::getenv("SCIM_WALKS");
    const int walks = walks_text != nullptr ? std::atoi(walks_text) : 60;
    size_t wrong = 0;
    for (int i = 0; i < walks && wrong < 5; i++) {
        const std::string filter = filters[fixture::below(std::size(filters))];
        const std::string order = orders[fixture::below(std::size(orders))];
        std::string args = filter.empty() ? "" : "&filter=" + encoded(filter);
        if (!order.empty()) args += "&sortBy=" + order;
        if (fixture::chance(2)) args += "&sortOrder=descending";
        const std::string path = fixture::chance(3) ? "/" : "/Users";
        const uint64_t max_scan =
            order.empty() && fixture::chance(2) ? 5 + fixture::below(40) : Settings().max_scan;
        const std::string why =
            walk(client, directory, path, args, int64_t(5 + fixture::below(30)), max_scan);
        if (why.empty()) continue;
        wrong++;
        diag(path + "?" + args + ": " + why);
    }
    is(wrong, 0u,
       "[S-177 S-179] " + std::to_string(walks) +
           " walks while others write show each unchanged resource once, in order");
    return tap::done();
}
