#pragma once
// What every command of scimctl shares: the store as its owner sees it, how results and failures
// are said, and the clock.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "scim/datetime.h"
#include "scim/result.h"
#include "service/store.h"
#include "store/row.h"
#include "store/tenants.h"

namespace scim::scimctl {

enum ExitCode : int {
    exit_ok = 0,
    exit_refused = 1,  // refused, not found, problems found
    exit_usage = 2,
    exit_store = 3,  // the store cannot be opened, read or written
};

struct Globals {
    std::string store = "/var/lib/nginx/scim";  // directory
    bool json = false;
};

// One line on stderr, {"error":…} with --json. Returns `code`.
int fail(const Globals &globals, ExitCode code, std::string_view text);
// The exit code follows from the status: 503 is the store's fault.
int fail(const Globals &globals, const Error &error);

// What is not the result, but worth knowing: one line on stderr, none with --json.
void note(const Globals &globals, std::string_view text);

// A result on stdout: `text`, or with --json the row. False if it could not be written, which is
// said on stderr.
bool print(const Globals &globals, std::string_view text, const store::RowWriter &row);
bool print(const Globals &globals, std::string_view text);

enum class Access : uint8_t {
    read,
    write,   // refused if the store's format is newer than this build
    create,  // as write, and an empty directory becomes a store
};

// The store, opened with the uid of its directory's owner, which this process keeps. Nothing if
// that cannot be; it has been said then.
std::unique_ptr<service::Store> open_store(const Globals &globals, Access access);

// Says on stderr after a second, from a thread of its own, which process holds the write lock.
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

// A write transaction: while the constructor waits for the lock, a WaitNotice says so.
class WriteTxn : WaitNotice, public store::WriteTxn {
  public:
    WriteTxn(const Globals &globals, service::Store &store)
        : WaitNotice(globals, store.env()), store::WriteTxn(store.env()) {
        end();
    }
};

// Commits; exit_ok or what fail() returned.
int commit(const Globals &globals, store::WriteTxn &txn);

int64_t now();  // milliseconds since 1970

// A dateTime ("2026-11-21T10:00:00Z"), a date ("2026-11-21": its first moment, UTC) or a time from
// now ("90d"): milliseconds since 1970. Nothing if it is none of them.
std::optional<int64_t> parse_time(std::string_view text, int64_t now);
// The same, but a duration counts backwards from now ("90m").
std::optional<int64_t> parse_past(std::string_view text, int64_t now);
// "90d", "24h", "30m", "10s", "2w", "1y" (365 days): milliseconds.
std::optional<int64_t> parse_duration(std::string_view text);

}  // namespace scim::scimctl
