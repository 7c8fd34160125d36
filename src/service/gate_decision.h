#pragma once
// The access gate: whether the user that a request's subject names may pass, by the directory.
//
// A decision is a function of one snapshot, the subject and the requirements. It uses neither nginx
// nor the clock. It reads a bounded number of rows, so it may run on the event loop.
//
// A condition of a requirement:
//
//     condition := "group=" NAME | "group_id=" ID | "role=" VALUE | "entitlement=" VALUE
//                | "filter=" FILTER
//
// FILTER is a filter over the user (scim/filter/filter.h). role= and entitlement= are filters, too.
// Names of groups are compared without regard to ASCII case.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scim/filter/filter.h"
#include "service/store.h"
#include "store/access.h"
#include "store/directory.h"

namespace scim::service {

// Why access is denied; `none` if it is not.
enum class Reason : uint8_t {
    none,
    no_subject,
    unknown,
    inactive,
    blocked,
    ambiguous,
    not_allowed,
    session_revoked,
    tenant,
    unavailable,
};
// "no_subject", "unknown", …; empty for `none`.
std::string_view to_string(Reason reason);

struct Condition {
    enum class Kind : uint8_t { group, group_id, filter } kind = Kind::filter;
    // The name or id of a group, or a filter. role= and entitlement= are filters, too.
    std::string value;
    std::string text;  // as written: "role=auditor"
};

// One line of scim_require: it holds if one of its conditions does.
struct Requirement {
    std::vector<Condition> conditions;
    uint16_t status = 0;  // of error=; 0: the default of the reason
    std::string where;    // "conf/nginx.conf:12"

    std::string text() const;  // the conditions, separated by spaces
};

// Parses the arguments of scim_require, "active" and "off" excepted. 400 with a sentence.
Result<Requirement> parse_requirement(const std::vector<std::string_view> &arguments);

// All lines that hold for a location: each of them must hold.
class Requirements {
  public:
    void add(Requirement requirement) { lines_.push_back(std::move(requirement)); }
    const std::vector<Requirement> &lines() const { return lines_; }
    // The names of all group= conditions.
    std::vector<std::string> group_names() const;
    // 400 if a filter is not valid for any type of `catalog` that has a userName, with the filter's
    // error.
    Outcome check(const Catalog &catalog) const;

  private:
    std::vector<Requirement> lines_;
};

// Names one user. The views must outlive the call that takes it.
struct Subject {
    std::string_view tenant;
    std::string_view by = "userName";  // "id", or an attribute with an index
    std::string_view value;
};

// The user that a subject names, copied from one snapshot.
struct GateUser {
    // `none` if the user is known, active and not blocked. If it is another reason, the other
    // members are set as far as the user was found.
    Reason reason = Reason::unavailable;
    std::shared_ptr<const Catalog> catalog;
    const TypeView *type = nullptr;  // nullptr: no user was found
    store::TenantNumber tenant = 0;
    Id id{};
    std::string record;   // store/record.h
    int64_t blocked = 0;  // milliseconds since 1970; 0: not blocked
    // Milliseconds since 1970: the latest of its creation, its last deactivation and the last
    // `scimctl user revoke`. Sessions that are not younger are refused (gate_session.h).
    int64_t not_before = 0;
    // For `unavailable`: the store answers, but the record is too long to be judged.
    bool is_beyond_limit = false;

    bool found() const { return type != nullptr; }
};

// What a decision or a value was made from, beside the user's own record.
enum class MadeFrom : uint8_t { user, groups, any_resource };

struct Decision {
    Reason reason = Reason::none;
    const Requirement *failed = nullptr;       // for not_allowed: the first line that does not hold
    const Condition *no_such_group = nullptr;  // names a group that the tenant does not have
    // For `unavailable`: the store answers, but a decision may not read so much.
    bool is_beyond_limit = false;
    MadeFrom made_from = MadeFrom::user;
};

struct GateOptions {
    bool nested_groups = false;  // indirect groups count (service/nested_groups.h)
};

// Takes the snapshot of a decision into `place`. If another process has grown the map, this process
// can read it only after its reads on threads have ended, which takes them about a millisecond
// (Txn::must_end()): waits for that, at most as long as `patience`.
constexpr std::chrono::milliseconds snapshot_patience{4};
Snapshot &take_snapshot(Session &session, std::optional<Snapshot> &place,
                        std::chrono::milliseconds patience = snapshot_patience);

// Decides by the snapshots of one session. Not thread-safe.
class Gate {
  public:
    // An attribute with an index that is ready, of a type that has a userName.
    using Key = std::pair<const TypeView *, const Attr *>;

    // True if `by` names the id or, for some type of `catalog` that has a userName, an attribute
    // with an index that is ready.
    static bool can_find_by(const Catalog &catalog, std::string_view by);

    GateUser find(Snapshot &snapshot, const Subject &subject);
    // REQUIRES: user.reason is `none`, and `user` is of this snapshot.
    Decision decide(Snapshot &snapshot, const GateUser &user, const Requirements &requirements,
                    GateOptions options);

    // The number of an active tenant; 0 if there is none of this name.
    store::TenantNumber tenant_of(Snapshot &snapshot, std::string_view name);
    // True if `user`, whom find() has found by `by`, may pass, and if no other resource can have the
    // same value or change the user's record. REQUIRES: find() was called last for this user.
    bool finds_only(const GateUser &user, std::string_view by);

  private:
    class Judgement;

    static std::vector<Key> keys_of(const Catalog &catalog, std::string_view by);
    const Filter *filter_of(const TypeView &type, const std::string &text);
    // Empties the caches of another catalog.
    void use(const std::shared_ptr<const Catalog> &catalog);
    const std::vector<Key> &known_keys(std::string_view by);

    struct GroupRef {
        Id id;
        uint32_t epoch;  // member epoch of the group's record
    };
    const std::vector<GroupRef> &groups_of(Snapshot &snapshot, const Catalog &catalog,
                                           store::Directory &directory, const Condition &condition);

    // Cache of the groups that conditions name, of one snapshot.
    uint64_t groups_txn_ = 0;
    std::map<std::pair<store::TenantNumber, std::string>, std::vector<GroupRef>> groups_;
    // Caches of the tenants under one auth epoch, and of the filters and keys under one catalog
    // (nothing: not valid for the type).
    uint64_t epoch_ = 0, epoch_txn_ = 0;
    std::map<std::string, store::TenantNumber, std::less<>> tenants_;
    std::shared_ptr<const Catalog> catalog_;
    std::map<std::pair<TypeNumber, std::string>, std::optional<Filter>> filters_;
    std::map<std::string, std::vector<Key>, std::less<>> keys_;  // by `by`
};

}  // namespace scim::service
