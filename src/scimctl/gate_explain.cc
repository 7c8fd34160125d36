// scimctl gate explain: whether the gate lets a user pass, and why.

#include "scimctl/administration.h"
#include "scimctl/commands.h"
#include "service/admin.h"
#include "service/gate_decision.h"

namespace scim::scimctl {

namespace {

using service::Reason;

struct Explanation {
    bool passes = true;
    std::string text;
    std::vector<store::RowWriter> conditions;
};

void append_line(Explanation &out, const std::string &line) {
    out.text += (out.text.empty() ? "" : "\n") + line;
}

// The sentence about the user.
std::string about(const service::GateUser &user, const ExplainArguments &arguments) {
    const std::string called = "User " + quoted(arguments.user);
    switch (user.reason) {
        case Reason::none: return called + " is active and not blocked.";
        case Reason::inactive: return called + " is not active.";
        case Reason::blocked:
            return called + " has been blocked since " + time_text(user.blocked) + ".";
        case Reason::unknown: return "The tenant has no user " + quoted(arguments.user) + ".";
        case Reason::ambiguous:
            return quoted(arguments.user) +
                   " does not name one user exactly: several have this value, or the value of the "
                   "user that is found differs in more than the case of ASCII letters.";
        case Reason::no_subject: return "An empty text names no user.";
        default:
            return arguments.by.empty() ? "The directory cannot answer."
                                        : "No attribute " + quoted(arguments.by) +
                                              " of users has an index, or the directory cannot "
                                              "answer.";
    }
}

// Whether one condition holds for an active user, and why.
class Explainer {
  public:
    Explainer(service::Gate &gate, service::Snapshot &snapshot, const service::GateUser &user,
              const ExplainArguments &arguments)
        : gate_(gate), snapshot_(snapshot), user_(user), arguments_(arguments) {}

    void explain(const service::Condition &condition, Explanation &out) {
        const service::Decision decision = decide(condition, arguments_.nested_groups);
        const bool holds = decision.reason == Reason::none;
        const std::string why = why_of(condition, decision);
        out.passes &= holds;
        append_line(out, condition.text + (holds ? ": holds" : ": does not hold") +
                             (why.empty() ? "" : ", " + why));
        store::RowWriter row;
        row.text("condition", condition.text).boolean("holds", holds);
        if (!why.empty()) row.text("why", why);
        out.conditions.push_back(row);
    }

  private:
    service::Decision decide(const service::Condition &condition, bool nested) {
        service::Requirements requirements;
        service::Requirement line;
        line.conditions.push_back(condition);
        requirements.add(line);
        service::GateOptions options;
        options.nested_groups = nested;
        service::Decision decision = gate_.decide(snapshot_, user_, requirements, options);
        has_no_group_ = decision.no_such_group != nullptr;
        return decision;
    }

    std::string why_of(const service::Condition &condition, const service::Decision &decision) {
        if (decision.reason == Reason::unavailable)
            return "because it cannot be evaluated: the filter is not valid for users, or the "
                   "directory cannot answer";
        if (condition.kind == service::Condition::Kind::filter) return {};
        if (has_no_group_) return "because the tenant has no such group";
        if (decision.reason != Reason::none) return "because the user is not a member";
        const bool is_direct = decide(condition, false).reason == Reason::none;
        return is_direct ? "as a direct member" : "as a member of a group in it";
    }

    service::Gate &gate_;
    service::Snapshot &snapshot_;
    const service::GateUser &user_;
    const ExplainArguments &arguments_;
    bool has_no_group_ = false;
};

service::GateUser find(service::Gate &gate, service::Snapshot &snapshot,
                       const ExplainArguments &arguments) {
    service::Subject subject{arguments.tenant, arguments.by, arguments.user};
    if (subject.by.empty()) subject.by = parse_id(arguments.user) ? "id" : "userName";
    return gate.find(snapshot, subject);
}

}  // namespace

int gate_explain(const Globals &globals, const ExplainArguments &arguments) {
    std::vector<service::Condition> conditions;
    for (const std::string &text : arguments.conditions) {
        auto parsed = service::parse_requirement({text});
        if (!parsed) return fail(globals, exit_usage, parsed.error().detail);
        conditions.push_back(parsed->conditions[0]);
    }
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    service::Snapshot snapshot(session);
    if (auto usable = snapshot.usable(); !usable) return fail(globals, usable.error());
    auto tenant = service::tenant_named(snapshot.txn, arguments.tenant);
    if (!tenant) return fail(globals, tenant.error());

    service::Gate gate;
    const service::GateUser user = find(gate, snapshot, arguments);
    Explanation out;
    append_line(out, about(user, arguments));
    if (user.found())
        append_line(out, "Where scim_session is, sessions that began before " +
                             time_text(user.not_before) + " are refused.");
    out.passes = user.reason == Reason::none;
    if (out.passes)
        for (const service::Condition &condition : conditions)
            Explainer(gate, snapshot, user, arguments).explain(condition, out);
    const int64_t paused = active_pause(snapshot.txn, tenant->number);
    out.passes |= paused != 0 && user.reason == Reason::none;
    if (paused != 0)
        append_line(out, "The gate of the tenant is paused until " + time_text(paused) +
                             ": conditions do not count.");
    store::RowWriter row;
    row.boolean("passes", out.passes);
    if (user.reason != Reason::none) row.text("reason", to_string(user.reason));
    if (user.found()) row.text("notBefore", time_text(user.not_before));
    row.rows("conditions", out.conditions);
    if (paused != 0) row.text("gatePausedUntil", time_text(paused));
    if (!print(globals, out.text, row)) return exit_store;
    return out.passes ? exit_ok : exit_refused;
}

}  // namespace scim::scimctl
