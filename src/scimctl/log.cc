// scimctl log: shows the changes and refusals of a tenant in order of time.
//
// Nothing is printed while a snapshot is open: a slow reader of the output must not prevent the
// reuse of free pages.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "scimctl/commands.h"
#include "scimctl/log_view.h"
#include "scimctl/reading.h"

namespace scim::scimctl {

namespace {

constexpr int poll_interval = 500;       // milliseconds
constexpr size_t changes_a_look = 1000;  // read in one snapshot with --follow

volatile std::sig_atomic_t interrupted = 0;

void interrupt(int) { interrupted = 1; }

// Without SA_RESTART, a signal also interrupts a write that blocks because the output is not read.
void catch_signals() {
    struct sigaction action = {};
    action.sa_handler = interrupt;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, nullptr);
}

// Waits for poll_interval. False if the command must end: a signal was received, or the reader of
// the output has closed it.
bool wait_for_more() {
    pollfd out{STDOUT_FILENO, 0, 0};
    if (!interrupted) poll(&out, 1, poll_interval);
    return !interrupted && (out.revents & (POLLERR | POLLHUP | POLLNVAL)) == 0;
}

using RefusalKey = std::pair<int64_t, uint32_t>;
RefusalKey key_of(const store::Refusal &refusal) { return {refusal.time, refusal.sequence}; }

struct Found {
    std::vector<std::string> lines;
    bool more = false;  // there are more entries
    // Set if changes before the first line have been trimmed.
    std::optional<store::LogStart> begin;
};

class LogReader {
  public:
    LogReader(const Globals &globals, const LogArguments &arguments, service::Store &store,
              int64_t since)
        : globals_(globals), arguments_(arguments), store_(store), session_(store), since_(since) {}

    // The last entries of the log. `more`: there are older ones.
    Result<Found> last();
    // The entries since the previous call. `more`: call again at once.
    Result<Found> next();

  private:
    struct Entry {
        int64_t time;
        const store::LoggedChange *change;
        const store::Refusal *refusal;
    };
    Outcome check(service::Snapshot &snapshot) const;
    // Where the log begins, if changes that should be shown have been trimmed. `all`: every entry
    // of the log is shown.
    std::optional<store::LogStart> trimmed(store::Directory &directory, bool all) const;
    // The refusals since the previous call. A refusal is stored after its response, with the next
    // change that its worker commits, so its time may be earlier than that of an entry shown
    // already.
    std::vector<store::Refusal> new_refusals(service::Snapshot &snapshot);
    static std::vector<Entry> in_order(const std::vector<store::LoggedChange> &changes,
                                       const std::vector<store::Refusal> &refusals);
    Result<Found> shown(service::Snapshot &snapshot, const std::vector<Entry> &entries) const;

    const Globals &globals_;
    const LogArguments &arguments_;
    service::Store &store_;
    service::Session session_;
    int64_t since_;
    store::TenantNumber tenant_ = 0;
    uint64_t txn_ = 0;              // id of the last snapshot that was read to its end
    store::LogPlace place_;         // of the last change that was read
    std::vector<RefusalKey> seen_;  // sorted
};

Outcome LogReader::check(service::Snapshot &snapshot) const {
    if (auto usable = snapshot.usable(); !usable) return usable;
    if (auto why = store_.env().displaced(); !why.empty())
        return Error{Refusal::store_unreadable, "store \"" + store_.env().directory() +
                                                    "\" is not the one that was opened: " + why};
    auto tenant = store::find_tenant(snapshot.txn, tenant_);
    if (tenant && tenant->state == store::TenantState::active) return Done{};
    return Error{Refusal::tenant_unknown,
                 "the tenant " + quoted(arguments_.tenant) + " was removed"};
}

std::vector<store::Refusal> LogReader::new_refusals(service::Snapshot &snapshot) {
    auto refusals = store::list_refusals(snapshot.txn, tenant_, store::refusals_per_tenant);
    std::vector<RefusalKey> keys;
    keys.reserve(refusals.size());
    for (const store::Refusal &refusal : refusals) keys.push_back(key_of(refusal));
    auto known = [&](const store::Refusal &refusal) {
        return std::binary_search(seen_.begin(), seen_.end(), key_of(refusal));
    };
    refusals.erase(std::remove_if(refusals.begin(), refusals.end(), known), refusals.end());
    std::sort(keys.begin(), keys.end());
    seen_ = std::move(keys);
    return refusals;
}

std::vector<LogReader::Entry> LogReader::in_order(const std::vector<store::LoggedChange> &changes,
                                                  const std::vector<store::Refusal> &refusals) {
    std::vector<Entry> entries;
    entries.reserve(changes.size() + refusals.size());
    for (const auto &change : changes) entries.push_back({change.change.time, &change, nullptr});
    for (auto refusal = refusals.rbegin(); refusal != refusals.rend(); ++refusal)
        entries.push_back({refusal->time, nullptr, &*refusal});
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry &a, const Entry &b) { return a.time < b.time; });
    return entries;
}

