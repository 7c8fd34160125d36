#pragma once
// The commands of scimctl. Each takes its command-line arguments, prints the result to stdout or an
// error to stderr, and returns the exit code (ExitCode).

#include <optional>
#include <string>
#include <vector>

#include "scimctl/context.h"

namespace scim::scimctl {

int tenant_add(const Globals &globals, const std::string &name);
int tenant_list(const Globals &globals);
// Disables the tenant, or enables it again.
int tenant_disable(const Globals &globals, const std::string &name, bool disabled);
// `resume`: finish the removal of every tenant that is marked as being removed; `name` is ignored.
int tenant_remove(const Globals &globals, const std::string &name, bool resume);

struct TokenArguments {
    std::string tenant;
    std::string which;  // number or label of an existing token
    std::string label, scope = "write";
    std::string not_before, expires, overlap = "24h";  // unparsed
    std::string subject;  // id or userName of the user that /Me addresses; empty: none
    std::string sha256;   // of a token generated elsewhere; empty: generate one
};
int token_create(const Globals &globals, const TokenArguments &arguments);
int token_show(const Globals &globals, const TokenArguments &arguments);
int token_list(const Globals &globals, const TokenArguments &arguments);
int token_revoke(const Globals &globals, const TokenArguments &arguments);
int token_rotate(const Globals &globals, const TokenArguments &arguments);

struct GetArguments {
    std::string tenant, type, base_url;
    std::string which;  // the id of the resource, or its userName or displayName
};
int get(const Globals &globals, const GetArguments &arguments);

struct FindArguments {
    std::string tenant, type = "User", attributes, base_url;
    std::optional<std::string> filter;  // nothing: all resources
    uint64_t count = 100;
};
int find(const Globals &globals, const FindArguments &arguments);

struct QueryArguments {
    std::string tenant, type = "User", filter, sort_by;
    bool descending = false;
    uint64_t count = 100;
};
int explain(const Globals &globals, const QueryArguments &arguments);

// `id`: of a refusal; empty: lists all. `as_markdown`: prints docs/errors.md.
int explain_error(const Globals &globals, const std::string &id, bool as_markdown);

int index_list(const Globals &globals);
// `names`: of the indexes; empty: all that scim_index has added.
int reindex(const Globals &globals, const std::vector<std::string> &names);

struct LogArguments {
    std::string tenant, since;  // `since` is unparsed
    bool failed = false, follow = false;
    size_t limit = 100;
};
int log(const Globals &globals, const LogArguments &arguments);

struct UserArguments {
    std::string tenant, user;  // `user`: an id or a userName
};
int user_block(const Globals &globals, const UserArguments &arguments);
int user_unblock(const Globals &globals, const UserArguments &arguments);
int user_revoke(const Globals &globals, const UserArguments &arguments);
int user_show(const Globals &globals, const UserArguments &arguments);

// Deletes what is left of a deleted user.
int forget(const Globals &globals, const UserArguments &arguments);

// `watch`: again and again until interrupted.
int stats(const Globals &globals, bool watch);
int check(const Globals &globals);
// `directory`: where the copy is made.
int compact(const Globals &globals, const std::string &directory);

// `length`: unparsed.
int gate_pause(const Globals &globals, const std::string &tenant, const std::string &length);
int gate_resume(const Globals &globals, const std::string &tenant);

struct ExplainArguments {
    std::string tenant, user;
    std::string by;  // the attribute that `user` is a value of; empty: the id or userName
    std::vector<std::string> conditions;
    bool nested_groups = false;
};
int gate_explain(const Globals &globals, const ExplainArguments &arguments);

int export_resources(const Globals &globals, const std::string &tenant);

// Another server as the source of an import.
struct RemoteArguments {
    std::string from;               // its base URL; empty: there is none
    std::string token, token_file;  // at most one; `token` may be "-" for stdin
    std::string ca;                 // the name of a file
};
struct ImportArguments {
    std::string tenant, input, errors;  // names of files; `input` may be "-"
    RemoteArguments remote;             // has no URL if there is an `input`
    std::string on_conflict = "fail";
    bool keep_ids = false, dry_run = false;
};
int import_resources(const Globals &globals, const ImportArguments &arguments);

// `tenant`: list only the values of this tenant; empty: of all tenants.
int duplicates(const Globals &globals, const std::string &tenant);

// `one_snapshot`: read all rows in one transaction.
int verify(const Globals &globals, bool one_snapshot);

// Ends the suspension of the store (store/fault_guard.h).
int store_resume(const Globals &globals);

}  // namespace scim::scimctl
