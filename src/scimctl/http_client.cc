#include "scimctl/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <new>
#include <thread>

#include "scim/text/text.h"
#include "service/remote_server.h"

namespace scim::scimctl {

namespace {

constexpr long connect_seconds = 10, stalled_seconds = 60;
constexpr int tries_most = 10;
constexpr curl_off_t wait_most = 300;  // seconds

struct FreeUrl {
    void operator()(CURLU *url) const { curl_url_cleanup(url); }
};
struct FreeText {
    void operator()(char *text) const { curl_free(text); }
};
struct FreeList {
    void operator()(curl_slist *list) const { curl_slist_free_all(list); }
};
struct FreeHandle {
    void operator()(CURL *handle) const { curl_easy_cleanup(handle); }
};
using Url = std::unique_ptr<CURLU, FreeUrl>;
using Headers = std::unique_ptr<curl_slist, FreeList>;

// Empty if the URL does not have the part.
std::string part_of(const Url &url, CURLUPart part) {
    char *text = nullptr;
    if (curl_url_get(url.get(), part, &text, 0) != CURLUE_OK) return {};
    return std::unique_ptr<char, FreeText>(text).get();
}

bool is_loopback(const std::string &host) {
    in_addr address;
    if (inet_pton(AF_INET, host.c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == 127;
    return host == "[::1]" || ascii_iequals(host, "localhost");
}

void add_header(Headers &headers, const std::string &text) {
    curl_slist *list = curl_slist_append(headers.get(), text.c_str());
    if (list == nullptr) throw std::bad_alloc();
    static_cast<void>(headers.release());
    headers.reset(list);
}

}  // namespace

Result<std::string> check_base_url(const std::string &text) {
    const auto invalid = [&](const std::string &why) {
        return Error{Refusal::import_input, "the URL " + quoted(text, 200) + " " + why};
    };
    const Url url(curl_url());
    if (url == nullptr) throw std::bad_alloc();
    if (!is_url_text(text) || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
        return invalid("is not like https://host/scim/v2");
    const std::string scheme = part_of(url, CURLUPART_SCHEME);
    if (scheme != "https" && !(scheme == "http" && is_loopback(part_of(url, CURLUPART_HOST))))
        return invalid(
            "must be https, because a token is sent there; http is possible to loopback addresses");
    for (auto [part, name] :
         {std::pair(CURLUPART_USER, "user"), std::pair(CURLUPART_QUERY, "query"),
          std::pair(CURLUPART_FRAGMENT, "fragment")})
        if (!part_of(url, part).empty()) return invalid(std::string("must not have a ") + name);
    std::string base = part_of(url, CURLUPART_URL);
    base.erase(base.find_last_not_of("/?#") + 1);
    return base;
}

// The handle keeps its connection to the server.
struct HttpClient::Transfer {
    std::unique_ptr<CURL, FreeHandle> handle;
    Headers headers;
    std::array<char, CURL_ERROR_SIZE> error{};
    HttpAnswer *answer = nullptr;
    bool has_retry_after = false;
    bool is_out_of_memory = false;
    bool has_ca = true;  // false: libcurl does not take the certificates

    static size_t on_body(const char *bytes, size_t, size_t size, void *self) {
        HttpAnswer &answer = *static_cast<Transfer *>(self)->answer;
        if (size > service::remote_body_most - answer.body.size()) {
            answer.is_too_long = true;
            return size + 1;  // ends the transfer
        }
        // An exception must not pass through libcurl.
        try {
            answer.body.append(bytes, size);
        } catch (const std::bad_alloc &) {
            static_cast<Transfer *>(self)->is_out_of_memory = true;
            return size + 1;
        }
        return size;
    }
    static size_t on_header(const char *bytes, size_t, size_t size, void *self) {
        const std::string_view header(bytes, size);
        bool &found = static_cast<Transfer *>(self)->has_retry_after;
        if (header.substr(0, 5) == "HTTP/") found = false;  // another answer, such as 100
        found |= ascii_iequals(header.substr(0, 12), "Retry-After:");
        return size;
    }
};

HttpClient::HttpClient(std::string base_url, const std::string &token, const std::string &ca,
                       Say say)
    : base_url_(std::move(base_url)),
      say_(std::move(say)),
      transfer_(std::make_unique<Transfer>()) {
    Transfer &t = *transfer_;
    t.handle.reset(curl_easy_init());
    CURL *handle = t.handle.get();
    if (handle == nullptr) throw std::bad_alloc();
    add_header(t.headers, "Authorization: Bearer " + token);
    add_header(t.headers, "Accept: application/scim+json, application/json");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, t.headers.get());
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, connect_seconds);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, stalled_seconds);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, t.error.data());
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &t);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &t);
    // A proxy of the environment must not see the token: it is sent without TLS only to loopback.
    if (base_url_.compare(0, 5, "http:") == 0) curl_easy_setopt(handle, CURLOPT_PROXY, "");
    // A write to a connection that the server has closed is an error, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
    if (ca.empty()) return;
    curl_blob blob{const_cast<char *>(ca.data()), ca.size(), CURL_BLOB_COPY};
    t.has_ca = curl_easy_setopt(handle, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK;
    curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
}

HttpClient::~HttpClient() = default;

Error HttpClient::failed(const std::string &path, const std::string &why) const {
    return {Refusal::import_input, "GET " + base_url_ + path + ": " + why};
}

Outcome HttpClient::send(const std::string &path, HttpAnswer &answer) {
    if (!transfer_->has_ca)
        return failed(path, "the libcurl of this machine cannot trust the certificates of --ca");
    CURL *handle = transfer_->handle.get();
    transfer_->answer = &answer;
    transfer_->error.fill('\0');
    transfer_->has_retry_after = false;
    curl_easy_setopt(handle, CURLOPT_URL, (base_url_ + path).c_str());
    const CURLcode code = curl_easy_perform(handle);
    if (transfer_->is_out_of_memory) throw std::bad_alloc();
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
    if (answer.is_too_long) {
        answer.body.clear();
        return Done{};
    }
    if (code == CURLE_OK) return Done{};
    const char *why =
        transfer_->error[0] != '\0' ? transfer_->error.data() : curl_easy_strerror(code);
    return failed(path, why);
}

Result<HttpAnswer> HttpClient::get(const std::string &path) {
    for (int tries = 1;; tries++) {
        HttpAnswer answer;
        RETURN_IF_ERROR(send(path, answer));
        const bool is_refused = answer.status == 429 || answer.status == 503;
        if (!is_refused || !transfer_->has_retry_after || tries == tries_most) return answer;
        curl_off_t seconds = 0;
        curl_easy_getinfo(transfer_->handle.get(), CURLINFO_RETRY_AFTER, &seconds);
        seconds = std::clamp(seconds, curl_off_t(0), wait_most);
        say_(failed(path, "status " + std::to_string(answer.status) + "; trying again in " +
                              std::to_string(seconds) + " s (" + std::to_string(tries + 1) +
                              " of " + std::to_string(tries_most) + " tries)")
                 .detail);
        std::this_thread::sleep_for(std::chrono::seconds(seconds));
    }
}

}  // namespace scim::scimctl
