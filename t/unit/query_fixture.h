#pragma once
// What the tests of queries share: a store of random users and groups, which are also kept in
// memory, and a function that runs a query on it.

#include "filter_naive.h"
#include "fixture.h"
#include "scim/text/datetime.h"
#include "service/query.h"
#include "store/format.h"
#include "store/members.h"

namespace fixture {

using namespace scim::service;
namespace store = scim::store;

constexpr const char *base_url = "https://x.example";
constexpr size_t user_count = 40, group_count = 10;

// Adds indexes to the catalog of the store.
inline void add_indexes(Store &store) {
    Session session(store);
    CatalogRows rows;
    {
        Snapshot snapshot(session);
        rows = snapshot.catalog()->rows();
        const TypeView &type = *snapshot.catalog()->type_by_name("User");
        for (const char *path :
             {"active", "name.familyName", "urn:example:acme:2.0:User:level",
              "urn:example:acme:2.0:User:score", "urn:example:acme:2.0:User:since",
              "urn:example:acme:2.0:User:ranks", "urn:example:acme:2.0:User:seat.value",
              "urn:example:acme:2.0:User:seat.tags"}) {
            IndexDef index;
            index.number = uint16_t(rows.indexes.size() + 100);
            index.type = type.number;
            index.attr = type.find(path)->number;
            rows.indexes.push_back(index);
        }
        for (const char *path :
             {"userName", "displayName", "name.givenName", "emails.value",
              "urn:example:acme:2.0:User:site", "urn:example:acme:2.0:User:code",
              "urn:example:acme:2.0:User:words", "urn:example:acme:2.0:User:seat.value"}) {
            IndexDef index;
            index.number = uint16_t(rows.indexes.size() + 100);
            index.type = type.number;
            index.attr = type.find(path)->number;
            index.kind = IndexKind::substring;
            rows.indexes.push_back(index);
        }
    }
    rows.epoch++;
    store::WriteTxn txn(store.env());
    store::write_catalog(txn, rows);
    if (txn.commit() != store::Errc::ok) std::abort();
}

struct Person {
    Id id{};
    Json body;  // as GET shows it
};

struct Group {
    Id id{};
    std::string name;
    std::vector<size_t> members;  // indexes into Population::people
    bool holds_first = false;     // the first group is a member
};

class Population {
  public:
    Population() : store_(open_store(dir_.path, size_t(64) << 20, {definition()})) {
        add_indexes(*store_);
        tenant_ = add_tenant(store_->env(), "acme").number;
        session_ = std::make_unique<Session>(*store_);
        Snapshot snapshot(*session_);
        catalog_ = snapshot.catalog();
        user_ = catalog_->type_by_name("User");
        group_ = catalog_->type_by_name("Group");
    }

    void fill() {
        store::WriteTxn txn(store_->env());
        store::DirectoryWriter writer(txn, tenant_);
        for (size_t i = 0; i < user_count; i++) add_user(writer, i);
        for (size_t i = 0; i < group_count; i++) add_group(writer, i);
        if (txn.commit() != store::Errc::ok) std::abort();
        for (Person &person : people) add_computed(person);
        for (const Person &person : people) known_ids.push_back(to_string(person.id));
        for (const Group &group : groups) known_ids.push_back(to_string(group.id));
        known_groups = groups.size();
    }

    Session &session() { return *session_; }
    store::Env &env() { return store_->env(); }
    store::TenantNumber tenant() const { return tenant_; }

    std::vector<Person> people;
    std::vector<Group> groups;

  private:
    static Definition definition() { return must(load_definition(acme_schema)); }

    void put(store::DirectoryWriter &writer, const TypeView &type, const Id &id, json_t *body,
             store::RecordHeader header, store::MemberChange members) {
        DeviationReport report;
        Resource resource = must(read_resource(type, body, false, report));
        store::ResourceEdit edit;
        edit.type = type.number;
        edit.id = id;
        edit.is_new = true;
        header.version = edit.position = ++position_;
        header.created = 1700000000123;
        header.modified = 1700000000123 + int64_t(position_);
        edit.record = encode_record(header, *catalog_, type, resource.leaves);
        edit.after = store::index_values(*catalog_, type, resource.leaves);
        edit.trigrams_after = store::trigram_sets(*catalog_, type, resource.leaves);
        edit.change.type = type.number;
        edit.change.id = id;
        edit.members = std::move(members);
        writer.apply(edit);
    }

    Id next_id() { return make_id(1700000000000 + int64_t(++ids_), {uint8_t(below(256))}); }

    void add_user(store::DirectoryWriter &writer, size_t number) {
        Person person{next_id(), random_user()};
        json_t *body = person.body.get();
        // userName must be unique.
        std::string name = std::string(pick(texts)) + std::to_string(number);
        json_object_set_new(body, "userName", json_stringn(name.data(), name.size()));
        if (chance(3)) {
            std::string text(330 + below(80), 'x');
            text += pick(texts);
            json_object_set_new(body, "externalId", json_stringn(text.data(), text.size()));
        }
        put(writer, *user_, person.id, body, {}, {});
        people.push_back(std::move(person));
    }

