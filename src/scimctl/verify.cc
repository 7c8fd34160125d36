// scimctl verify: the store checked against itself.

#include "store/verify.h"
#include "scimctl/commands.h"

namespace scim::scimctl {

namespace {

struct Count {
    const char *name;   // in JSON
    const char *words;  // in a sentence
    uint64_t value;
};

std::vector<Count> counts_of(const store::VerifyReport &report) {
    return {{"tenants", "tenants", report.tenants},
            {"removing", "tenants being removed", report.removing},
            {"tokens", "tokens", report.tokens},
            {"resources", "resources", report.resources},
            {"indexRows", "index rows", report.index_rows},
            {"memberships", "memberships", report.memberships},
            {"changes", "changes", report.changes},
            {"refusals", "refusals", report.refusals},
            {"unsweptRows", "rows still to be removed", report.unswept_rows}};
}

store::RowWriter as_json(const store::VerifyReport &report) {
    store::RowWriter json, counts;
    json.number("problemCount", int64_t(report.problem_count));
    std::string &rows = json.member("problems");
    rows += '[';
    for (const store::Problem &problem : report.problems) {
        store::RowWriter row;
        row.text("database", database_name(problem.db))
            .text("key", problem.key)
            .text("problem", problem.text);
        if (rows.back() != '[') rows += ',';
        rows += row.done();
    }
    rows += ']';
    for (const Count &count : counts_of(report)) counts.number(count.name, int64_t(count.value));
    json.member("counts") += counts.done();
    return json;
}

std::string as_text(const store::VerifyReport &report) {
    std::string text;
    for (const store::Problem &problem : report.problems)
        text += std::string(database_name(problem.db)) + ": " + problem.key + ": " + problem.text +
                '\n';
    std::string checked;
    for (const Count &count : counts_of(report))
        if (count.value != 0)
            checked +=
                (checked.empty() ? "" : ", ") + std::to_string(count.value) + " " + count.words;
    text += "Checked " + (checked.empty() ? "an empty store" : checked) + ".\n";
    if (report.problem_count == 0) return text + "No problem found.";
    text += std::to_string(report.problem_count) +
            (report.problem_count == 1 ? " problem" : " problems") + " found";
    if (report.problem_count > report.problems.size())
        text += ", " + std::to_string(report.problems.size()) + " of them shown";
    return text + ".";
}

}  // namespace

int verify(const Globals &globals) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    store::Reader reader(store->env());
    store::ReadTxn txn(reader);
    if (!txn.good())
        return fail(globals, exit_store,
                    "the store cannot be read: " + std::string(to_string(txn.error())));
    store::VerifyReport report = store::verify(txn);
    if (!print(globals, as_text(report), as_json(report))) return exit_store;
    return report.problem_count == 0 ? exit_ok : exit_refused;
}

}  // namespace scim::scimctl
