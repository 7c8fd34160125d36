#include "scimctl/completion.h"

#include <functional>
#include <set>

#include "scim/text/refusals.h"

namespace scim::scimctl {

namespace {

const std::function<bool(const CLI::App *)> all = [](const CLI::App *) { return true; };

// What may follow a command: its own commands and options, the options that all commands have, and
// the ids that explain-error explains.
std::string words_after(const CLI::App &app, const CLI::App &root) {
    std::set<std::string> words;
    for (const CLI::App *each : app.get_subcommands(all)) words.insert(each->get_name());
    if (app.get_name() == "explain-error")
        for (const RefusalRow &refusal : refusals()) words.emplace(refusal.id);
    for (const CLI::App *of : {&app, &root})
        for (const CLI::Option *option : of->get_options())
            for (const std::string &name : option->get_lnames()) words.insert("--" + name);
    std::string text;
    for (const std::string &word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

// For each command, such as "token list", a branch of `case` that sets `words`.
void append_words(std::string &out, const CLI::App &app, const CLI::App &root,
                  const std::string &command) {
    out += "        \"" + command + "\") words=\"" + words_after(app, root) + "\" ;;\n";
    for (const CLI::App *each : app.get_subcommands(all))
        append_words(out, *each, root, (command.empty() ? "" : command + " ") + each->get_name());
}

// The patterns of all commands but scimctl itself: " token"|" token list"|….
void append_commands(std::string &out, const CLI::App &app, const std::string &command) {
    for (const CLI::App *each : app.get_subcommands(all)) {
        const std::string name = command + " " + each->get_name();
        out += (out.empty() ? "\"" : "|\"") + name + "\"";
        append_commands(out, *each, name);
    }
}

}  // namespace

std::string completion_script(const CLI::App &app) {
    std::string commands, words;
    append_commands(commands, app, "");
    append_words(words, app, app, "");
    return R"(# Completion of scimctl for bash and zsh: source <(scimctl completion)
[ -z "${ZSH_VERSION:-}" ] || { autoload -U +X compinit bashcompinit && compinit && bashcompinit; }
_scimctl() {
    local word command= words
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$command $word" in
            )" +
           commands + R"() command="$command $word" ;;
        esac
    done
    case "${command# }" in
)" + words +
           R"(    esac
    COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _scimctl scimctl
)";
}

}  // namespace scim::scimctl
