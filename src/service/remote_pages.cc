#include "service/remote_pages.h"

#include <xxhash.h>

#include <algorithm>

#include "scim/text/percent.h"

namespace scim::service {

namespace {

// A group may have many members.
constexpr uint64_t page_count = 100, page_count_of_groups = 10;
// Beyond these bounds the walk no longer follows a server that changes, so that it ends.
constexpr uint64_t changes_most = 1000, idle_pages_most = 100;
constexpr size_t cursor_most = 8192;  // bytes

Error invalid(std::string text) { return {Refusal::import_input, std::move(text)}; }

}  // namespace

RemotePages::RemotePages(const RemoteType &type, const RemotePaging &paging)
    : endpoint_(type.endpoint),
      by_cursor_(paging.by_cursor),
      count_(type.has_members ? page_count_of_groups : page_count) {
    if (by_cursor_) count_ = std::min(count_, paging.most);
}

std::string RemotePages::request() const {
    std::string args;
    if (by_cursor_)
        append_parameter(args, "cursor", cursor_);
    else
        append_parameter(args, "startIndex", std::to_string(start_));
    append_parameter(args, "count", std::to_string(count_));
    return endpoint_ + '?' + args;
}

Outcome RemotePages::take(std::string_view body, std::vector<std::string> &lines) {
    auto json = parse_remote(body);
    RETURN_IF_ERROR(json);
    const json_t *resources = member_of(json->get(), "Resources");
    if (is_assigned(resources) && !json_is_array(resources))
        return invalid("\"Resources\" must be an array, not " + std::string(kind_of(resources)));
    if (by_cursor_ && resources == nullptr && member_of(json->get(), "totalResults") == nullptr)
        return invalid(
            "the answer is no ListResponse: it has neither \"Resources\" nor \"totalResults\"");
    const size_t known = known_.size();
    RETURN_IF_ERROR(add_new(resources, lines));
    const uint64_t items = json_array_size(resources);
    const bool has_new = known_.size() > known;
    return by_cursor_ ? advance_cursor(json->get(), items, has_new)
                      : advance_index(json->get(), items, has_new);
}

// A resource without id, which the RFC does not allow, is known by its text.
bool RemotePages::is_new(const json_t *resource, std::string_view text) {
    const json_t *id = member_of(resource, "id");
    const std::string_view name = json_is_string(id) ? text_of(id) : text;
    const XXH128_hash_t hash = XXH3_128bits(name.data(), name.size());
    return known_.insert({hash.high64, hash.low64}).second;
}

Outcome RemotePages::add_new(const json_t *resources, std::vector<std::string> &lines) {
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *resource = json_array_get(resources, i);
        if (!json_is_object(resource))
            return invalid("\"Resources\" must be an array of objects; it contains " +
                           std::string(kind_of(resource)));
        std::string line;
        write_value(line, resource);
        if (is_new(resource, line)) lines.push_back(std::move(line));
    }
    return Done{};
}

Outcome RemotePages::advance_index(const json_t *page, uint64_t items, bool has_new) {
    const json_t *total = member_of(page, "totalResults");
    if (!json_is_integer(total) || json_integer_value(total) < 0)
        return invalid("\"totalResults\" must be the number of resources, not " +
                       std::string(kind_of(total)));
    const auto now = uint64_t(json_integer_value(total));
    if (items > 0 && start_ > now) counts_pages_ = true;
    if (counts_pages_) {
        total_.reset();
        start_ += items;
        at_end_ = !has_new;
        return Done{};
    }
    if (items == 0 && is_beyond_total()) return end(), Done{};
    const bool changed = total_ && now != *total_ && ++changes_ <= changes_most;
    const uint64_t fallen = changed && now < *total_ ? *total_ - now : 0;
    total_ = now;
    // Before the number of known resources, those of a page may all be known.
    if (items > 0 && !has_new && start_ > known_.size() && !changed)
        return invalid("the server sends the same resources again: it ignores \"startIndex\"");
    if (fallen > 0 && start_ > 1)
        start_ -= std::min(fallen, start_ - 1);
    else
        start_ += items;
    const bool may_count_pages = items > 0 && items == now && start_ == items + 1;
    at_end_ = (start_ > now && !may_count_pages) || (items == 0 && fallen == 0);
    return Done{};
}

Outcome RemotePages::advance_cursor(const json_t *page, uint64_t items, bool has_new) {
    const json_t *next = member_of(page, "nextCursor");
    walked_ += items;
    const json_t *total = member_of(page, "totalResults");
    if (json_is_integer(total) && json_integer_value(total) >= 0)
        total_ = uint64_t(json_integer_value(total));
    at_end_ = !is_assigned(next) || (json_is_string(next) && text_of(next).empty());
    if (at_end_) return Done{};
    if (!json_is_string(next) || text_of(next).size() > cursor_most)
        return invalid("\"nextCursor\" must be a string of at most " + std::to_string(cursor_most) +
                       " bytes");
    if (text_of(next) == cursor_)
        return invalid("the server answers with the cursor that it was sent");
    const bool repeats = walked_ > known_.size();  // after ask_for_fewer(), known pages come again
    idle_pages_ = has_new || (items > 0 && !repeats) ? 0 : idle_pages_ + 1;
    if (idle_pages_ == idle_pages_most)
        return invalid(std::to_string(idle_pages_most) + " pages in a row had no new resource");
    cursor_ = text_of(next);
    return Done{};
}

// A cursor belongs to a count, so that a walk by cursor begins again.
bool RemotePages::ask_for_fewer() {
    if (count_ == 1) return false;
    count_ = std::max(uint64_t(1), count_ / 10);
    cursor_.clear();
    walked_ = 0;
    return true;
}

}  // namespace scim::service
