// scimctl explain-error: the catalogue of refusals.

#include "scim/text/nearest.h"
#include "scimctl/commands.h"
#include "scimctl/table.h"

namespace scim::scimctl {

namespace {

std::string_view to_string(RefusedBy by) {
    switch (by) {
        case RefusedBy::server: return "server";
        case RefusedBy::scimctl: return "scimctl";
        case RefusedBy::configuration: return "configuration";
    }
    return {};
}

// Wrong use of an option is refused before a store is opened.
ExitCode exit_code_of(const RefusalRow &refusal) {
    if (refusal.refusal == Refusal::token_digest) return exit_usage;
    return refusal.status == 503 ? exit_store : exit_refused;
}

// What is seen of the refusal: "400 invalidFilter" or "scimctl exits with 1".
std::string effect_of(const RefusalRow &refusal) {
    switch (section_of(refusal.refusal).by) {
        case RefusedBy::server: break;
        case RefusedBy::scimctl:
            return "scimctl exits with " + std::to_string(exit_code_of(refusal));
        case RefusedBy::configuration: return "nginx does not start, or does not serve the store";
    }
    std::string text = std::to_string(refusal.status);
    if (refusal.type != ScimType::none) text.append(" ").append(to_string(refusal.type));
    return text;
}

std::string place_of(const RefusalRow &refusal) {
    return "docs/errors.md#" + std::string(refusal.id);
}

store::RowWriter row_for(const RefusalRow &refusal) {
    store::RowWriter row;
    const RefusedBy by = section_of(refusal.refusal).by;
    row.text("id", refusal.id).text("refusedBy", to_string(by));
    if (by == RefusedBy::server) row.number("status", refusal.status);
    if (by == RefusedBy::server && refusal.type != ScimType::none)
        row.text("scimType", to_string(refusal.type));
    row.text("sentence", refusal.sentence)
        .text("cause", refusal.cause)
        .text("remedy", refusal.remedy);
    if (!refusal.rfc.empty()) row.text("rfc", refusal.rfc);
    row.text("documentation", place_of(refusal));
    return row;
}

int print_one(const Globals &globals, const RefusalRow &refusal) {
    std::string text(refusal.id);
    text.append(": ").append(refusal.sentence);
    text += "\nAnswer: " + effect_of(refusal);
    text.append("\nCause: ").append(refusal.cause).append("\nRemedy: ").append(refusal.remedy);
    if (!refusal.rfc.empty()) text.append("\nRule: ").append(refusal.rfc);
    text += "\nSee: " + place_of(refusal);
    return print(globals, text, row_for(refusal)) ? exit_ok : exit_store;
}

int print_all(const Globals &globals) {
    Table table({"id", "answer", "meaning"});
    for (const RefusalRow &refusal : refusals())
        table.add({std::string(refusal.id), effect_of(refusal), std::string(refusal.sentence)},
                  row_for(refusal));
    return table.print(globals, store::RowWriter(), "errors", "");
}

// The ids that look like the text, or that contain it.
std::string similar_ids(std::string_view text) {
    constexpr size_t shown_most = 10;
    std::vector<std::string_view> ids;
    for (const RefusalRow &refusal : refusals()) ids.push_back(refusal.id);
    if (std::string meant = did_you_mean(text, ids); !meant.empty()) return meant;
    std::string similar;
    size_t shown = 0;
    for (std::string_view id : ids)
        if (!text.empty() && id.find(text) != id.npos && shown++ < shown_most)
            similar.append(similar.empty() ? "; similar ids: " : ", ").append(id);
    return similar.empty() ? "; scimctl explain-error lists all ids" : similar;
}

// Appends lines of at most 100 columns. All but the first begin with `indent`.
void append_wrapped(std::string &out, std::string_view text, std::string_view indent) {
    constexpr size_t columns = 100;
    size_t start = out.rfind('\n') + 1;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (out.size() > start && out.back() != ' ') {
            const bool fits = out.size() - start + 1 + word.size() <= columns;
            out += fits ? " " : "\n";
            if (!fits) start = out.size(), out += indent;
        }
        out += word;
    }
    out += '\n';
}

void append_markdown(std::string &out, const RefusalRow &refusal) {
    out.append("\n### `").append(refusal.id).append("`\n\n");
    append_wrapped(out, effect_of(refusal) + ": " + std::string(refusal.sentence), "");
    out += "\n* Cause: ";
    append_wrapped(out, refusal.cause, "  ");
    out += "* Remedy: ";
    append_wrapped(out, refusal.remedy, "  ");
    if (!refusal.rfc.empty()) out.append("* Rule: ").append(refusal.rfc).append("\n");
}

std::string markdown() {
    std::string out =
        "# Refusals\n\n"
        "<!-- Made by `make errors-page` from src/scim/text/refusals.cc. -->\n\n"
        "Each refused request has an id. You find it as `errorId` in the body of the answer (not "
        "with\n`scim_profile rfc`), in square brackets in the error log and in `scimctl log`, and "
        "in "
        "the variable\n`$scim_error_id` for access logs. Refusals of `scimctl` have one, too, "
        "which "
        "`scimctl --json`\nprints. Ids are never renamed. `scimctl explain-error ID` prints what "
        "this "
        "page says.\n\n"
        "The `detail` of an answer says what was wrong in this request, and where. This page says "
        "what\nusually causes such an answer, and what to do.\n";
    std::string_view title;
    for (const RefusalRow &refusal : refusals()) {
        const RefusalSection &section = section_of(refusal.refusal);
        if (section.title != title) out.append("\n## ").append(title = section.title).append("\n");
        append_markdown(out, refusal);
    }
    out.pop_back();
    return out;
}

}  // namespace

int explain_error(const Globals &globals, const std::string &id, bool as_markdown) {
    if (as_markdown) return print(globals, markdown()) ? exit_ok : exit_store;
    if (id.empty()) return print_all(globals);
    if (const RefusalRow *refusal = find_refusal(id)) return print_one(globals, *refusal);
    return fail(globals, exit_refused, "there is no error " + quoted(id) + similar_ids(id));
}

}  // namespace scim::scimctl
