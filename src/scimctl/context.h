#pragma once
// Functions that all commands of scimctl share: opening the store as its owner, printing results
// and errors, committing, and parsing times.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "scim/text/datetime.h"
#include "scim/text/result.h"
#include "service/store.h"
#include "store/row.h"
#include "store/tenants.h"

namespace scim::scimctl {

enum ExitCode : int {
    exit_ok = 0,
    exit_refused = 1,  // refused, not found, or verify found a problem
    exit_usage = 2,
    exit_store = 3,  // the store cannot be opened, read or written
};

struct Globals {
    std::string store = "/var/lib/nginx/scim";  // directory
    bool json = false;
};

// Prints an error as one line on stderr, {"error":…} with --json. Returns `code`.
int fail(const Globals &globals, ExitCode code, std::string_view text);
// The same, with the errorId in JSON; the exit code is exit_store for status 503 and exit_refused otherwise.
int fail(const Globals &globals, const Error &error);
int fail(const Globals &globals, ExitCode code, const Error &error);

// Prints a note as one line on stderr; nothing with --json.
void note(const Globals &globals, std::string_view text);

// Prints a result on stdout: `text`, or with --json the row. False if it could not be written; the
// error is then printed.
bool print(const Globals &globals, std::string_view text, const store::RowWriter &row);
bool print(const Globals &globals, std::string_view text);

// The output of a command that lists things: for each a line of text, or with --json an object in
// an array.
class List {
  public:
    void add(std::string_view line, const store::RowWriter &row);
    // Prints the lines, or `none` if there are none; with --json, `json` with the array as its member
    // `key`. Returns the exit code.
    int print(const Globals &globals, store::RowWriter json, std::string_view key,
              std::string_view none) const;

  private:
    std::string text_;
    std::vector<store::RowWriter> rows_;
};

enum class Access : uint8_t {
    read,
    write,   // refused if the store's format is newer than this build
    create,  // like write, but creates a store in an empty directory
};

// Opens the store. As root, this process first takes the uid and gid of the store's owner and keeps
// them. On failure prints the error and returns nullptr.
std::unique_ptr<service::Store> open_store(const Globals &globals, Access access);

// Prints on stderr which process holds the write lock if the wait for it lasts longer than one
// second. Runs a thread until end() or the destructor.
class WaitNotice {
  public:
    WaitNotice(const Globals &globals, const store::Env &env);
    ~WaitNotice();
    WaitNotice(const WaitNotice &) = delete;
    WaitNotice &operator=(const WaitNotice &) = delete;
    void end();

  private:
    std::mutex mutex_;
    std::condition_variable ended_;
    bool has_ended_ = false;
    std::thread thread_;
};

// A write transaction; a WaitNotice is active while the constructor waits for the write lock.
class WriteTxn : WaitNotice, public store::WriteTxn {
  public:
    WriteTxn(const Globals &globals, service::Store &store)
        : WaitNotice(globals, store.env()), store::WriteTxn(store.env()) {
        end();
    }
};

// Commits. Returns exit_ok; on failure prints the error and returns exit_store.
int commit(const Globals &globals, store::WriteTxn &txn);

int64_t now();  // milliseconds since 1970

// Parses a dateTime ("2026-11-21T10:00:00Z"), a date ("2026-11-21", which means 00:00 UTC) or a
// duration from now ("90d") into milliseconds since 1970. Nothing if it is none of these.
std::optional<int64_t> parse_time(std::string_view text, int64_t now);
// The same, but a duration is counted backwards from now ("90m").
std::optional<int64_t> parse_past(std::string_view text, int64_t now);
// Parses a number with a unit, "10s", "30m", "24h", "90d", "2w" or "1y" (365 days), into
// milliseconds.
std::optional<int64_t> parse_duration(std::string_view text);

}  // namespace scim::scimctl