    void add_group(store::DirectoryWriter &writer, size_t number) {
        Group group{next_id(), std::string(pick(texts)) + std::to_string(number), {}, false};
        store::MemberChange members;
        store::RecordHeader header;
        members.epoch = 1;
        // The rows are dead if the group's record has another member epoch.
        bool is_emptied = number == 3;
        header.member_epoch = is_emptied ? 2 : 1;
        for (size_t i = 0; i < people.size(); i++) {
            if (number == 4 || !chance(4)) continue;
            members.joined.emplace_back(people[i].id, user_->number);
            if (!is_emptied) group.members.push_back(i);
        }
        if (number > 0 && chance(2)) {
            members.joined.emplace_back(groups[0].id, group_->number);
            group.holds_first = !is_emptied;
        }
        Json body(json_pack("{s:[s],s:s}", "schemas", "urn:ietf:params:scim:schemas:core:2.0:Group",
                            "displayName", group.name.c_str()));
        put(writer, *group_, group.id, body.get(), header, std::move(members));
        groups.push_back(std::move(group));
    }

    void add_computed(Person &person) {
        json_t *body = person.body.get();
        json_object_set_new(body, "id", json_string(to_string(person.id).c_str()));
        json_object_set_new(
            body, "meta",
            json_pack("{s:s,s:s}", "created", "2023-11-14T22:13:20.123Z", "resourceType", "User"));
        json_t *list = json_array();
        for (const Group &group : groups)
            for (size_t member : group.members)
                if (people[member].id == person.id)
                    json_array_append_new(
                        list, json_pack("{s:s,s:s,s:s}", "value", to_string(group.id).c_str(),
                                        "display", group.name.c_str(), "type", "direct"));
        json_object_set_new(body, "groups", list);
    }

    TempDir dir_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Session> session_;
    store::TenantNumber tenant_ = 0;
    std::shared_ptr<const Catalog> catalog_;
    const TypeView *user_ = nullptr, *group_ = nullptr;
    uint64_t position_ = 0, ids_ = 0;
};

// Writes index rows of userName, of users that do not exist. The
// greatest value has the smallest id, so that each row replaces an id that was read before.
inline void put_user_names(store::Env &env, store::TenantNumber tenant, const TypeView &type,
                           size_t count) {
    const AttrNumber user_name = type.find("userName")->number;
    store::WriteTxn txn(env);
    for (size_t i = 0; i < count; i++) {
        const Id id = make_id(int64_t(count - i), {});
        const std::string value = std::to_string(1000000 + i);
        txn.put(store::Db::index, store::index_key(tenant, type.number, user_name, value, id), "");
    }
    if (txn.commit() != store::Errc::ok) std::abort();
}

// The result of a query: the total, the ids of the page and the plan, or the error in `why`.
struct Answer {
    uint64_t total = 0;
    std::vector<Id> page;
    std::string plan, why, dialect;
    bool is_long = false, knows_total = true;
    std::optional<Position> next;
};

inline Answer ask(Population &population, const Query &query,
                  const std::vector<const char *> &types = {"User"}, uint64_t max_scan = 1000000,
                  RunOn run_on = RunOn::thread, const Position *after = nullptr) {
    Settings settings;
    settings.max_scan = max_scan;
    settings.filter.length = 1 << 20;
    settings.filter.terms = 10000;
    Request request;
    request.base_url = base_url;
    request.settings = &settings;
    Snapshot snapshot(population.session());
    ReadBudget budget(request.read_end, run_on);
    store::Directory directory(snapshot.txn, population.tenant(), &budget);
    std::vector<const TypeView *> views;
    views.reserve(types.size());
    for (const char *type : types) views.push_back(snapshot.catalog()->type_by_name(type));
    Search search(snapshot, directory, request, query, views);
    DeviationReport report;
    Answer answer;
    auto prepared = search.prepare(run_on, report);
    answer.dialect = report.summary();
    if (!prepared) {
        answer.why =
            std::string(to_string(prepared.error().type())) + ": " + prepared.error().detail;
        return answer;
    }
    answer.plan = search.explain();
    answer.is_long = search.is_long();
    if (after != nullptr) search.start_after(*after);
    Hits hits = search.run(budget);
    if (budget.stopped() || !snapshot.txn.good()) {
        answer.why = budget.stopped() ? budget.error().detail : "damaged";
        return answer;
    }
    answer.total = hits.total;
    answer.knows_total = hits.knows_total;
    answer.next = hits.next;
    for (const Hit &hit : hits.page) answer.page.push_back(hit.id);
    return answer;
}

inline Query query_of(const std::string &filter, int64_t count = 1000) {
    Query query;
    if (!filter.empty()) query.filter = filter;
    query.count = count;
    return query;
}

// Runs a query by cursor, page after page. `why` says what is wrong with a page.
inline Answer walk(Population &population, Query query,
                   const std::vector<const char *> &types = {"User"}, uint64_t max_scan = 1000000) {
    query.cursor = "";
    Answer all;
    std::optional<Position> after;
    do {
        Answer page =
            ask(population, query, types, max_scan, RunOn::thread, after ? &*after : nullptr);
        all.plan = page.plan;
        all.why = page.why;
        if (page.page.size() > size_t(*query.count)) all.why = "a page is too long";
        all.page.insert(all.page.end(), page.page.begin(), page.page.end());
        if (all.page.size() > 10000) all.why = "the walk does not end";
        after = page.next;
    } while (after && all.why.empty());
    return all;
}

}  // namespace fixture
