#pragma once
// The resources of another SCIM server as the records of an import: users, other types, groups.
// One page is in memory at a time.

#include <optional>
#include <vector>

#include "scimctl/commands.h"
#include "scimctl/http_client.h"
#include "scimctl/import_input.h"
#include "service/remote_pages.h"

namespace scim::scimctl {

class RemoteInput : public ImportInput {
  public:
    // `say`: prints a sentence for the operator.
    RemoteInput(std::string base_url, const std::string &token, const std::string &ca,
                HttpClient::Say say);

    // The first call asks the server for its configuration and types.
    Result<bool> next(std::string &line) override;
    const char *unit() const override { return "record"; }
    uint64_t unsent() const override { return unsent_; }

  private:
    // Nothing if the server does not have what the path names: status 404 or 501.
    Result<std::optional<HttpAnswer>> find(const std::string &path);
    Outcome find_types();
    Outcome read_page();
    void end_type();

    HttpClient client_;
    HttpClient::Say say_;
    service::RemotePaging paging_;
    std::vector<service::RemoteType> types_;
    size_t next_type_ = 0;
    std::optional<service::RemotePages> pages_;  // of the type before `next_type_`
    std::vector<std::string> lines_;
    size_t next_line_ = 0;
    uint64_t unsent_ = 0;
};

// Reads the token and the certificates: before the process takes the user of the store. An error is
// one of usage.
Result<std::unique_ptr<RemoteInput>> open_remote(const RemoteArguments &arguments,
                                                 HttpClient::Say say);

}  // namespace scim::scimctl
