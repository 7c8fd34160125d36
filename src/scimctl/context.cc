#include "scimctl/context.h"

#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "scim/schema/catalog.h"
#include "scim/text/datetime.h"
#include "store/store_files.h"

namespace scim::scimctl {

namespace {

constexpr size_t new_map_size = size_t(1) << 30;

std::string user_name(uid_t uid) {
    const passwd *user = getpwuid(uid);
    return user != nullptr ? user->pw_name : "#" + std::to_string(uid);
}

// The owner of the store: the uid and gid of data.mdb or, if there is none, of the directory. They
// may differ: the workers may have access to the directory through its group.
int find_owner(const Globals &globals, const struct stat &directory, struct stat &owner) {
    const std::string data = globals.store + "/data.mdb";
    bool exists = stat(data.c_str(), &owner) == 0;
    if (!exists) owner = directory;
    if (exists && owner.st_uid == 0 && directory.st_uid != 0)
        return fail(globals, exit_store,
                    "\"" + data + "\" belongs to root and its directory to " +
                        user_name(directory.st_uid) +
                        ": nginx's workers cannot open it; run: chown --reference \"" +
                        globals.store + "\" \"" + data + "\"");
    return exit_ok;
}

// Takes the uid and gid of the store's owner: nginx's workers could not open a file that another
// user has created.
int become_owner(const Globals &globals, const struct stat &directory) {
    struct stat owner;
    if (int code = find_owner(globals, directory, owner); code != exit_ok) return code;
    if (geteuid() == owner.st_uid && geteuid() != 0) return exit_ok;
    if (geteuid() != 0)
        return fail(globals, exit_store,
                    "store \"" + globals.store + "\" belongs to " + user_name(owner.st_uid) +
                        "; run: sudo -u " + user_name(owner.st_uid) + " scimctl …");
    if (owner.st_uid == 0) return exit_ok;
    if (setgroups(0, nullptr) != 0 || setgid(owner.st_gid) != 0 || setuid(owner.st_uid) != 0)
        return fail(globals, exit_store,
                    "cannot become " + user_name(owner.st_uid) + ", the owner of store \"" +
                        globals.store + "\": " + std::strerror(errno));
    return exit_ok;
}

// True if the directory contains no files other than those of a store.
bool is_empty(const std::string &directory) {
    std::unique_ptr<DIR, int (*)(DIR *)> dir(opendir(directory.c_str()), closedir);
    if (dir == nullptr) return false;
    while (const dirent *entry = readdir(dir.get())) {
        std::string_view name = entry->d_name;
        if (name != "." && name != ".." && name != "lock.mdb" && name != "data.mdb" &&
            name != "faults")
            return false;
    }
    return true;
}

// 0 makes LMDB use the map size in the store, which is nginx's size= and which scimctl must not
// change. A file shorter than its two meta pages is being created by another process.
size_t map_size(const std::string &data) {
    struct stat st;
    return stat(data.c_str(), &st) == 0 && st.st_size >= 8192 ? 0 : new_map_size;
}

int check_directory(const Globals &globals, Access access) {
    struct stat st;
    if (stat(globals.store.c_str(), &st) != 0) {
        if (errno == ENOENT)
            return fail(globals, exit_store,
                        "the directory \"" + globals.store +
                            "\" does not exist; nginx creates it when it starts (scim_store)");
        return fail(globals, exit_store,
                    "cannot open store \"" + globals.store + "\": " + std::strerror(errno));
    }
    if (!S_ISDIR(st.st_mode))
        return fail(globals, exit_store, "\"" + globals.store + "\" is not a directory");
    if (int code = become_owner(globals, st); code != exit_ok) return code;
    if (stat((globals.store + "/data.mdb").c_str(), &st) == 0) return exit_ok;
    if (errno != ENOENT)
        return fail(globals, exit_store,
                    "cannot open store \"" + globals.store + "\": " + std::strerror(errno));
    // Opening the store says that data.mdb was removed.
    if (store::was_there(globals.store)) return exit_ok;
    if (access != Access::create)
        return fail(globals, exit_store,
                    "there is no store in \"" + globals.store +
                        "\" yet; nginx or \"scimctl tenant add\" creates it");
    if (!is_empty(globals.store))
        return fail(
            globals, exit_store,
            "\"" + globals.store +
                "\" contains other files and no store; check that it is the right directory");
    // scimctl does not read nginx's configuration, so it does not know the workers' user.
    if (geteuid() == 0)
        return fail(
            globals, exit_store,
            "\"" + globals.store +
                "\" belongs to root: nginx's workers could not open a store that is created "
                "by root; give the directory to their user, for example: chown "
                "www-data:www-data \"" +
                globals.store + "\"; or start nginx first, which creates the store");
    return exit_ok;
}

bool write_line(FILE *out, std::string_view text) {
    const std::string line = std::string(text) + '\n';  // whole, beside another thread's
    return std::fwrite(line.data(), 1, line.size(), out) == line.size() && std::fflush(out) == 0;
}

}  // namespace

int fail(const Globals &globals, ExitCode code, std::string_view text) {
    if (globals.json)
        write_line(stderr, store::RowWriter().text("error", text).done());
    else
        write_line(stderr, "scimctl: " + std::string(text));
    return code;
}

int fail(const Globals &globals, const Error &error) {
    return fail(globals, error.status() == 503 ? exit_store : exit_refused, error);
}

int fail(const Globals &globals, ExitCode code, const Error &error) {
    if (!globals.json) return fail(globals, code, error.detail);
    write_line(stderr,
               store::RowWriter().text("error", error.detail).text("errorId", error.id()).done());
    return code;
}

void note(const Globals &globals, std::string_view text) {
    if (!globals.json) write_line(stderr, "scimctl: " + std::string(text));
}

bool print(const Globals &globals, std::string_view text) {
    if (write_line(stdout, text)) return true;
    fail(globals, exit_store, std::string("cannot write the result: ") + std::strerror(errno));
    return false;
}

bool print(const Globals &globals, std::string_view text, const store::RowWriter &row) {
    return globals.json ? print(globals, row.done()) : print(globals, text);
}

void List::add(std::string_view line, const store::RowWriter &row) {
    if (!rows_.empty()) text_ += '\n';
    text_.append(line);
    rows_.push_back(row);
}

int List::print(const Globals &globals, store::RowWriter json, std::string_view key,
                std::string_view none) const {
    json.rows(key, rows_);
    return scimctl::print(globals, rows_.empty() ? none : text_, json) ? exit_ok : exit_store;
}

std::unique_ptr<service::Store> open_store(const Globals &globals, Access access) {
    if (check_directory(globals, access) != exit_ok) return nullptr;
    // Generation 0: a declaration by nginx's configuration is always newer and is not changed.
    auto declaration = make_declaration(0, {});
    if (!declaration) {
        fail(globals, declaration.error());
        return nullptr;
    }
    service::Store::Options options;
    options.env.directory = globals.store;
    options.env.map_size = map_size(globals.store + "/data.mdb");
    options.env.may_create = access == Access::create;
    options.declaration = std::move(*declaration);
    std::string why;
    auto opened = service::Store::open(std::move(options), why);
    if (opened != nullptr && opened->state() == service::Store::State::undeclared) {
        WaitNotice notice(globals, opened->env());
        if (!opened->declare(why)) {
            notice.end();
            opened.reset();
        }
    }
    if (opened == nullptr) {
        fail(globals, exit_store, why);
        return nullptr;
    }
    if (access != Access::read && opened->state() == service::Store::State::read_only) {
        fail(globals, exit_store, opened->warning());
        return nullptr;
    }
    if (!opened->warning().empty()) write_line(stderr, "scimctl: warning: " + opened->warning());
    return opened;
}

WaitNotice::WaitNotice(const Globals &globals, const store::Env &env)
    : thread_([this, &globals, &env] {
          constexpr auto notice_after = std::chrono::seconds(1);
          std::unique_lock<std::mutex> lock(mutex_);
          if (ended_.wait_for(lock, notice_after, [this] { return has_ended_; })) return;
          auto holder = env.lock_holder();
          note(globals, "waiting for the write lock of store \"" + env.directory() + "\"" +
                            (holder ? ", which " + to_string(*holder) + " holds" : ""));
      }) {}

WaitNotice::~WaitNotice() { end(); }

void WaitNotice::end() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        has_ended_ = true;
    }
    ended_.notify_one();
    if (thread_.joinable()) thread_.join();
}