Result<Found> LogReader::shown(service::Snapshot &snapshot,
                               const std::vector<Entry> &entries) const {
    Found found;
    LogView view(snapshot, tenant_, globals_.json);
    for (const Entry &entry : entries)
        found.lines.push_back(entry.change != nullptr ? view.show(*entry.change)
                                                      : view.show(*entry.refusal));
    if (snapshot.txn.good()) return found;
    return Error{Refusal::store_unreadable,
                 "the log cannot be read: " + std::string(to_string(snapshot.txn.error()))};
}

std::optional<store::LogStart> LogReader::trimmed(store::Directory &directory, bool all) const {
    if (arguments_.failed) return std::nullopt;
    store::LogStart start = store::log_start(directory);
    // No trimmed change is later than this.
    int64_t gone = start.time.value_or(directory.position().time);
    bool wanted = arguments_.since.empty() ? all : since_ <= gone;
    return start.trimmed() && wanted ? std::optional(start) : std::nullopt;
}

Result<Found> LogReader::last() {
    service::Snapshot snapshot(session_);
    auto actor = reader_of(snapshot, arguments_.tenant);
    RETURN_IF_ERROR(actor);
    tenant_ = (*actor)->tenant;
    store::Directory directory(snapshot.txn, tenant_);
    // All parts of this position are read.
    place_ = {directory.position().position, UINT16_MAX};
    txn_ = snapshot.txn.id();
    // One more than is shown, to know whether there are more.
    size_t limit = arguments_.limit + 1;
    std::vector<store::LoggedChange> changes;
    if (!arguments_.failed) changes = store::last_changes(directory, limit, since_);
    std::reverse(changes.begin(), changes.end());
    auto refusals = new_refusals(snapshot);
    auto old = [&](const store::Refusal &refusal) { return refusal.time < since_; };
    refusals.erase(std::remove_if(refusals.begin(), refusals.end(), old), refusals.end());
    auto entries = in_order(changes, refusals);
    bool more = entries.size() > arguments_.limit;
    if (more) entries.erase(entries.begin(), entries.end() - ptrdiff_t(arguments_.limit));
    auto begin = trimmed(directory, !more);
    auto found = shown(snapshot, entries);
    if (found) found->more = more;
    if (found) found->begin = begin;
    return found;
}

Result<Found> LogReader::next() {
    service::Snapshot snapshot(session_);
    RETURN_IF_ERROR(check(snapshot));
    if (snapshot.txn.id() == txn_) return Found{};
    store::Directory directory(snapshot.txn, tenant_);
    // Changes may have been trimmed before they were read.
    store::LogStart start = store::log_start(directory);
    bool missed = !arguments_.failed && start.position > place_.position + 1;
    if (missed) place_ = {start.position - 1, UINT16_MAX};
    std::vector<store::LoggedChange> changes;
    if (!arguments_.failed) changes = store::changes_after(directory, place_, changes_a_look);
    if (!changes.empty()) place_ = changes.back().place;
    bool more = changes.size() == changes_a_look;
    if (!more) txn_ = snapshot.txn.id();
    auto found = shown(snapshot, in_order(changes, new_refusals(snapshot)));
    if (found) found->more = more;
    if (found && missed) found->begin = start;
    return found;
}

bool write_lines(const std::vector<std::string> &lines) {
    for (const std::string &line : lines)
        if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() ||
            std::fputc('\n', stdout) == EOF)
            return false;
    return std::fflush(stdout) == 0;
}

// With --json, trimmed changes are reported as an object in the log, too.
bool write_found(const Globals &globals, const Found &found) {
    if (found.begin) {
        store::RowWriter json;
        json.text("kind", "begin").number("position", int64_t(found.begin->position));
        if (found.begin->time) json.text("time", time_text(*found.begin->time));
        if (globals.json && !write_lines({json.done()})) return false;
        note(globals, (found.begin->time ? "the log begins at " + time_text(*found.begin->time)
                                         : std::string("the log is empty")) +
                          "; earlier changes have been trimmed (scim_log_retention)");
    }
    return write_lines(found.lines);
}

int write_failed(const Globals &globals, bool follow) {
    if (follow && (interrupted || errno == EPIPE)) return exit_ok;
    return fail(globals, exit_store,
                std::string("cannot write the result: ") + std::strerror(errno));
}

}  // namespace

int log(const Globals &globals, const LogArguments &arguments) {
    int64_t since = INT64_MIN;
    if (!arguments.since.empty()) {
        auto parsed = parse_past(arguments.since, now());
        if (!parsed)
            return fail(globals, exit_usage,
                        "--since: " + quoted(arguments.since) +
                            " is not a time, expected 90m, 2d, 2026-11-21 or "
                            "2026-11-21T10:00:00Z");
        since = *parsed;
    }
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    if (arguments.follow) catch_signals();
    LogReader reader(globals, arguments, *store, since);
    auto found = reader.last();
    if (!found) return fail(globals, found.error());
    if (!write_found(globals, *found)) return write_failed(globals, arguments.follow);
    if (found->more && !arguments.since.empty())
        note(globals,
             "only the last " + std::to_string(arguments.limit) + " are shown; --limit shows more");
    found->more = false;
    while (arguments.follow && (found->more || wait_for_more())) {
        found = reader.next();
        if (!found) return fail(globals, found.error());
        if (!write_found(globals, *found)) return write_failed(globals, true);
    }
    return exit_ok;
}

}  // namespace scim::scimctl
