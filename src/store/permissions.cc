#include "store/permissions.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace scim::store {

namespace {

struct User {
    uid_t uid;
    gid_t gid;
    std::string name, group;
    std::vector<gid_t> groups;
};

std::string user_name(uid_t uid) {
    const passwd *user = getpwuid(uid);
    return user != nullptr ? user->pw_name : std::to_string(uid);
}

std::string group_name(gid_t gid) {
    const group *g = getgrgid(gid);
    return g != nullptr ? g->gr_name : std::to_string(gid);
}

User user_of(uid_t uid, gid_t gid) {
    User user{uid, gid, user_name(uid), group_name(gid), std::vector<gid_t>(64)};
    int count = int(user.groups.size());
    if (getgrouplist(user.name.c_str(), gid, user.groups.data(), &count) < 0) count = 0;
    user.groups.resize(size_t(std::max(count, 0)));
    user.groups.push_back(gid);
    return user;
}

// `wanted`: sum of 4 (read), 2 (write) and 1 (search).
bool may(const User &user, const struct stat &st, mode_t wanted) {
    if (user.uid == 0) return true;
    mode_t bits = st.st_mode;
    if (st.st_uid == user.uid)
        bits >>= 6;
    else if (std::find(user.groups.begin(), user.groups.end(), st.st_gid) != user.groups.end())
        bits >>= 3;
    return (bits & wanted) == wanted;
}

std::string problem_of(const std::string &path, const User &user, mode_t wanted) {
    struct stat st;
    if (stat(path.c_str(), &st) != 0 || may(user, st, wanted)) return {};
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", unsigned(st.st_mode & 07777));
    const bool owns = st.st_uid == user.uid;
    const std::string mend = owns ? std::string("chmod ") + (wanted == 7 ? "u+rwx" : "u+rw")
                                  : "chown " + user.name + ":" + user.group;
    return "the user " + user.name + " cannot read and write \"" + path + "\", which belongs to " +
           user_name(st.st_uid) + ":" + group_name(st.st_gid) + " with mode " + mode +
           "; run: " + mend + " \"" + path + "\"";
}

}  // namespace

std::string permission_problem(const std::string &directory, uid_t uid, gid_t gid) {
    const User user = user_of(uid, gid);
    if (std::string problem = problem_of(directory, user, 7); !problem.empty()) return problem;
    for (const char *file : {"/data.mdb", "/lock.mdb"})
        if (std::string problem = problem_of(directory + file, user, 6); !problem.empty())
            return problem;
    return {};
}

}  // namespace scim::store
