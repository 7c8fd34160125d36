#pragma once
// The gate with a memory: users who may pass, the decisions about them and their finished values.
//
// CachingGate::find() returns what Gate::find() would: nothing in the cache is older than the
// snapshot. Each user is kept with the position in the tenant's change log at which all that is
// known of the user was valid. Before it is used again, the log is read up to the snapshot: a change
// of the user ends it, and a change of any group ends what was made from groups. A commit that
// changes nothing of the tenant ends nothing.
//
// A user is kept only if no change of another user can make the subject ambiguous. The memory is
// bounded; what was not used for the longest time is dropped first. A cache belongs to one open
// store.

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "service/gate_decision.h"
#include "service/gate_values.h"
#include "service/header_value.h"
#include "service/store.h"
#include "store/log.h"

namespace scim::service {

// The decision by one list of requirements.
struct KnownDecision {
    const Requirements *requirements = nullptr;
    bool nested_groups = false;
    Decision decision;
};

// What a value for headers and variables is made of.
struct ValueDefinition {
    const UserAttribute *attribute;
    const ValueFormat *format;
    bool is_list;
    const std::vector<std::string> *required;  // for ValueFormat::only_required
    GateOptions options;
};

// A value of the user.
struct KnownValue {
    const UserAttribute *attribute = nullptr;
    const std::vector<std::string> *required = nullptr;  // nullptr: not needed
    bool nested_groups = false;
    MadeFrom made_from = MadeFrom::user;
    UserValue value;

    bool is_of(const ValueDefinition &definition) const {
        return attribute == definition.attribute &&
               nested_groups == definition.options.nested_groups &&
               (required == nullptr || required == definition.required);
    }
};

// A user that a subject names, or the reason why there is none. Several requests may share it;
// decisions and values are only added.
class KnownUser {
  public:
    explicit KnownUser(GateUser found) : user(std::move(found)) {}

    GateUser user;  // the record is empty after GateCache::keep()
    std::vector<KnownDecision> decisions;
    std::vector<KnownValue> values;

  private:
    friend class GateCache;
    std::string key_;        // of the cache; empty: must not be kept
    uint64_t position_ = 0;  // of the tenant's log: all of the above is valid there
    size_t charged_ = 0;     // bytes that it counts for in the cache; 0: it is not there
};

// What has changed in a tenant while the cache followed its log.
struct TenantChanges {
    uint64_t txn = 0;               // of the snapshot that was looked at last
    uint64_t position = 0;          // of the last change in that snapshot
    uint64_t known_since = 0;       // changes up to this position are not listed
    uint64_t groups_position = 0;   // of the last change of a group
    std::map<Id, uint64_t> others;  // of the last change of each resource
};

// Not thread-safe.
class GateCache {
  public:
    // Bytes of users, estimated; and resources whose changes are listed, of all tenants.
    static constexpr size_t bytes_max = 32u << 20, changes_max = 8192;

    GateCache() = default;
    ~GateCache() { clear(); }
    GateCache(const GateCache &) = delete;
    GateCache &operator=(const GateCache &) = delete;

    // Reads the tenant's log up to the snapshot. nullptr if that fails. Valid until the next call.
    // REQUIRES: snapshot.usable().
    const TenantChanges *follow(Snapshot &snapshot, store::TenantNumber tenant);

    // The user that a subject names; nullptr if that is not known. REQUIRES: `changes` is the result
    // of follow() for the snapshot.
    std::shared_ptr<KnownUser> find(const Snapshot &snapshot, store::TenantNumber tenant,
                                    const Subject &subject, const TenantChanges &changes);

    // Lets keep() keep a user that was found in the snapshot of `changes`.
    void allow(KnownUser &known, const Subject &subject, const TenantChanges &changes);
    // Keeps a user, without the record, if that is allowed. To be called after decisions or values
    // were added.
    void keep(const std::shared_ptr<KnownUser> &known);
    // Does not keep the user any more.
    void forget(KnownUser &known);

    size_t size() const { return users_.size(); }
    size_t bytes() const { return bytes_; }

  private:
    using Users = std::list<std::shared_ptr<KnownUser>>;

    void clear();
    void add(const std::shared_ptr<KnownUser> &known);
    void set_key(store::TenantNumber tenant, const Subject &subject);
    static bool has_outdated(const KnownUser &known, const TenantChanges &changes);
    bool catch_up(TenantChanges &changes, const Catalog &catalog, store::Directory &directory);

    Users users_;                                                   // the most recently used first
    std::unordered_map<std::string_view, Users::iterator> places_;  // by KnownUser::key_
    size_t bytes_ = 0;
    std::unordered_map<store::TenantNumber, TenantChanges> tenants_;
    size_t changes_ = 0;  // resources in all TenantChanges::others
    std::string key_;     // the one that is looked up
};

// Not thread-safe. Requirements, and what a ValueDefinition points to, must live as long as the gate.
class CachingGate {
  public:
    // Never nullptr.
    std::shared_ptr<KnownUser> find(Snapshot &snapshot, const Subject &subject);

    // REQUIRES: the reason of the user is `none`, and the user was found in this snapshot.
    Decision decide(Snapshot &snapshot, KnownUser &known, const Requirements &requirements,
                    GateOptions options);

    // A value that was made before; nullptr if there is none. Valid until make_value().
    static const UserValue *find_value(const KnownUser &known, const ValueDefinition &definition);
    // True if make_value() needs a snapshot: the value is of groups, or the record was not kept.
    static bool needs_snapshot(const KnownUser &known, const ValueDefinition &definition);
    // Makes a value, and keeps it if it could be made as a whole. `snapshot` is that in which the
    // user was found, or a later one; without one that is needed, the value is empty.
    // REQUIRES: known.user.found(). Valid until the next call.
    const UserValue &make_value(Snapshot *snapshot, KnownUser &known,
                                const ValueDefinition &definition);

    // Lets later requests use what is known of the user. To be called when a request has asked what
    // it needs.
    void keep(const std::shared_ptr<KnownUser> &known) { cache_.keep(known); }

    const GateCache &cache() const { return cache_; }

  private:
    static bool load(Snapshot &snapshot, GateUser &user);

    Gate gate_;
    GateCache cache_;
    UserValue unread_;  // the last value that was not kept
};

}  // namespace scim::service
