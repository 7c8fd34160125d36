#pragma once
// A naive model of bulk requests: what they do to a small directory, in quadratic and cubic time.

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace bulk_model {

// An operation in the terms of the model. A reference is the number of a known resource, or -1 - i
// for the resource that operation i creates; `unknown_reference` is a bulkId that no POST has.
constexpr int unknown_reference = -1000;
struct Act {
    enum Kind { post_user, post_group, put_user, patch_user, add_member, remove_member, remove };
    Kind kind;
    int target = 0;            // not for a POST
    std::string name;          // of a POST and a PUT
    std::vector<int> members;  // of a POST of a group, and the member of a PATCH
    bool is_stale = false;     // `version` is one that no resource has
    bool creates() const { return kind == post_user || kind == post_group; }
};

struct Thing {
    bool is_group = false, exists = false;
    std::string id, name, title;
    std::set<int> members;  // numbers of things
};

// What an operation refers to by bulkId, without itself.
inline std::set<size_t> needs_of(const std::vector<Act> &acts, size_t i) {
    std::set<size_t> needs;
    auto note = [&](int reference) {
        if (reference < 0 && reference != unknown_reference && size_t(-1 - reference) != i)
            needs.insert(size_t(-1 - reference));
    };
    if (!acts[i].creates()) note(acts[i].target);
    for (int member : acts[i].members) note(member);
    return needs;
}

class Model {
  public:
    Model(std::vector<Thing> &things, const std::vector<Act> &acts, size_t most_errors,
          bool is_atomic)
        : things_(things), acts_(acts), status_(acts.size(), 0), created_(acts.size(), -1) {
        const std::vector<Thing> before = things;
        size_t errors = 0;
        for (const std::vector<size_t> &unit : units()) {
            if (!is_atomic && most_errors != 0 && errors >= most_errors) break;
            do_unit(unit);
            for (size_t i : unit) errors += status_[i] >= 400;
            if (is_atomic && errors > 0) {
                fail_all(unit, before);
                break;
            }
        }
    }

    // 0: the operation is not done because of failOnErrors.
    const std::vector<int> &statuses() const { return status_; }
    const std::vector<int> &created() const { return created_; }

  private:
    // The circles, each after what it refers to, those first whose last operation is first.
    std::vector<std::vector<size_t>> units() const {
        const size_t n = acts_.size();
        std::vector<std::vector<bool>> after(n, std::vector<bool>(n));
        for (size_t i = 0; i < n; i++) {
            after[i][i] = true;
            for (size_t needed : needs_of(acts_, i)) after[i][needed] = true;
            for (size_t j = 0; j < i; j++)
                if (!acts_[i].creates() && !acts_[j].creates() &&
                    acts_[i].target == acts_[j].target)
                    after[i][j] = true;
        }
        for (size_t k = 0; k < n; k++)
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++)
                    if (after[i][k] && after[k][j]) after[i][j] = true;
        std::vector<std::vector<size_t>> all;
        std::vector<bool> done(n);
        for (size_t count = 0; count < n;) {
            std::vector<size_t> best;
            for (size_t i = 0; i < n; i++) {
                std::vector<size_t> unit;
                bool is_due = !done[i];
                for (size_t j = 0; j < n; j++) {
                    if (after[i][j] && after[j][i])
                        unit.push_back(j);
                    else if (after[i][j] && !done[j])
                        is_due = false;
                }
                if (is_due && (best.empty() || unit.back() < best.back())) best = unit;
            }
            for (size_t i : best) done[i] = true;
            count += best.size();
            all.push_back(best);
        }
        return all;
    }

    void do_unit(const std::vector<size_t> &unit) {
        const std::vector<Thing> before = things_;
        for (size_t i : unit) {
            created_[i] = -1;
            if (!acts_[i].creates()) continue;
            created_[i] = int(things_.size());
            things_.push_back({acts_[i].kind == Act::post_group, unit.size() > 1, {}, {}, {}, {}});
        }
        for (size_t i : unit) {
            // What refers to a failed or unknown POST is noticed before anything is done.
            status_[i] = refused_by_references(i);
            if (status_[i] != 0) return undo(unit, i, before);
        }
        for (size_t i : unit) {
            status_[i] = do_act(i);
            if (status_[i] >= 400) return undo(unit, i, before);
        }
    }

    void undo(const std::vector<size_t> &unit, size_t cause, const std::vector<Thing> &before) {
        things_ = before;
        for (size_t i : unit) {
            created_[i] = -1;
            if (i != cause) status_[i] = 409;
        }
    }

    void fail_all(const std::vector<size_t> &unit, const std::vector<Thing> &before) {
        things_ = before;
        // The operation whose error is not that of a circle.
        size_t cause = unit[0];
        for (size_t i : unit)
            if (cause_ == i) cause = i;
        for (size_t i = 0; i < acts_.size(); i++) {
            created_[i] = -1;
            if (i != cause) status_[i] = 424;
        }
    }

    int refused_by_references(size_t i) {
        const Act &act = acts_[i];
        cause_ = i;
        const bool is_unknown =
            (!act.creates() && act.target == unknown_reference) ||
            std::count(act.members.begin(), act.members.end(), unknown_reference) != 0;
        if (is_unknown) return 400;
        for (size_t needed : needs_of(acts_, i))
            if (status_[needed] >= 400) return 409;
        return 0;
    }

    int number(int reference) const {
        return reference < 0 ? created_[size_t(-1 - reference)] : reference;
    }

    bool is_taken(bool is_group, const std::string &name, int self) const {
        for (size_t i = 0; i < things_.size(); i++)
            if (things_[i].exists && !things_[i].name.empty() && int(i) != self &&
                things_[i].is_group == is_group && things_[i].name == name)
                return true;
        return false;
    }

    int do_act(size_t i) {
        const Act &act = acts_[i];
        cause_ = i;
        if (act.creates()) return create(i);
        Thing &thing = things_[size_t(number(act.target))];
        const bool wants_group = act.kind == Act::add_member || act.kind == Act::remove_member;
        const bool is_for_user = act.kind == Act::put_user || act.kind == Act::patch_user;
        if (!thing.exists || (wants_group && !thing.is_group) || (is_for_user && thing.is_group))
            return 404;
        if (act.is_stale) return 412;
        switch (act.kind) {
            case Act::put_user:
                if (is_taken(false, act.name, number(act.target))) return 409;
                thing.name = act.name;
                thing.title = "";
                return 200;
            case Act::patch_user: thing.title = "patched"; return 200;
            case Act::add_member: {
                const int member = number(act.members[0]);
                if (thing.members.count(member) != 0) return 200;
                if (member == number(act.target) || !things_[size_t(member)].exists) return 400;
                thing.members.insert(member);
                return 200;
            }
            case Act::remove_member: thing.members.erase(number(act.members[0])); return 200;
            default: break;
        }
        thing.exists = false;
        thing.members.clear();
        for (Thing &other : things_) other.members.erase(number(act.target));
        return 204;
    }

    int create(size_t i) {
        const Act &act = acts_[i];
        Thing &thing = things_[size_t(created_[i])];
        if (is_taken(thing.is_group, act.name, created_[i])) return 409;
        for (int member : act.members) {
            const int joined = number(member);
            if (joined == created_[i] || !things_[size_t(joined)].exists) return 400;
            thing.members.insert(joined);
        }
        thing.exists = true;
        thing.name = act.name;
        return 201;
    }

    std::vector<Thing> &things_;
    const std::vector<Act> &acts_;
    std::vector<int> status_, created_;
    size_t cause_ = 0;  // the operation that was tried last
};

}  // namespace bulk_model
