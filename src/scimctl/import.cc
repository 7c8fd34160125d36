// scimctl import: reads resources from a file, stdin or another server into a tenant.

#include "service/import.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "scim/request/error_body.h"
#include "scim/text/text.h"
#include "scimctl/commands.h"
#include "scimctl/import_input.h"
#include "scimctl/progress.h"
#include "scimctl/remote_input.h"
#include "service/admin.h"

namespace scim::scimctl {

namespace {

constexpr size_t shown_errors = 20;

// Writes refused records to the file of --errors, or the first of them to stderr.
class Listener : public service::ImportListener {
  public:
    Listener(const Globals &globals, FILE *errors, const ImportInput &input, Progress &progress)
        : globals_(globals), errors_(errors), input_(input), progress_(progress) {}

    void begun(uint64_t lines) override {
        if (lines > 0)
            note(globals_, std::string("continues the interrupted import after ") + input_.unit() +
                               ' ' + with_commas(lines));
        // A file of a finished import is replaced, that of an interrupted one is continued.
        else if (errors_ != nullptr && ftruncate(fileno(errors_), 0) != 0)
            is_writable_ = false;
    }
    bool refused(uint64_t line, const Error &error, std::string_view text) override {
        refused_++;
        if (errors_ != nullptr) return is_writable_ && write(line, error, text);
        if (refused_ > shown_errors) return true;
        progress_.say(std::string(input_.unit()) + ' ' + std::to_string(line) + ": " +
                      error.detail);
        if (refused_ == shown_errors)
            progress_.say("further lines are not shown; --errors FILE records all of them");
        return true;
    }
    void progress(const service::ImportCounts &counts) override {
        progress_.show(counts.records(), input_.part());
    }

  private:
    // The text of a record that is no JSON is written as a string.
    bool write(uint64_t line, const Error &error, std::string_view text) {
        store::RowWriter row;
        row.number("line", int64_t(line));
        row.member("error") += error_body(error, {});
        if (!text.empty() && is_json(text))
            row.member("record").append(text);
        else if (!text.empty() && is_utf8(text))
            row.text("record", text);
        const std::string out = row.done() + '\n';
        return std::fwrite(out.data(), 1, out.size(), errors_) == out.size() &&
               std::fflush(errors_) == 0;
    }
    static bool is_json(std::string_view text) {
        return bool(parse_json(text, JsonLimits{64, text.size(), SIZE_MAX}));
    }

    const Globals &globals_;
    FILE *errors_;
    const ImportInput &input_;
    Progress &progress_;
    uint64_t refused_ = 0;
    bool is_writable_ = true;
};

service::OnConflict on_conflict_of(const std::string &text) {
    if (text == "skip") return service::OnConflict::skip;
    return text == "update" ? service::OnConflict::update : service::OnConflict::fail;
}

void append_count(std::string &text, uint64_t count, const char *what) {
    if (count > 0) text += ", " + with_commas(count) + " " + what;
}

// Prints what was done. Returns the exit code.
int print_counts(const Globals &globals, const service::Importer &importer,
                 const ImportInput &input, bool dry_run) {
    const service::ImportCounts &counts = importer.counts();
    store::RowWriter row, ignored;
    for (auto [name, count] :
         {std::pair("created", counts.created), std::pair("updated", counts.updated),
          std::pair("unchanged", counts.unchanged), std::pair("skipped", counts.skipped),
          std::pair("refused", counts.refused), std::pair("tombstones", counts.deleted_values),
          std::pair("missingReferences", counts.missing)})
        row.number(name, int64_t(count));
    if (input.unsent() > 0) row.number("notSent", int64_t(input.unsent()));
    std::string text = with_commas(counts.created) + " created";
    append_count(text, counts.updated, "updated");
    append_count(text, counts.unchanged, "unchanged");
    append_count(text, counts.skipped, "skipped");
    append_count(text, counts.refused, "refused");
    append_count(text, counts.deleted_values, "names and ids of deleted users");
    append_count(text, counts.missing, "references left out");
    append_count(text, input.unsent(), "not sent by the server");
    text += dry_run ? "; nothing was written (--dry-run)." : ".";
    for (const auto &[name, count] : importer.ignored()) {
        ignored.number(name, int64_t(count));
        text += "\nIgnored, because it is not declared: " + name + " (" + with_commas(count) +
                " records)";
    }
    row.member("ignoredAttributes") += ignored.done();
    if (!print(globals, text, row)) return exit_store;
    return counts.refused + counts.missing + input.unsent() > 0 ? exit_refused : exit_ok;
}

Outcome read_all(ImportInput &input, service::Importer &importer) {
    for (std::string line;;) {
        auto more = input.next(line);
        if (!more) RETURN_IF_ERROR(importer.break_off());
        RETURN_IF_ERROR(more);
        if (!*more) return importer.finish();
        RETURN_IF_ERROR(importer.add(std::move(line)));
    }
}

Result<std::unique_ptr<ImportInput>> open_input(const ImportArguments &arguments,
                                                HttpClient::Say say) {
    std::unique_ptr<ImportInput> input;
    if (!arguments.remote.from.empty()) {
        auto remote = open_remote(arguments.remote, std::move(say));
        RETURN_IF_ERROR(remote);
        input = std::move(*remote);
        return input;
    }
    if (arguments.input.empty())
        return Error{Refusal::import_input, "import needs a FILE or --from URL"};
    File file(arguments.input == "-" ? stdin : std::fopen(arguments.input.c_str(), "re"));
    if (file == nullptr)
        return Error{Refusal::import_input,
                     "cannot open \"" + arguments.input + "\": " + std::strerror(errno)};
    input = std::make_unique<FileInput>(std::move(file));
    return input;
}

Result<store::TenantNumber> tenant_of(service::Store &store, const std::string &name) {
    service::Session session(store);
    service::Snapshot snapshot(session);
    RETURN_IF_ERROR(snapshot.usable());
    auto tenant = service::tenant_named(snapshot.txn, name);
    RETURN_IF_ERROR(tenant);
    return tenant->number;
}

}  // namespace

// The files are opened first: opening the store may change the user of the process.
int import_resources(const Globals &globals, const ImportArguments &arguments) {
    Progress progress(globals, "records");
    auto input = open_input(arguments, [&](const std::string &text) { progress.say(text); });
    if (!input) return fail(globals, exit_usage, input.error().detail);
    const File errors(arguments.errors.empty() ? nullptr
                                               : std::fopen(arguments.errors.c_str(), "ae"));
    if (!arguments.errors.empty() && errors == nullptr)
        return fail(globals, exit_usage,
                    "cannot open \"" + arguments.errors + "\": " + std::strerror(errno));
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    auto tenant = tenant_of(*store, arguments.tenant);
    if (!tenant) return fail(globals, tenant.error());
    Listener listener(globals, errors.get(), **input, progress);
    service::Importer importer(
        *store, *tenant,
        {on_conflict_of(arguments.on_conflict), arguments.keep_ids, arguments.dry_run}, listener);
    const auto done = read_all(**input, importer);
    progress.clear();
    const int code = print_counts(globals, importer, **input, arguments.dry_run);
    if (done) return code;
    return fail(globals, done.error());
}

}  // namespace scim::scimctl
