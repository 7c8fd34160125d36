#include "scimctl/remote_input.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "scimctl/progress.h"

namespace scim::scimctl {

namespace {

constexpr size_t token_most = 16384, ca_most = size_t(16) << 20;  // bytes
constexpr size_t detail_most = 500;                               // bytes of an error that is shown
constexpr char token_variable[] = "SCIM_REMOTE_TOKEN";

Error wrong(std::string text) { return {Refusal::import_input, std::move(text)}; }

// What the server says about a status other than 200.
std::string reason_of(const HttpAnswer &answer) {
    std::string text = "status " + std::to_string(answer.status);
    if (answer.status >= 300 && answer.status < 400)
        return text + "; redirects are not followed, so that the token is sent to no other server";
    const auto json = service::parse_remote(answer.body);
    const json_t *detail = json ? member_of(json->get(), "detail") : nullptr;
    return json_is_string(detail) ? text + ": " + quoted(text_of(detail), detail_most) : text;
}

Result<std::string> read_all(FILE *file, const std::string &name, size_t most) {
    std::string text(most + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    if (std::ferror(file) != 0) return wrong("cannot read " + name + ": " + std::strerror(errno));
    if (text.size() > most)
        return wrong(name + " is longer than " + std::to_string(most) + " bytes");
    return text;
}

Result<std::string> read_file(const std::string &name, size_t most) {
    const File file(std::fopen(name.c_str(), "re"));
    if (file == nullptr) return wrong("cannot open \"" + name + "\": " + std::strerror(errno));
    return read_all(file.get(), "\"" + name + "\"", most);
}

Result<std::string> read_token(const RemoteArguments &arguments) {
    if (arguments.token == "-") return read_all(stdin, "the token on stdin", token_most);
    if (!arguments.token.empty()) return arguments.token;
    if (!arguments.token_file.empty()) return read_file(arguments.token_file, token_most);
    const char *variable = std::getenv(token_variable);
    return std::string(variable != nullptr ? variable : "");
}

// Without blanks at its end. Other characters could not be sent in a header.
Result<std::string> check_token(std::string token) {
    token.erase(token.find_last_not_of(" \t\r\n") + 1);
    if (token.empty())
        return wrong(std::string("--from needs a token: --token-file FILE, --token - for stdin, or "
                                 "the environment variable ") +
                     token_variable);
    const bool is_printable =
        std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (!is_printable || token.size() > token_most)
        return wrong("the token must be 1 to " + std::to_string(token_most) +
                     " printable ASCII characters without blanks");
    return token;
}

}  // namespace

RemoteInput::RemoteInput(std::string base_url, const std::string &token, const std::string &ca,
                         HttpClient::Say say)
    : client_(std::move(base_url), token, ca, say), say_(std::move(say)) {}

Result<bool> RemoteInput::next(std::string &line) {
    if (types_.empty()) RETURN_IF_ERROR(find_types());
    while (next_line_ == lines_.size()) {
        if (pages_ && pages_->at_end()) end_type();
        if (!pages_ && next_type_ == types_.size()) return false;
        if (!pages_) pages_.emplace(types_[next_type_++], paging_);
        RETURN_IF_ERROR(read_page());
    }
    line = std::move(lines_[next_line_++]);
    return true;
}

void RemoteInput::end_type() {
    if (const uint64_t unsent = pages_->unsent(); unsent > 0) {
        say_(types_[next_type_ - 1].endpoint + ": the server has not sent " + with_commas(unsent) +
             " of the resources that it counts; they may have been created or deleted meanwhile");
        unsent_ += unsent;
    }
    pages_.reset();
}

Result<std::optional<HttpAnswer>> RemoteInput::find(const std::string &path) {
    auto answer = client_.get(path);
    RETURN_IF_ERROR(answer);
    if (answer->status == 404 || answer->status == 501) return std::optional<HttpAnswer>();
    if (answer->status != 200) return client_.failed(path, reason_of(*answer));
    if (answer->is_too_long) return client_.failed(path, "the answer is longer than 64 MiB");
    return std::optional<HttpAnswer>(std::move(*answer));
}

Outcome RemoteInput::find_types() {
    const std::string config = "/ServiceProviderConfig", types = "/ResourceTypes";
    auto answer = find(config);
    RETURN_IF_ERROR(answer);
    if (*answer) {
        auto paging = service::read_paging((*answer)->body);
        if (!paging) return client_.failed(config, paging.error().detail);
        paging_ = *paging;
    }
    answer = find(types);
    RETURN_IF_ERROR(answer);
    if (!*answer) {
        types_ = service::usual_types();
        return Done{};
    }
    auto found = service::read_types((*answer)->body, client_.base_url());
    if (!found) return client_.failed(types, found.error().detail);
    types_ = std::move(*found);
    return Done{};
}

Outcome RemoteInput::read_page() {
    const std::string path = pages_->request();
    auto answer = client_.get(path);
    RETURN_IF_ERROR(answer);
    lines_.clear();
    next_line_ = 0;
    const bool is_absent = answer->status == 404 || answer->status == 501;
    if (is_absent && types_[next_type_ - 1].may_be_absent && !pages_->has_begun()) {
        pages_.reset();
        return Done{};
    }
    if (pages_->is_beyond_total() && (is_absent || answer->status == 400)) {
        pages_->end();
        return Done{};
    }
    if (answer->status != 200) return client_.failed(path, reason_of(*answer));
    if (answer->is_too_long) {
        if (pages_->ask_for_fewer()) return Done{};
        return client_.failed(path, "the answer is longer than 64 MiB");
    }
    if (auto taken = pages_->take(answer->body, lines_); !taken)
        return client_.failed(path, taken.error().detail);
    return Done{};
}

Result<std::unique_ptr<RemoteInput>> open_remote(const RemoteArguments &arguments,
                                                 HttpClient::Say say) {
    auto base = check_base_url(arguments.from);
    RETURN_IF_ERROR(base);
    auto given = read_token(arguments);
    RETURN_IF_ERROR(given);
    auto token = check_token(std::move(*given));
    RETURN_IF_ERROR(token);
    std::string certificates;
    if (!arguments.ca.empty()) {
        auto ca = read_file(arguments.ca, ca_most);
        RETURN_IF_ERROR(ca);
        if (ca->empty()) return wrong("\"" + arguments.ca + "\" is empty");
        certificates = std::move(*ca);
    }
    return std::make_unique<RemoteInput>(std::move(*base), *token, certificates, std::move(say));
}

}  // namespace scim::scimctl
