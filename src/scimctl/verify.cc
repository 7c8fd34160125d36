// scimctl verify: checks the store in a child process, because a damaged page may crash the check.

#include "store/verify.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "scimctl/commands.h"
#include "store/verify_pages.h"

namespace scim::scimctl {

namespace {

struct Result {
    store::PageReport pages;
    store::VerifyReport rows;
    uint64_t problem_count() const { return pages.problem_count + rows.problem_count; }
};

struct Count {
    const char *name;   // in JSON
    const char *words;  // in text
    uint64_t value;
};

std::vector<Count> counts_of(const Result &result) {
    const store::VerifyReport &report = result.rows;
    return {{"tenants", "tenants", report.tenants},
            {"removing", "tenants being removed", report.removing},
            {"tokens", "tokens", report.tokens},
            {"resources", "resources", report.resources},
            {"indexRows", "index rows", report.index_rows},
            {"memberships", "memberships", report.memberships},
            {"changes", "changes", report.changes},
            {"refusals", "refusals", report.refusals},
            {"accessRows", "rows of blocked users", report.access_rows},
            {"names", "names of deleted resources", report.names},
            {"unsweptRows", "rows still to be removed", report.unswept_rows},
            {"uncompared", "counters not compared, because they changed during the check",
             report.uncompared},
            {"pages", "pages", result.pages.pages},
            {"freePages", "free pages", result.pages.free_pages}};
}

store::RowWriter problem_row(std::string_view database, std::string_view key,
                             std::string_view text) {
    return store::RowWriter().text("database", database).text("key", key).text("problem", text);
}

store::RowWriter as_json(const Result &result) {
    store::RowWriter json, counts;
    json.number("problemCount", int64_t(result.problem_count()));
    std::vector<store::RowWriter> rows;
    for (const std::string &text : result.pages.problems) rows.push_back(problem_row("", "", text));
    for (const store::Problem &problem : result.rows.problems)
        rows.push_back(problem_row(database_name(problem.db), problem.key, problem.text));
    json.rows("problems", rows);
    for (const Count &count : counts_of(result)) counts.number(count.name, int64_t(count.value));
    json.member("counts") += counts.done();
    return json;
}

std::string as_text(const Result &result) {
    std::string text;
    for (const std::string &problem : result.pages.problems) text += problem + '\n';
    for (const store::Problem &problem : result.rows.problems)
        text += std::string(database_name(problem.db)) + ": " + problem.key + ": " + problem.text +
                '\n';
    std::string checked;
    for (const Count &count : counts_of(result))
        if (count.value != 0)
            checked +=
                (checked.empty() ? "" : ", ") + std::to_string(count.value) + " " + count.words;
    text += "Checked " + (checked.empty() ? "an empty store" : checked) + ".\n";
    if (result.pages.unknown_format)
        text += "The pages were not checked, because their data format is unknown.\n";
    const uint64_t count = result.problem_count();
    const size_t shown = result.pages.problems.size() + result.rows.problems.size();
    if (count == 0) return text + "No problem found.";
    text += std::to_string(count) + (count == 1 ? " problem" : " problems") + " found";
    if (count > shown) text += ", " + std::to_string(shown) + " of them shown";
    if (result.pages.unreadable)
        text += ". Rows were not checked, because a page of a tree is damaged; restore a backup";
    else if (result.pages.problem_count != 0)
        text +=
            ". The list of free pages is damaged: a write may overwrite pages that are in use; "
            "stop nginx and restore a backup";
    return text + ".";
}

Result check(store::Env &env, bool one_snapshot) {
    Result result;
    result.pages = store::verify_pages(env);
    if (result.pages.unreadable) return result;
    store::Reader reader(env);
    if (one_snapshot) {
        store::ReadTxn txn(reader);
        result.rows = store::verify(txn);
    } else {
        store::ShortSnapshots snapshots(reader);
        result.rows = store::verify(snapshots);
    }
    return result;
}

int verify_here(const Globals &globals, bool one_snapshot) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    Result result = check(store->env(), one_snapshot);
    if (!print(globals, as_text(result), as_json(result))) return exit_store;
    return result.problem_count() == 0 ? exit_ok : exit_refused;
}

// NOLINTNEXTLINE(bugprone-exception-escape): an exception in the child must end it
[[noreturn]] void run_child(const Globals &globals, bool one_snapshot) {
    int code = exit_store;
    try {
        code = verify_here(globals, one_snapshot);
    } catch (const std::exception &e) {
        fail(globals, exit_store, e.what());
    }
    std::fflush(nullptr);
    _exit(code);
}

}  // namespace

int verify(const Globals &globals, bool one_snapshot) {
    pid_t child = fork();
    if (child == 0) run_child(globals, one_snapshot);
    int status = 0;
    pid_t ended = child;
    while (child > 0 && (ended = waitpid(child, &status, 0)) < 0 && errno == EINTR) continue;
    if (ended < 0)
        return fail(globals, exit_store,
                    std::string("cannot run the check: ") + std::strerror(errno));
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    const int signal = WTERMSIG(status);
    if (signal != SIGSEGV && signal != SIGBUS && signal != SIGABRT)
        return fail(globals, exit_store,
                    std::string("the check was ended by a signal: ") + strsignal(signal));
    return fail(globals, exit_refused,
                std::string("a page is damaged: the check was ended by a signal (") +
                    strsignal(signal) + "); restore a backup");
}

}  // namespace scim::scimctl
