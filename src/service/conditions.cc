#include "service/conditions.h"

namespace scim::service {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

void skip_blanks(std::string_view &s) {
    while (!s.empty() && is_blank(s.front())) s.remove_prefix(1);
}

// etagc of RFC 9110 8.8.3, which does not include the double quote.
bool is_etag_character(char c) { return uint8_t(c) > 0x20 && uint8_t(c) != 0x7f && c != '"'; }

// Iterates over the tags of a field, without "W/" and quotes.
class Tags {
  public:
    explicit Tags(std::string_view field) : rest_(field) {}

    // False at the end of the field, and where it is malformed.
    bool next(std::string_view &tag) {
        skip_blanks(rest_);
        while (!rest_.empty() && rest_.front() == ',') {
            rest_.remove_prefix(1);
            skip_blanks(rest_);
        }
        if (rest_.empty()) return false;
        const bool good = rest_.front() == '"' || rest_.substr(0, 3) == "W/\"" ? take_quoted(tag)
                                                                               : take_word(tag);
        skip_blanks(rest_);
        if (good && (rest_.empty() || rest_.front() == ',')) return true;
        malformed_ = true;
        return false;
    }
    bool malformed() const { return malformed_; }

  private:
    bool take_quoted(std::string_view &tag) {
        rest_.remove_prefix(rest_.front() == '"' ? 1 : 3);
        return take(tag, true) && !rest_.empty() && (rest_.remove_prefix(1), true);
    }
    bool take_word(std::string_view &tag) {
        if (rest_.substr(0, 2) == "W/") rest_.remove_prefix(2);
        return take(tag, false) && !tag.empty();
    }
    // Takes the characters up to a double quote or, outside quotes, up to a comma.
    bool take(std::string_view &tag, bool in_quotes) {
        size_t size = 0;
        while (size < rest_.size() && is_etag_character(rest_[size]) &&
               (in_quotes || rest_[size] != ','))
            size++;
        tag = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return !in_quotes || (!rest_.empty() && rest_.front() == '"');
    }

    std::string_view rest_;
    bool malformed_ = false;
};

bool is_any(std::string_view field) {
    skip_blanks(field);
    while (!field.empty() && is_blank(field.back())) field.remove_suffix(1);
    return field == "*";
}

Outcome check_field(std::string_view name, std::string_view value) {
    if (value.data() == nullptr || is_any(value)) return Done{};
    Tags tags(value);
    std::string_view tag;
    size_t count = 0;
    bool has_star = false;
    while (tags.next(tag)) {
        count++;
        has_star |= tag == "*";
    }
    if (count > 0 && !has_star && !tags.malformed()) return Done{};
    return Error{Refusal::etag_form,
                 std::string(name) +
                     (count == 0 && !tags.malformed() ? " is empty" : " is malformed") +
                     "; expected * or a list of ETags such as W/\"17\""};
}

}  // namespace

Outcome check_condition_fields(const Request &request) {
    if (auto r = check_field("If-Match", request.if_match); !r) return r;
    return check_field("If-None-Match", request.if_none_match);
}

Outcome check_unversioned(const Request &request) {
    if (request.if_match.empty() || is_any(request.if_match)) return Done{};
    return Error{Refusal::etag_unavailable,
                 "If-Match is " + quoted(request.if_match) +
                     ", but this endpoint has no ETag; only a single resource has one"};
}

Outcome check_if_match(std::string_view if_match, std::string_view etag) {
    if (etag_listed(if_match, etag)) return Done{};
    return Error{Refusal::version_mismatch, "If-Match is " + quoted(if_match) +
                                                ", but the current ETag is " + std::string(etag) +
                                                "; read the resource again"};
}

bool etag_listed(std::string_view field, std::string_view etag) {
    if (is_any(field)) return true;
    std::string_view wanted, tag;
    if (!Tags(etag).next(wanted)) return false;
    Tags tags(field);
    bool listed = false;
    while (tags.next(tag)) listed |= tag == wanted;
    return listed && !tags.malformed();
}

}  // namespace scim::service
