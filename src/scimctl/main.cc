// scimctl: the operator's tool. What can be typed is declared here; what it does stands in the file
// of its group.

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "scim/result.h"
#include "scim/text.h"
#include "scim/version.h"
#include "scimctl/commands.h"

namespace scim::scimctl {

namespace {

const char description[] =
    "scimctl manages the tenants and tokens of an nginx-scim store, shows its resources and its "
    "log, "
    "and checks it. It may be used "
    "while nginx runs. As root it takes the uid of the store's owner.";
const char footer[] =
    "Exit status: 0 done; 1 refused, not found, or verify found a problem; 2 wrong usage; 3 the "
    "store cannot be opened, "
    "read or written. More: man 8 scimctl";

using Run = std::function<int()>;

CLI::App *command(CLI::App &group, const char *name, const char *text, Run &chosen, Run run) {
    CLI::App *app = group.add_subcommand(name, text);
    app->callback([&chosen, run = std::move(run)] { chosen = run; });
    return app;
}

void declare_tenant(CLI::App &app, const Globals &globals, Run &chosen) {
    struct Typed {
        std::string name;
        bool yes = false, resume = false;
    };
    auto typed = std::make_shared<Typed>();
    CLI::App *group =
        app.add_subcommand("tenant", "Add, list and remove tenants")->require_subcommand(1);
    command(*group, "add", "Add a tenant; that it exists already is no error", chosen,
            [=, &globals] { return tenant_add(globals, typed->name); })
        ->add_option(
            "NAME", typed->name,
            "1 to 255 letters, digits, \".\", \"-\" and \"_\"; the first is a letter or digit")
        ->required();
    command(*group, "list", "List the tenants, their live tokens and how many resources they have",
            chosen, [=, &globals] { return tenant_list(globals); });
    CLI::App *remove =
        command(*group, "remove",
                "Remove a tenant with all that it has. Nothing authenticates as it from the first "
                "moment on; then its rows are "
                "deleted in small steps. What was interrupted is continued by the same command, or "
                "by --resume",
                chosen, [=, &globals] {
                    if (typed->resume == !typed->name.empty())
                        return fail(globals, exit_usage, "tenant remove needs a NAME or --resume");
                    if (!typed->resume && !typed->yes)
                        return fail(globals, exit_usage,
                                    "this deletes all users, groups and tokens of the tenant; say "
                                    "--yes if that is meant");
                    return tenant_remove(globals, typed->name, typed->resume);
                });
    remove->add_option("NAME", typed->name, "The tenant");
    remove->add_flag("--yes", typed->yes, "do not ask for confirmation");
    remove->add_flag("--resume", typed->resume, "Finish every removal that was interrupted");
}

void declare_token(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<TokenArguments>();
    CLI::App *group = app.add_subcommand("token", "Create, list, revoke and rotate tokens")
                          ->require_subcommand(1);
    auto token_command = [&](const char *name, const char *text,
                             int (*run)(const Globals &, const TokenArguments &)) {
        CLI::App *c =
            command(*group, name, text, chosen, [=, &globals] { return run(globals, *typed); });
        c->add_option("--tenant", typed->tenant, "The tenant")->required();
        return c;
    };
    auto add_which = [&](CLI::App *c) {
        c->add_option("TOKEN", typed->which, "The token's number or label")->required();
    };
    auto add_new = [&](CLI::App *c) {
        c->add_option("--expires", typed->expires, "2027-01-31T12:00:00Z, 2027-01-31, 90d or 1y");
        c->add_option("--sha256", typed->sha256,
                      "64 hexadecimal digits: of a token that was made elsewhere");
    };
    CLI::App *create =
        token_command("create", "Create a token and show it, once, in the last line", token_create);
    create->add_option("--label", typed->label, "Who will use it: 1 to 64 printable characters")
        ->required();
    create->add_option("--scope", typed->scope, "read, or write, which implies read")
        ->check(CLI::IsMember({"read", "write"}))
        ->capture_default_str();
    create->add_option("--not-before", typed->not_before, "2027-01-31T12:00:00Z, 2027-01-31 or 2d");
    add_new(create);
    token_command("list", "List all tokens, revoked ones included", token_list);
    add_which(token_command(
        "revoke", "Revoke a token, or all with the label; at once, and for ever", token_revoke));
    CLI::App *rotate = token_command("rotate",
                                     "Create a successor with the same label and scopes; the old "
                                     "token expires after the overlap",
                                     token_rotate);
    add_which(rotate);
    rotate
        ->add_option("--overlap", typed->overlap,
                     "How long the old token stays valid: 30m, 24h, 7d")
        ->capture_default_str();
    add_new(rotate);
}

// It is written into the JSON as it is.
std::string check_url_text(const std::string &url) {
    if (is_url_text(url)) return {};
    return scim::quoted(url) + " has a blank, a quote or another character that no URL has";
}

void declare_find(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<FindArguments>();
    CLI::App *c =
        command(app, "find", "List the resources that a filter matches, one line each: id and name",
                chosen, [=, &globals] { return find(globals, *typed); });
    c->add_option("--tenant", typed->tenant, "The tenant")->required();
    c->add_option("--type", typed->type, "User, Group, …")->capture_default_str();
    c->add_option("--count", typed->count, "How many at most")
        ->check(CLI::Range(uint64_t(1), uint64_t(100000)))
        ->capture_default_str();
    c->add_option("--attributes", typed->attributes,
                  "Show these of each, as JSON: userName,emails.value");
    c->add_option("--base-url", typed->base_url, "What meta.location and $ref begin with")
        ->check(check_url_text);
    c->add_option("FILTER", typed->filter, "As in RFC 7644: 'userName eq \"ada\"'")->required();
}

void declare_log(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<LogArguments>();
    CLI::App *c =
        command(app, "log", "Show what was changed and what was refused, the last at the end",
                chosen, [=, &globals] { return log(globals, *typed); });
    c->add_option("--tenant", typed->tenant, "The tenant")->required();
    c->add_option("--since", typed->since,
                  "Nothing older: 90m, 2d, 2026-11-21 or 2026-11-21T10:00:00Z");
    c->add_flag("--failed", typed->failed, "only what was refused or ignored");
    c->add_flag("--follow", typed->follow, "Go on with what comes, until interrupted");
    c->add_option("--limit", typed->limit, "At most the last so many")
        ->check(CLI::Range(size_t(1), size_t(100000)))
        ->capture_default_str();
}

void declare_store(CLI::App &app, const Globals &globals, Run &chosen) {
    CLI::App *group =
        app.add_subcommand("store", "Serve a suspended store again")->require_subcommand(1);
    command(*group, "resume",
            "End the suspension of a store in which workers of nginx died; check it first with "
            "verify",
            chosen, [&globals] { return store_resume(globals); });
}

void declare_data(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<GetArguments>();
    CLI::App *get_command = command(app, "get", "Show a resource as the server would", chosen,
                                    [=, &globals] { return get(globals, *typed); });
    get_command->add_option("--tenant", typed->tenant, "The tenant")->required();
    get_command->add_option("--base-url", typed->base_url, "What meta.location and $ref begin with")
        ->check(check_url_text);
    get_command->add_option("TYPE", typed->type, "User, Group, …")->required();
    get_command->add_option("ID", typed->id, "The resource's id")->required();
    declare_find(app, globals, chosen);
    declare_log(app, globals, chosen);
    auto one_snapshot = std::make_shared<bool>(false);
    command(app, "verify",
            "Check the pages of the store, and every record, index row, membership and counter "
            "against each other",
            chosen, [=, &globals] { return verify(globals, *one_snapshot); })
        ->add_flag("--snapshot", *one_snapshot,
                   "Read all rows in one transaction; while it runs, pages that nginx frees are "
                   "not reused, and the file grows");
}

// CLI11 says of an unknown command only that one is required.
std::string sentence_of(const CLI::App &app, const CLI::ParseError &e) {
    auto rest = app.remaining(true);
    std::string said = e.what();
    if (said.find("subcommand is required") == std::string::npos || rest.empty() ||
        rest.front().empty() || rest.front().front() == '-')
        return said;
    return "there is no command " + scim::quoted(rest.front());
}

// "help token create" is "token create --help", and no argument at all is "--help".
std::vector<std::string> arguments_of(int argc, char **argv) {
    std::vector<std::string> typed(argv + 1, argv + argc);
    if (typed.empty()) return {"--help"};
    if (typed.front() != "help") return typed;
    typed.erase(typed.begin());
    typed.emplace_back("--help");
    return typed;
}

// NOLINTNEXTLINE(bugprone-exception-escape): main() stops them
int run(int argc, char **argv, Globals &globals) {
    CLI::App app(description, "scimctl");
    Run chosen;
    app.fallthrough();
    app.set_help_flag("-h,--help", "print this help and exit");
    app.set_version_flag("-V,--version", std::string("scimctl ") + version,
                         "print the version and exit");
    app.add_option("--store", globals.store, "the store's directory, as scim_store names it")
        ->envname("SCIM_STORE")
        ->capture_default_str();
    app.add_flag("--json", globals.json, "print JSON on stdout, and errors as JSON on stderr");
    app.require_subcommand(1);
    app.footer(footer);
    declare_tenant(app, globals, chosen);
    declare_token(app, globals, chosen);
    declare_data(app, globals, chosen);
    declare_store(app, globals, chosen);
    try {
        // In the order that CLI11 wants: the last argument first.
        std::vector<std::string> typed = arguments_of(argc, argv);
        std::reverse(typed.begin(), typed.end());
        app.parse(std::move(typed));
    } catch (const CLI::Success &e) {
        return app.exit(e);
    } catch (const CLI::ParseError &e) {
        // What stands behind the mistake has not been looked at.
        for (int i = 1; i < argc; i++) globals.json |= std::string_view(argv[i]) == "--json";
        return fail(globals, exit_usage, sentence_of(app, e) + "; see scimctl --help");
    }
    return chosen();
}

}  // namespace
}  // namespace scim::scimctl

int main(int argc, char **argv) {
    using namespace scim::scimctl;
    umask(077);
    Globals globals;
    try {
        return run(argc, argv, globals);
    } catch (const std::exception &e) {
        return fail(globals, exit_store, e.what());
    }
}
