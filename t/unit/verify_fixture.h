#pragma once
// Functions that write users and groups as the Writer does, and functions that damage a store.

#include <functional>
#include <string>
#include <vector>

#include "fixture.h"
#include "store/bytes.h"
#include "store/directory.h"
#include "store/format.h"
#include "store/members.h"
#include "store/verify.h"

using namespace scim;
using namespace scim::store;

namespace {

// The extension of this fixture's users.
const char extension[] = R"({"id":"urn:x:acme:2.0:User","name":"Acme","attributes":[
    {"name":"badge","type":"string","multiValued":false},{"name":"tags","type":"string","multiValued":true}]})";

inline Id id_of(uint8_t n) {
    Id id{};
    id[0] = 1;
    id[15] = n;
    return id;
}

std::shared_ptr<const Catalog> catalog_of(Txn &txn) { return *Catalog::build(*read_catalog(txn)); }

inline Resource user_resource(const TypeView &type, const std::string &name) {
    DeviationReport report;
    std::string body =
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:x:acme:2.0:User"],"userName":")" +
        name + R"(","externalId":"e","name":{"familyName":"F","givenName":"G"},"active":true,)" +
        R"("emails":[{"value":"a@x","type":"work"},{"value":"b\n@x"}],)" +
        R"("urn:x:acme:2.0:User":{"badge":"7","tags":["p","q"]}})";
    auto resource = read_resource(type, parse_json(body, {})->get(), false, report);
    if (!resource) diag(resource.error().detail);
    return std::move(*resource);
}

// Creates a user, or replaces it unless `is_new`.
inline void put_user(WriteTxn &txn, TenantNumber tenant, uint8_t n, const std::string &name,
                     bool is_new = true) {
    auto catalog = catalog_of(txn);
    const TypeView &type = *catalog->type_by_name("User");
    DirectoryWriter directory(txn, tenant);
    Resource resource = user_resource(type, name);
    ResourceEdit edit;
    edit.type = type.number;
    edit.id = id_of(n);
    edit.is_new = is_new;
    edit.position = directory.position().position + 1;
    RecordHeader header;
    header.version = edit.position;
    header.created = 1000;
    header.modified = 1000 + int64_t(edit.position);
    edit.record = encode_record(header, *catalog, type, resource.leaves);
    edit.after = index_values(*catalog, type, resource.leaves);
    edit.trigrams_after = trigram_sets(*catalog, type, resource.leaves);
    edit.change.time = header.modified;
    edit.change.operation = is_new ? Operation::create : Operation::replace;
    edit.change.type = type.number;
    edit.change.id = edit.id;
    directory.apply(edit);
}

// Creates a Group of these members, or changes its members unless `is_new`.
inline void put_group(WriteTxn &txn, TenantNumber tenant, uint8_t n, const MemberChange &members,
                      bool is_new = true) {
    auto catalog = catalog_of(txn);
    const TypeView &type = *catalog->group_types().front();
    DirectoryWriter directory(txn, tenant);
    DeviationReport report;
    auto body = parse_json(R"({"displayName":"g)" + std::to_string(n) + "\"}", {});
    Resource resource = std::move(*read_resource(type, body->get(), false, report));
    ResourceEdit edit;
    edit.type = type.number;
    edit.id = id_of(n);
    edit.is_new = is_new;
    edit.position = directory.position().position + 1;
    RecordHeader header;
    header.version = edit.position;
    header.created = 1000;
    header.modified = 1000 + int64_t(edit.position);
    header.member_epoch = members.epoch;
    edit.record = encode_record(header, *catalog, type, resource.leaves);
    edit.after = index_values(*catalog, type, resource.leaves);
    if (!is_new) edit.before = edit.after;
    edit.members = members;
    edit.change.time = header.modified;
    edit.change.operation = is_new ? Operation::create : Operation::patch;
    edit.change.type = type.number;
    edit.change.id = edit.id;
    directory.apply(edit);
}

inline std::string all_problems(const VerifyReport &report) {
    std::string text;
    for (const Problem &p : report.problems)
        text += std::string(database_name(p.db)) + ": " + p.key + ": " + p.text + "\n";
    return text;
}

// Tests that verify() finds no problem.
inline void sound(Env &env, const std::string &name) {
    Reader reader(env);
    ReadTxn txn(reader);
    auto report = verify(txn);
    is(report.problem_count, 0u, name);
    if (report.problem_count != 0) diag(all_problems(report));
}

// Tests that verify() finds exactly the problems `want`, in any order, after `plant` in a
// transaction that is never committed. `name` is a noun phrase for the damage.
using Plant = std::function<void(WriteTxn &)>;
inline void damage(Env &env, const std::string &name, const std::vector<std::string> &want,
                   const Plant &plant) {
    WriteTxn txn(env);
    plant(txn);
    auto report = verify(txn);
    std::string got = all_problems(report);
    bool good = txn.good() && report.problem_count == want.size();
    for (const auto &text : want) good &= got.find(text) != std::string::npos;
    if (!ok(good, (want.empty() ? "verify finds no problem with " : "verify reports ") + name))
        diag(got);
}

inline std::string record_of(Txn &txn, TenantNumber tenant, uint8_t n) {
    Bytes bytes;
    txn.get(Db::resources, resource_key(tenant, 1, id_of(n)), bytes);
    return std::string(bytes);
}

inline void put_record(WriteTxn &txn, TenantNumber tenant, uint8_t n, std::string record,
                       bool seal = true) {
    if (seal) seal_record(record);
    txn.put(Db::resources, resource_key(tenant, 1, id_of(n)), record);
}

// Returns the offset of the length of a record's first leaf.
inline size_t first_length(const std::string &record) {
    size_t at = record_header_size;
    for (int varint = 0; varint < 2; varint++)
        while (uint8_t(record[at++]) >= 0x80) continue;
    return at;
}

// Shortens the first leaf by a byte and keeps the places of all others.
inline void shorten_first(std::string &record) {
    size_t at = first_length(record);
    record[at]--;
    while (uint8_t(record[++at]) >= 0x80) continue;  // skips to the head of the next leaf
    record[at + 1]++;
}

inline std::string number(uint64_t value, int bytes) {
    std::string out;
    append_le(out, value, bytes);
    return out;
}

}  // namespace
