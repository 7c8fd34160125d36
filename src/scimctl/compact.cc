// scimctl compact: copies the store into another directory, in the order of its keys.

#include "store/compact.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "scimctl/commands.h"
#include "scimctl/progress.h"

namespace scim::scimctl {

namespace {

// Creates the directory for the owner of the store, which this process becomes later.
int make_directory(const Globals &globals, const std::string &directory) {
    struct stat owner;
    if (mkdir(directory.c_str(), 0700) != 0) {
        if (errno == EEXIST) return exit_ok;
        return fail(globals, exit_refused,
                    "cannot create \"" + directory + "\": " + std::strerror(errno));
    }
    if (geteuid() == 0 && stat((globals.store + "/data.mdb").c_str(), &owner) == 0 &&
        chown(directory.c_str(), owner.st_uid, owner.st_gid) != 0)
        return fail(globals, exit_refused,
                    "cannot change the owner of \"" + directory + "\": " + std::strerror(errno));
    return exit_ok;
}

bool is_empty(const std::string &directory) {
    const std::unique_ptr<DIR, int (*)(DIR *)> dir(opendir(directory.c_str()), closedir);
    if (dir == nullptr) return false;
    while (const dirent *entry = readdir(dir.get()))
        if (entry->d_name != std::string_view(".") && entry->d_name != std::string_view(".."))
            return false;
    return true;
}

}  // namespace

int compact(const Globals &globals, const std::string &directory) {
    if (int code = make_directory(globals, directory); code != exit_ok) return code;
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    if (!is_empty(directory))
        return fail(globals, exit_refused,
                    "\"" + directory + "\" is not an empty directory that this user may read");
    const store::EnvInfo before = store->env().info();
    std::string why;
    store::EnvOptions options;
    options.directory = directory;
    options.map_size = before.map_size;
    auto copy = store::Env::open(options, why);
    if (copy == nullptr) return fail(globals, exit_store, why);
    store::Errc error = copy->create_databases();
    uint64_t rows = 0;
    Progress progress(globals, "rows");
    if (error == store::Errc::ok) {
        store::Reader reader(store->env());
        store::ReadTxn txn(reader);
        rows = store::copy_rows(
            txn, *copy, [&](uint64_t done) { progress.show(done, -1); }, error);
    }
    progress.clear();
    if (error != store::Errc::ok)
        return fail(globals, exit_store,
                    "the copy in \"" + directory +
                        "\" is not complete, remove it: " + std::string(to_string(error)));
    const store::EnvInfo after = copy->info();
    store::RowWriter row;
    row.text("directory", directory)
        .number("rows", int64_t(rows))
        .number("sizeBefore", int64_t(before.used));
    row.number("sizeAfter", int64_t(after.used));
    return print(globals,
                 "Copied " + with_commas(rows) + " rows into " + directory + ": " +
                     with_commas(after.used) + " bytes instead of " + with_commas(before.used) +
                     ".",
                 row)
               ? exit_ok
               : exit_store;
}

}  // namespace scim::scimctl