int commit(const Globals &globals, store::WriteTxn &txn) {
    store::Errc code = txn.commit();
    if (code == store::Errc::ok) return exit_ok;
    return fail(globals, exit_store,
                "the store cannot be written: " + std::string(to_string(code)));
}

int64_t now() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::optional<int64_t> parse_time(std::string_view text, int64_t now) {
    if (auto duration = parse_duration(text)) return now + *duration;
    std::string full(text);
    if (text.size() == 10) full += "T00:00:00Z";
    auto microseconds = parse_datetime(full);
    if (!microseconds) return std::nullopt;
    return *microseconds / 1000;
}

std::optional<int64_t> parse_past(std::string_view text, int64_t now) {
    if (auto duration = parse_duration(text)) return now - *duration;
    return parse_time(text, now);
}

std::optional<int64_t> parse_duration(std::string_view text) {
    constexpr int64_t second = 1000, year = 366 * 24 * 3600 * second;
    int64_t count = 0;
    auto [unit, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (ec != std::errc() || unit + 1 != text.data() + text.size() || count < 0)
        return std::nullopt;
    int64_t length = 0;
    switch (*unit) {
        case 's': length = second; break;
        case 'm': length = 60 * second; break;
        case 'h': length = 3600 * second; break;
        case 'd': length = 24 * 3600 * second; break;
        case 'w': length = 7 * 24 * 3600 * second; break;
        case 'y': length = 365 * 24 * 3600 * second; break;
        default: return std::nullopt;
    }
    if (count > 1000 * year / length) return std::nullopt;
    return count * length;
}

}  // namespace scim::scimctl
