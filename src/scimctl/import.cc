// scimctl import: reads resources from a file or from stdin into a tenant.

#include "service/import.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "scim/request/error_body.h"
#include "scim/text/text.h"
#include "scimctl/commands.h"
#include "scimctl/progress.h"
#include "service/admin.h"

namespace scim::scimctl {

namespace {

struct CloseFile {
    void operator()(FILE *file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

constexpr size_t shown_errors = 20;

// The lines of a file, or of stdin.
class Input {
  public:
    explicit Input(FILE *file) : file_(file) {
        struct stat st;
        if (fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode)) size_ = double(st.st_size);
    }
    ~Input() { std::free(line_); }
    Input(const Input &) = delete;
    Input &operator=(const Input &) = delete;

    // False at the end, and if the input cannot be read: then `error()` is not empty.
    bool next(std::string &line) {
        const ssize_t length = getline(&line_, &allocated_, file_);
        if (length < 0) {
            if (std::ferror(file_) != 0)
                error_ = std::string("cannot read the input: ") + std::strerror(errno);
            return false;
        }
        number_++;
        read_ += double(length);
        if (size_t(length) > service::line_most) {
            error_ = "line " + std::to_string(number_) + " is longer than 512 MiB";
            return false;
        }
        line.assign(line_, size_t(length));
        if (!line.empty() && line.back() == '\n') line.pop_back();
        return true;
    }
    const std::string &error() const { return error_; }
    // The part that has been read, 0 to 1; -1 if the size is unknown.
    double part() const { return size_ > 0 ? read_ / size_ : -1; }

  private:
    FILE *file_;
    char *line_ = nullptr;
    size_t allocated_ = 0;
    uint64_t number_ = 0;
    double size_ = -1, read_ = 0;
    std::string error_;
};

// Writes refused records to the file of --errors, or the first of them to stderr.
class Listener : public service::ImportListener {
  public:
    Listener(const Globals &globals, FILE *errors, const Input &input)
        : globals_(globals), errors_(errors), input_(input), progress_(globals, "records") {}

    void begun(uint64_t lines) override {
        if (lines > 0)
            note(globals_, "continues the interrupted import after line " + with_commas(lines));
        // A file of a finished import is replaced, that of an interrupted one is continued.
        else if (errors_ != nullptr && ftruncate(fileno(errors_), 0) != 0)
            is_writable_ = false;
    }
    bool refused(uint64_t line, const Error &error, std::string_view text) override {
        refused_++;
        if (errors_ != nullptr) return is_writable_ && write(line, error, text);
        if (refused_ > shown_errors) return true;
        progress_.clear();
        note(globals_, "line " + std::to_string(line) + ": " + error.detail);
        if (refused_ == shown_errors)
            note(globals_, "further lines are not shown; --errors FILE records all of them");
        return true;
    }
    void progress(const service::ImportCounts &counts) override {
        progress_.show(counts.records(), input_.part());
    }
    void clear() { progress_.clear(); }

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
    const Input &input_;
    Progress progress_;
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
int print_counts(const Globals &globals, const service::Importer &importer, bool dry_run) {
    const service::ImportCounts &counts = importer.counts();
    store::RowWriter row, ignored;
    for (auto [name, count] :
         {std::pair("created", counts.created), std::pair("updated", counts.updated),
          std::pair("unchanged", counts.unchanged), std::pair("skipped", counts.skipped),
          std::pair("refused", counts.refused), std::pair("deletedUsers", counts.deleted_values),
          std::pair("missingReferences", counts.missing)})
        row.number(name, int64_t(count));
    std::string text = with_commas(counts.created) + " created";
    append_count(text, counts.updated, "updated");
    append_count(text, counts.unchanged, "unchanged");
    append_count(text, counts.skipped, "skipped");
    append_count(text, counts.refused, "refused");
    append_count(text, counts.deleted_values, "names and ids of deleted users");
    append_count(text, counts.missing, "references left out");
    text += dry_run ? "; nothing was written (--dry-run)." : ".";
    for (const auto &[name, count] : importer.ignored()) {
        ignored.number(name, int64_t(count));
        text += "\nIgnored, because it is not declared: " + name + " (" + with_commas(count) +
                " records)";
    }
    row.member("ignoredAttributes") += ignored.done();
    if (!print(globals, text, row)) return exit_store;
    return counts.refused + counts.missing > 0 ? exit_refused : exit_ok;
}

Outcome read_all(Input &input, service::Importer &importer) {
    for (std::string line; input.next(line);) RETURN_IF_ERROR(importer.add(std::move(line)));
    if (!input.error().empty()) return Error{Refusal::import_input, input.error()};
    return importer.finish();
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
    const bool is_stdin = arguments.input == "-";
    const File file(is_stdin ? nullptr : std::fopen(arguments.input.c_str(), "re"));
    if (!is_stdin && file == nullptr)
        return fail(globals, exit_usage,
                    "cannot open \"" + arguments.input + "\": " + std::strerror(errno));
    const File errors(arguments.errors.empty() ? nullptr
                                               : std::fopen(arguments.errors.c_str(), "ae"));
    if (!arguments.errors.empty() && errors == nullptr)
        return fail(globals, exit_usage,
                    "cannot open \"" + arguments.errors + "\": " + std::strerror(errno));
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    auto tenant = tenant_of(*store, arguments.tenant);
    if (!tenant) return fail(globals, tenant.error());
    Input input(is_stdin ? stdin : file.get());
    Listener listener(globals, errors.get(), input);
    service::Importer importer(
        *store, *tenant,
        {on_conflict_of(arguments.on_conflict), arguments.keep_ids, arguments.dry_run}, listener);
    const auto done = read_all(input, importer);
    listener.clear();
    const int code = print_counts(globals, importer, arguments.dry_run);
    if (done) return code;
    return fail(globals, done.error());
}

}  // namespace scim::scimctl
