// scimctl: the administration tool. This file declares the command line; the commands are in the
// file of their group.

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "scim/text/result.h"
#include "scim/text/text.h"
#include "scimctl/commands.h"
#include "scimctl/completion.h"
#include "version.h"

namespace scim::scimctl {

namespace {

// clang-format off
const char description[] =
    "scimctl manages the tenants and tokens of an nginx-scim store, blocks users, shows resources "
    "and the log, and checks the store. It may be used while nginx runs. As root it takes the uid and gid of the "
    "store's owner.";
const char footer[] =
    "Exit status: 0 success; 1 refused, not found, or verify or check found a problem; 2 wrong usage; "
    "3 the store cannot be opened, read or written. See also: man 8 scimctl";
// clang-format on

constexpr char tenant_text[] = "the tenant's name";
constexpr char type_text[] = "the resource type: User, Group, …";
constexpr char base_url_text[] = "the URL that meta.location and $ref begin with";

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
    // clang-format off
    constexpr char remove_text[] =
        "remove a tenant with its users, groups, tokens and log. Its tokens stop working at once; "
        "then its rows are deleted in small steps. To continue an interrupted removal, run the "
        "same command again, or use --resume";
    // clang-format on
    CLI::App *group = app.add_subcommand("tenant", "add, list, disable and remove tenants")
                          ->require_subcommand(1);
    command(*group, "add", "add a tenant; succeeds if it exists already", chosen,
            [=, &globals] { return tenant_add(globals, typed->name); })
        ->add_option("NAME", typed->name,
                     "1 to 255 letters, digits, \".\", \"-\" and \"_\", beginning with a letter or "
                     "digit")
        ->required();
    command(*group, "list", "list the tenants with their numbers of live tokens and resources",
            chosen, [=, &globals] { return tenant_list(globals); });
    for (bool disabled : {true, false})
        command(*group, disabled ? "disable" : "enable",
                disabled ? "refuse the tenant's requests with 403, and its users at the gate"
                         : "undo tenant disable",
                chosen, [=, &globals] { return tenant_disable(globals, typed->name, disabled); })
            ->add_option("NAME", typed->name, tenant_text)
            ->required();
    CLI::App *remove = command(*group, "remove", remove_text, chosen, [=, &globals] {
        if (typed->resume == !typed->name.empty())
            return fail(globals, exit_usage, "tenant remove needs a NAME or --resume");
        if (!typed->resume && !typed->yes)
            return fail(globals, exit_usage,
                        "tenant remove deletes all users, groups and tokens of the tenant; confirm "
                        "with --yes");
        return tenant_remove(globals, typed->name, typed->resume);
    });
    remove->add_option("NAME", typed->name, tenant_text);
    remove->add_flag("--yes", typed->yes, "do not ask for confirmation");
    remove->add_flag("--resume", typed->resume, "finish all interrupted removals");
}

void declare_token(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<TokenArguments>();
    CLI::App *group = app.add_subcommand("token", "create, list, show, revoke and rotate tokens")
                          ->require_subcommand(1);
    auto token_command = [&](const char *name, const char *text,
                             int (*run)(const Globals &, const TokenArguments &)) {
        CLI::App *c =
            command(*group, name, text, chosen, [=, &globals] { return run(globals, *typed); });
        c->add_option("--tenant", typed->tenant, tenant_text)->required();
        return c;
    };
    auto add_which = [&](CLI::App *c) {
        c->add_option("TOKEN", typed->which, "the token's number or label")->required();
    };
    auto add_new = [&](CLI::App *c) {
        c->add_option("--expires", typed->expires,
                      "the time at which the new token expires: 2027-01-31T12:00:00Z, 2027-01-31, "
                      "90d or 1y");
        c->add_option("--sha256", typed->sha256,
                      "add a token that was generated elsewhere, by its SHA-256: 64 hexadecimal "
                      "digits");
    };
    CLI::App *create =
        token_command("create", "create a token and show it once, as the last line", token_create);
    create->add_option("--label", typed->label, "the token's user: 1 to 64 printable characters")
        ->required();
    create->add_option("--scope", typed->scope, "read, or write, which implies read")
        ->check(CLI::IsMember({"read", "write"}))
        ->capture_default_str();
    create->add_option("--subject", typed->subject,
                       "the id or userName of the user that /Me addresses with this token");
    create->add_option("--not-before", typed->not_before,
                       "the time from which the token is valid: 2027-01-31T12:00:00Z, 2027-01-31 "
                       "or 2d");
    add_new(create);
    token_command("list", "list all tokens, revoked ones included", token_list);
    add_which(token_command("show", "show a token, or all tokens with the label", token_show));
    add_which(token_command("revoke",
                            "revoke a token, or all tokens with the label, at once and permanently",
                            token_revoke));
    CLI::App *rotate =
        token_command("rotate",
                      "create a successor with the same label, scopes and subject; the old "
                      "token expires after the overlap",
                      token_rotate);
    add_which(rotate);
    rotate
        ->add_option("--overlap", typed->overlap,
                     "the time for which the old token stays valid: 30m, 24h, 7d")
        ->capture_default_str();
    add_new(rotate);
}

void declare_user(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<UserArguments>();
    CLI::App *group =
        app.add_subcommand("user",
                           "block users, revoke their sessions and show them, apart from SCIM")
            ->require_subcommand(1);
    auto user_command = [&](const char *name, const char *text,
                            int (*run)(const Globals &, const UserArguments &)) {
        CLI::App *c =
            command(*group, name, text, chosen, [=, &globals] { return run(globals, *typed); });
        c->add_option("--tenant", typed->tenant, tenant_text)->required();
        c->add_option("USER", typed->user, "the user's id or userName")->required();
    };
    user_command("block",
                 "refuse a user at the gate at once, whatever the identity provider says; the "
                 "block outlives deletion and renaming",
                 user_block);
    user_command("unblock", "end the block of a user, or of a deleted user of this name",
                 user_unblock);
    user_command("revoke",
                 "refuse the user's sessions that have begun until now, and close its open "
                 "requests; the user may log in again",
                 user_revoke);
    user_command("show",
                 "show what decides about a user's access: active, block, sessions and groups",
                 user_show);
}

void declare_explain(CLI::App &group, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<ExplainArguments>();
    CLI::App *c = command(group, "explain",
                          "say whether the gate lets a user pass, and whether each condition of "
                          "scim_require holds",
                          chosen, [=, &globals] { return gate_explain(globals, *typed); });
    c->add_option("--tenant", typed->tenant, tenant_text)->required();
    c->add_option("--by", typed->by, "the attribute that USER is a value of, as in scim_subject");
    c->add_flag("--nested-groups", typed->nested_groups, "as scim_nested_groups on");
    c->add_option("USER", typed->user, "the user's id or userName, or a value of --by")->required();
    c->add_option("CONDITION", typed->conditions,
                  "as in scim_require: group=Admins; all must hold");
}

void declare_gate(CLI::App &app, const Globals &globals, Run &chosen) {
    struct Typed {
        std::string tenant, length;
    };
    auto typed = std::make_shared<Typed>();
    CLI::App *group =
        app.add_subcommand("gate", "explain decisions of the gate; pause and resume it")
            ->require_subcommand(1);
    auto gate_command = [&](const char *name, const char *text, Run run) {
        CLI::App *c = command(*group, name, text, chosen, std::move(run));
        c->add_option("--tenant", typed->tenant, tenant_text)->required();
        return c;
    };
    gate_command("pause",
                 "let all users pass who exist, are active and are not blocked, whatever their "
                 "groups; ends by itself",
                 [=, &globals] { return gate_pause(globals, typed->tenant, typed->length); })
        ->add_option("--for", typed->length, "how long: 1m to 24h")
        ->required();
    gate_command("resume", "end a pause of the gate",
                 [=, &globals] { return gate_resume(globals, typed->tenant); });
    declare_explain(*group, globals, chosen);
}

// The URL is copied into the JSON without escapes.
std::string check_url_text(const std::string &url) {
    if (is_url_text(url)) return {};
    return scim::quoted(url) +
           " contains a blank, a quote or another character that is invalid in a URL";
}

void declare_find(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<FindArguments>();
    CLI::App *c = command(app, "find",
                          "list the resources that a filter matches: a line with id and name each",
                          chosen, [=, &globals] { return find(globals, *typed); });
    c->add_option("--tenant", typed->tenant, tenant_text)->required();
    c->add_option("--type", typed->type, type_text)->capture_default_str();
    c->add_option("--count", typed->count, "list at most this many resources")
        ->check(CLI::Range(uint64_t(1), uint64_t(100000)))
        ->capture_default_str();
    c->add_option("--attributes", typed->attributes,
                  "show these attributes of each resource, as JSON: userName,emails.value");
    c->add_option("--base-url", typed->base_url, base_url_text)->check(check_url_text);
    c->add_option(
        "FILTER", typed->filter,
        "a filter of RFC 7644, such as 'userName eq \"ada\"'; without it, all are listed");
}

void declare_import(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<ImportArguments>();
    CLI::App *out =
        command(app, "export",
                "write all resources of a tenant to stdout, one a line, as JSON: users "
                "and other types, then groups with their members",
                chosen, [=, &globals] { return export_resources(globals, typed->tenant); });
    out->add_option("--tenant", typed->tenant, tenant_text)->required();
    CLI::App *in = command(app, "import",
                           "read resources, one a line, as export writes them, or copy them from "
                           "another SCIM server; an interrupted import continues if the same "
                           "command is run again",
                           chosen, [=, &globals] { return import_resources(globals, *typed); });
    in->add_option("--tenant", typed->tenant, tenant_text)->required();
    in->add_option("--on-conflict", typed->on_conflict,
                   "what to do with a record that is there already, by its userName or another "
                   "unique value, or with --keep-ids by its id: refuse, skip or replace it")
        ->check(CLI::IsMember({"fail", "skip", "update"}))
        ->capture_default_str();
    in->add_flag(
        "--keep-ids", typed->keep_ids,
        "keep id, meta.created and meta.lastModified of the records, and the ids that they "
        "refer to; otherwise resources get new ids, and references follow them");
    in->add_flag("--dry-run", typed->dry_run, "check all records and write nothing");
    in->add_option("--errors", typed->errors,
                   "write a line of JSON for each refused record: line, error and record");
    CLI::Option *file = in->add_option("FILE", typed->input, "the file to read; - for stdin");
    CLI::Option *from =
        in->add_option("--from", typed->remote.from,
                       "instead of FILE, copy all resources of another SCIM server: its base URL, "
                       "such as https://host/scim/v2")
            ->excludes(file);
    CLI::Option *token_file =
        in->add_option("--token-file", typed->remote.token_file,
                       "the file with the token for --from; without it, the token is that of the "
                       "environment variable SCIM_REMOTE_TOKEN")
            ->needs(from);
    in->add_option("--token", typed->remote.token,
                   "the token itself, which other users of this machine can see; - for stdin")
        ->needs(from)
        ->excludes(token_file);
    in->add_option("--ca", typed->remote.ca,
                   "trust the certificates in this file, and not those of the system")
        ->needs(from);
}

void declare_operations(CLI::App &app, const Globals &globals, Run &chosen) {
    auto watch = std::make_shared<bool>(false);
    command(
        app, "stats",
        "show the use of the map, the log, readers, jobs, the resources of each tenant, and the "
        "indexes",
        chosen, [=, &globals] { return stats(globals, *watch); })
        ->add_flag("--watch", *watch, "again every two seconds until interrupted");
    command(app, "check",
            "say whether the store needs attention: suspended, full, old snapshots, indexes in "
            "conflict; exits with 1 if it does",
            chosen, [&globals] { return check(globals); });
    auto directory = std::make_shared<std::string>();
    command(app, "compact",
            "copy the store into an empty directory, in the order of its keys, which takes less "
            "space; nginx may run",
            chosen, [=, &globals] { return compact(globals, *directory); })
        ->add_option("DIR", *directory, "the directory of the copy; is created if it is missing")
        ->required();
    auto typed = std::make_shared<UserArguments>();
    CLI::App *c = command(app, "forget",
                          "delete what is left of a deleted user: names that keep its block, its "
                          "name in the log, and refused requests that contain USER; the log keeps "
                          "its id",
                          chosen, [=, &globals] { return forget(globals, *typed); });
    c->add_option("--tenant", typed->tenant, tenant_text)->required();
    c->add_option("USER", typed->user,
                  "the id, userName, externalId or another value of the deleted user")
        ->required();
}

void declare_query(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<QueryArguments>();
    CLI::App *c = command(app, "explain",
                          "run a query and say which index it uses, how many resources and rows it "
                          "examines, and how long it takes",
                          chosen, [=, &globals] { return explain(globals, *typed); });
    c->add_option("--tenant", typed->tenant, tenant_text)->required();
    c->add_option("--type", typed->type, type_text)->capture_default_str();
    c->add_option("--sort-by", typed->sort_by, "the attribute to sort by, as in sortBy");
    c->add_flag("--descending", typed->descending, "sort in descending order");
    c->add_option("--count", typed->count, "the number of resources on the page")
        ->check(CLI::Range(uint64_t(1), uint64_t(100000)))
        ->capture_default_str();
    c->add_option("FILTER", typed->filter, "a filter of RFC 7644: 'userName eq \"ada\"'")
        ->required();
}

void declare_explain_error(CLI::App &app, const Globals &globals, Run &chosen) {
    struct Typed {
        std::string id;
        bool as_markdown = false;
    };
    auto typed = std::make_shared<Typed>();
    CLI::App *c =
        command(app, "explain-error",
                "say what causes a refusal and what to do; without ID, list all of them", chosen,
                [=, &globals] { return explain_error(globals, typed->id, typed->as_markdown); });
    c->add_option("ID", typed->id, "the errorId of an answer, in square brackets in the log");
    c->add_flag("--markdown", typed->as_markdown, "print all as Markdown, as docs/errors.md");
}

void declare_index(CLI::App &app, const Globals &globals, Run &chosen) {
    CLI::App *group = app.add_subcommand("index", "list the indexes")->require_subcommand(1);
    command(*group, "list",
            "list the indexes with their states: those of unique attributes, of keys, and of "
            "scim_index",
            chosen, [&globals] { return index_list(globals); });
    auto names = std::make_shared<std::vector<std::string>>();
    command(app, "reindex",
            "drop indexes of scim_index and build them again; nginx does it in small steps, and "
            "answers queries without them meanwhile",
            chosen, [=, &globals] { return reindex(globals, *names); })
        ->add_option("NAME", *names,
                     "an index as index list shows it, in quotation marks: \"User title\", \"User "
                     "title type=substring\"; without NAME, all of them");
}

void declare_log(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<LogArguments>();
    CLI::App *c =
        command(app, "log", "show changes, refused requests and ignored attributes, oldest first",
                chosen, [=, &globals] { return log(globals, *typed); });
    c->add_option("--tenant", typed->tenant, tenant_text)->required();
    c->add_option("--since", typed->since,
                  "show no older entries: 90m, 2d, 2026-11-21 or 2026-11-21T10:00:00Z");
    c->add_flag("--failed", typed->failed, "show only refused requests and ignored attributes");
    c->add_flag("--follow", typed->follow, "continue with new entries until interrupted");
    c->add_option("--limit", typed->limit, "show at most this many entries, the last ones")
        ->check(CLI::Range(size_t(1), size_t(100000)))
        ->capture_default_str();
}

void declare_store(CLI::App &app, const Globals &globals, Run &chosen) {
    CLI::App *group =
        app.add_subcommand("store", "end the suspension of a store")->require_subcommand(1);
    command(*group, "resume",
            "end the suspension of a store in which nginx workers died; run verify first", chosen,
            [&globals] { return store_resume(globals); });
}

void declare_data(CLI::App &app, const Globals &globals, Run &chosen) {
    auto typed = std::make_shared<GetArguments>();
    CLI::App *get_command = command(app, "get", "show a resource as the server would", chosen,
                                    [=, &globals] { return get(globals, *typed); });
    get_command->add_option("--tenant", typed->tenant, tenant_text)->required();
    get_command->add_option("--base-url", typed->base_url, base_url_text)->check(check_url_text);
    get_command->add_option("TYPE", typed->type, type_text)->required();
    get_command
        ->add_option("RESOURCE", typed->which,
                     "the id of the resource, or the userName of a user, or a displayName")
        ->required();
    declare_find(app, globals, chosen);
    declare_import(app, globals, chosen);
    declare_operations(app, globals, chosen);
    declare_query(app, globals, chosen);
    declare_explain_error(app, globals, chosen);
    declare_index(app, globals, chosen);
    declare_log(app, globals, chosen);
    auto tenant = std::make_shared<std::string>();
    command(app, "duplicates",
            "list the values that several resources have, although their attribute is declared "
            "unique; it is not enforced as long as there are any",
            chosen, [=, &globals] { return duplicates(globals, *tenant); })
        ->add_option("--tenant", *tenant, "list only the values of this tenant");
    auto one_snapshot = std::make_shared<bool>(false);
    command(app, "verify",
            "check the pages of the store and the consistency of every record, index row, "
            "membership and counter",
            chosen, [=, &globals] { return verify(globals, *one_snapshot); })
        ->add_flag("--snapshot", *one_snapshot,
                   "read all rows in one transaction; while it runs, pages that nginx frees are "
                   "not reused, and the file grows");
}

// The error message. For an unknown command CLI11 only reports that a subcommand is required.
std::string sentence_of(const CLI::App &app, const CLI::ParseError &e) {
    auto rest = app.remaining(true);
    std::string text = e.what();
    if (text.find("subcommand is required") == std::string::npos) return text;
    if (rest.empty() || rest.front().empty() || rest.front().front() == '-')
        return "a command is required";
    return "there is no command " + scim::quoted(rest.front());
}

// The command line that prints the help of the given command: "scimctl token list --help".
std::string help_of(const CLI::App &app) {
    std::string line;
    const CLI::App *command = &app;
    while (true) {
        line += command->get_name() + " ";
        const auto typed = command->get_subcommands();
        if (typed.empty()) return line + "--help";
        command = typed.front();
    }
}

// Rewrites "help token create" to "token create --help", and no arguments to "--help".
std::vector<std::string> arguments_of(int argc, char **argv) {
    std::vector<std::string> typed(argv + 1, argv + argc);
    if (typed.empty()) return {"--help"};
    if (typed.front() != "help") return typed;
    typed.erase(typed.begin());
    typed.emplace_back("--help");
    return typed;
}

// NOLINTNEXTLINE(bugprone-exception-escape): main() catches them
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
    declare_user(app, globals, chosen);
    declare_gate(app, globals, chosen);
    declare_data(app, globals, chosen);
    declare_store(app, globals, chosen);
    command(app, "completion",
            "print a script for the shell's completion: source <(scimctl completion)", chosen,
            [&] { return print(globals, completion_script(app)) ? exit_ok : exit_store; });
    try {
        // CLI11 takes a vector of arguments in reverse order.
        std::vector<std::string> typed = arguments_of(argc, argv);
        std::reverse(typed.begin(), typed.end());
        app.parse(std::move(typed));
    } catch (const CLI::Success &e) {
        return app.exit(e);
    } catch (const CLI::ParseError &e) {
        // CLI11 has not parsed the arguments after the error, which may include --json.
        for (int i = 1; i < argc; i++) globals.json |= std::string_view(argv[i]) == "--json";
        return fail(globals, exit_usage, sentence_of(app, e) + "; see " + help_of(app));
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
