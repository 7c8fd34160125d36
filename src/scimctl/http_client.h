#pragma once
// HTTP GETs with a bearer token, by libcurl, which only this file's source uses.
//
// The token is sent to the host of the base URL alone, which is reached by https or is loopback:
// certificates are always verified, and redirects are not followed. A connection takes at most 10
// seconds, a transfer ends when nothing has arrived for 60 seconds, and a body has at most 64 MiB.
// An answer with status 429 or 503 and Retry-After is asked for again, at most 10 times.

#include <functional>
#include <memory>
#include <string>

#include "scim/text/result.h"

namespace scim::scimctl {

// The URL without trailing slashes, if requests with a token may be sent below it: https, or http
// to a loopback address, without user, query and fragment.
Result<std::string> check_base_url(const std::string &url);

struct HttpAnswer {
    long status = 0;
    std::string body;
    bool is_too_long = false;  // then there is no body
};

class HttpClient {
  public:
    // Called before it waits, with a sentence.
    using Say = std::function<void(const std::string &)>;

    // `ca`: certificates in PEM, the only ones that are trusted; empty: those of the system.
    HttpClient(std::string base_url, const std::string &token, const std::string &ca, Say say);
    ~HttpClient();
    HttpClient(const HttpClient &) = delete;
    HttpClient &operator=(const HttpClient &) = delete;

    // GETs the base URL with `path` appended. Waits and tries again, up to ten times, if the answer
    // is 429 or 503 with Retry-After. Error: no complete answer was received.
    Result<HttpAnswer> get(const std::string &path);
    // An error of a request, beginning with its method and URL.
    Error failed(const std::string &path, const std::string &why) const;

    const std::string &base_url() const { return base_url_; }

  private:
    struct Transfer;

    Outcome send(const std::string &path, HttpAnswer &answer);

    const std::string base_url_;
    const Say say_;
    std::unique_ptr<Transfer> transfer_;
};

}  // namespace scim::scimctl
