#pragma once
// The commands of scimctl. Each takes what was typed, does it, says what came of it, and returns
// the exit code.

#include <string>

#include "scimctl/context.h"

namespace scim::scimctl {

int tenant_add(const Globals &globals, const std::string &name);
int tenant_list(const Globals &globals);
// `resume`: every tenant that is marked; `name` is not looked at.
int tenant_remove(const Globals &globals, const std::string &name, bool resume);

struct TokenArguments {
    std::string tenant;
    std::string which;  // number or label of an existing token
    std::string label, scope = "write";
    std::string not_before, expires, overlap = "24h";  // as they were typed
    std::string sha256;                                // of a token made elsewhere; empty: make one
};
int token_create(const Globals &globals, const TokenArguments &arguments);
int token_list(const Globals &globals, const TokenArguments &arguments);
int token_revoke(const Globals &globals, const TokenArguments &arguments);
int token_rotate(const Globals &globals, const TokenArguments &arguments);

struct GetArguments {
    std::string tenant, type, id, base_url;
};
int get(const Globals &globals, const GetArguments &arguments);

struct FindArguments {
    std::string tenant, type = "User", filter, attributes, base_url;
    uint64_t count = 100;
};
int find(const Globals &globals, const FindArguments &arguments);

struct LogArguments {
    std::string tenant, since;  // `since` as it was typed
    bool failed = false, follow = false;
    size_t limit = 100;
};
int log(const Globals &globals, const LogArguments &arguments);

// `one_snapshot`: all rows are read in one transaction.
int verify(const Globals &globals, bool one_snapshot);

// Ends the suspension of the store (store/fault_guard.h).
int store_resume(const Globals &globals);

}  // namespace scim::scimctl
