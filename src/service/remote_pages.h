#pragma once
// The pages in which another SCIM server sends the resources of one type: the next request, and the
// resources of its answer.
//
// A resource that comes twice, by its id, is passed on once: pages by startIndex move when resources
// are created or deleted meanwhile. When totalResults falls, as many resources are asked for again.
// A server may send fewer resources than it was asked for. Some servers send the number of resources
// of the page as totalResults: if the first page has as many, the next one is asked for, too, and if
// it has resources, the walk goes on to a page without new ones. A walk ends, or fails, for whatever
// the server sends, unless it invents new resources without end.
//
// Memory: about 50 bytes for each resource, and one page.

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "service/remote_server.h"

namespace scim::service {

class RemotePages {
  public:
    RemotePages(const RemoteType &type, const RemotePaging &paging);

    bool at_end() const { return at_end_; }
    bool has_begun() const { return !known_.empty() || start_ > 1 || !cursor_.empty(); }
    // The next request, to be appended to the base URL: "/Users?startIndex=1&count=100".
    std::string request() const;
    // Takes the answer. Appends each new resource to `lines`, as one line of JSON. 400 if the answer
    // is no ListResponse, or does not bring the walk forward.
    Outcome take(std::string_view body, std::vector<std::string> &lines);
    // True if totalResults says that the next page is empty: a server may refuse the request.
    bool is_beyond_total() const { return total_ && start_ > *total_; }
    // The server has refused a request beyond the total.
    void end() { at_end_ = true; }
    // After an answer that was too long: false if only one resource was asked for.
    bool ask_for_fewer();
    // At the end: how many resources the server has counted and not sent.
    uint64_t unsent() const {
        return total_ && *total_ > known_.size() ? *total_ - known_.size() : 0;
    }

  private:
    struct Key {
        uint64_t high, low;  // a digest of the id
        bool operator==(const Key &other) const { return high == other.high && low == other.low; }
    };
    struct Hash {
        size_t operator()(const Key &key) const { return size_t(key.low); }
    };

    bool is_new(const json_t *resource, std::string_view text);
    Outcome add_new(const json_t *resources, std::vector<std::string> &lines);
    Outcome advance_index(const json_t *page, uint64_t items, bool has_new);
    Outcome advance_cursor(const json_t *page, uint64_t items, bool has_new);

    const std::string endpoint_;
    const bool by_cursor_;
    uint64_t count_;
    bool at_end_ = false;
    std::unordered_set<Key, Hash> known_;

    uint64_t start_ = 1;             // by startIndex
    std::optional<uint64_t> total_;  // totalResults of the last page that has it
    uint64_t changes_ = 0;           // of totalResults
    bool counts_pages_ = false;      // totalResults is that of the page

    std::string cursor_;  // empty: of the first page
    uint64_t walked_ = 0, idle_pages_ = 0;
};

}  // namespace scim::service
