#pragma once
// JSON rows, for databases with few and rarely read rows (catalog, tenants, tokens, refusals): they
// can be extended with members, and an operator can read them with mdb_dump. scimctl uses RowWriter
// for its JSON output, too.

#include <string>
#include <string_view>
#include <vector>

#include "scim/text/json.h"
#include "store/lmdb.h"

namespace scim::store {

class RowWriter {
  public:
    RowWriter &text(std::string_view key, std::string_view value) {
        write_string(member(key), value);
        return *this;
    }
    RowWriter &number(std::string_view key, int64_t value) {
        write_integer(member(key), value);
        return *this;
    }
    RowWriter &boolean(std::string_view key, bool value) {
        member(key) += value ? "true" : "false";
        return *this;
    }
    RowWriter &texts(std::string_view key, const std::vector<std::string> &values) {
        std::string &out = member(key);
        out += '[';
        for (const auto &value : values) {
            if (out.back() != '[') out += ',';
            write_string(out, value);
        }
        out += ']';
        return *this;
    }
    // An array of objects.
    RowWriter &rows(std::string_view key, const std::vector<RowWriter> &values) {
        std::string &out = member(key);
        out += '[';
        for (const RowWriter &value : values) {
            if (out.back() != '[') out += ',';
            out += value.done();
        }
        out += ']';
        return *this;
    }
    // Begins a member; the caller appends its JSON value to the returned string.
    std::string &member(std::string_view key) {
        if (out_.size() > 1) out_ += ',';
        write_string(out_, key);
        out_ += ':';
        return out_;
    }
    // Appends the closing brace of an object that the caller has begun in a member.
    RowWriter &close() {
        out_ += '}';
        return *this;
    }
    std::string done() const { return out_ + '}'; }

  private:
    std::string out_ = "{";
};

// Reads a JSON row. A missing member, or one of another type, reads as empty, 0 or false. Converts
// to false if the row is not a JSON object; why() is then the reason.
class RowReader {
  public:
    explicit RowReader(Bytes bytes) : row_(parse_json(bytes, JsonLimits{16, 100000})) {}

    explicit operator bool() const { return bool(row_); }
    const std::string &why() const { return row_.error().detail; }
    const json_t *get(const char *key) const { return json_object_get(row_->get(), key); }
    std::string text(const char *key) const {
        const json_t *value = get(key);
        return json_is_string(value) ? std::string(text_of(value)) : std::string();
    }
    int64_t number(const char *key) const { return json_integer_value(get(key)); }
    bool boolean(const char *key) const { return json_is_true(get(key)); }

  private:
    Result<Json> row_;
};

}  // namespace scim::store
