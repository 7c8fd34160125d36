#include "service/access_text.h"

#include <algorithm>

#include "scim/text/datetime.h"
#include "scim/text/text.h"
#include "service/gate_session.h"
#include "store/row.h"

namespace scim::service {

namespace {

using store::AccessKind;
using store::AccessState;

constexpr std::string_view access_member = "urn:nginx-scim:access",
                           deleted_member = "urn:nginx-scim:deleted";

struct ValueName {
    std::string_view name;
    AccessKind kind;
    bool is_key;
};
constexpr ValueName value_names[] = {
    {"userName", AccessKind::user_name, false},
    {"externalId", AccessKind::external_id, false},
    {"userNameKey", AccessKind::user_name, true},
    {"externalIdKey", AccessKind::external_id, true},
    {"id", AccessKind::id, false},
};

Error wrong(std::string_view member, const std::string &what) {
    return {Refusal::import_record, "\"" + std::string(member) + "\": " + what};
}

std::string shown(const json_t *value) {
    return json_is_string(value) ? quoted(text_of(value)) : std::string(kind_of(value));
}

void append_state(store::RowWriter &row, const AccessState &state) {
    if (state.blocked != 0) row.text("blocked", time_text(state.blocked));
    if (state.not_before != 0) row.text("notBefore", time_text(state.not_before));
}

// Takes a member of a state; false if `name` is not that of one.
Result<bool> read_state(std::string_view member, std::string_view name, const json_t *value,
                        int64_t now, AccessState &state) {
    if (name != "blocked" && name != "notBefore") return false;
    const auto time =
        json_is_string(value) ? parse_datetime(text_of(value)) : std::optional<int64_t>();
    if (!time || *time < 1000)
        return wrong(member,
                     std::string(name) + " must be a dateTime after 1970, not " + shown(value));
    (name == "blocked" ? state.blocked : state.not_before) =
        std::min(*time / 1000, now + session_skew_max * 1000);
    return true;
}

Outcome check_state(std::string_view member, const AccessState &state) {
    if (state.empty()) return wrong(member, "it must have blocked or notBefore");
    return Done{};
}

Outcome read_blocked_user(const json_t *value, DeletedUser &user) {
    const auto id = parse_id(json_is_string(value) ? text_of(value) : std::string_view());
    if (!id || *id == Id{})
        return wrong(deleted_member,
                     "blockedUser must be a UUID in lower case, not " + shown(value));
    user.state.blocked_user = *id;
    return Done{};
}

// Calls `each(name, value)` for the members, until it returns an error.
template <class Each>
Outcome each_member(std::string_view member, const json_t *object, Each &&each) {
    if (!json_is_object(object))
        return wrong(member, "the value must be an object, not " + std::string(kind_of(object)));
    const char *name;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(object), name, value) {
        RETURN_IF_ERROR(each(std::string_view(name), static_cast<const json_t *>(value)));
    }
    return Done{};
}

// The index values that users with this text have: more than one if types compare it differently.
std::vector<std::string> index_values_of(const Catalog &catalog, AccessKind kind,
                                         std::string_view text) {
    std::vector<std::string> values;
    for (const auto &type : catalog.types()) {
        if (!store::has_users(*type)) continue;
        const Attr *attr = kind == AccessKind::user_name ? type->user_name : type->external_id;
        if (attr == nullptr) continue;
        std::string value = store::index_value_of_text(*attr, text);
        if (!value.empty() && std::find(values.begin(), values.end(), value) == values.end())
            values.push_back(std::move(value));
    }
    return values;
}

std::optional<std::string> bytes_of_hex(std::string_view text) {
    if (text.empty() || text.size() % 2 != 0 || text.size() / 2 > store::index_value_max)
        return std::nullopt;
    std::string bytes;
    for (size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes += char(high << 4 | low);
    }
    return bytes;
}

Outcome read_value(const Catalog &catalog, const ValueName &name, const json_t *json,
                   DeletedUser &user) {
    if (!user.values.empty())
        return wrong(deleted_member, "it must have one of userName, externalId and id only");
    const std::string_view text = json_is_string(json) ? text_of(json) : std::string_view();
    user.kind = name.kind;
    if (name.is_key) {
        if (auto bytes = bytes_of_hex(text)) user.values.push_back(std::move(*bytes));
    } else if (name.kind == AccessKind::id) {
        if (const auto id = parse_id(text); id && *id != Id{})
            user.values.emplace_back(reinterpret_cast<const char *>(id->data()), id->size());
    } else if (!text.empty()) {
        user.values = index_values_of(catalog, name.kind, text);
    }
    if (!user.values.empty()) return Done{};
    const char *expected = name.is_key ? "2 to 800 hexadecimal digits in lower case"
                           : name.kind == AccessKind::id ? "a UUID in lower case"
                                                         : "a string that is not empty";
    return wrong(deleted_member,
                 std::string(name.name) + " must be " + expected + ", not " + shown(json));
}

}  // namespace

void append_access(std::string &object, const AccessState &state) {
    object.pop_back();
    store::RowWriter row;
    append_state(row, state);
    object += ',';
    write_string(object, access_member);
    object += ':' + row.done() + '}';
}

Result<AccessState> take_access(json_t *record, int64_t now) {
    std::string_view written;
    const json_t *object = member_of(record, access_member, &written);
    AccessState state;
    if (object == nullptr) return state;
    RETURN_IF_ERROR(each_member(
        access_member, object, [&](std::string_view name, const json_t *value) -> Outcome {
            const auto is_known = read_state(access_member, name, value, now, state);
            RETURN_IF_ERROR(is_known);
            if (!*is_known) return wrong(access_member, "there is no member " + quoted(name));
            return Done{};
        }));
    RETURN_IF_ERROR(check_state(access_member, state));
    json_object_del(record, std::string(written).c_str());
    return state;
}

void append_deleted_user(std::string &out, const Catalog &catalog, store::Bytes key,
                         const AccessState &state) {
    const auto kind = AccessKind(key[store::access_prefix_size - 1]);
    const store::Bytes value = key.substr(store::access_prefix_size);
    store::RowWriter row;
    for (const ValueName &name : value_names) {
        if (name.kind != kind) continue;
        if (kind == AccessKind::id) {
            row.text(name.name, scim::to_string(store::id_at(value, 0)));
            break;
        }
        // Also false if only a type that compares differently had the value.
        const bool is_text = is_utf8(value) && index_values_of(catalog, kind, value) ==
                                                   std::vector<std::string>{std::string(value)};
        if (is_text == name.is_key) continue;
        std::string hex;
        append_hex(hex, reinterpret_cast<const uint8_t *>(value.data()), value.size());
        row.text(name.name, is_text ? value : hex);
        break;
    }
    append_state(row, state);
    if (state.blocked_user != Id{}) row.text("blockedUser", scim::to_string(state.blocked_user));
    store::RowWriter line;
    line.member(deleted_member) += row.done();
    out += line.done();
}

Result<std::optional<DeletedUser>> read_deleted_user(const Catalog &catalog, const json_t *record,
                                                     int64_t now) {
    const json_t *object = member_of(record, deleted_member);
    if (object == nullptr) return std::optional<DeletedUser>();
    if (json_object_size(record) != 1)
        return wrong(deleted_member, "the line must have no other member");
    DeletedUser user;
    RETURN_IF_ERROR(each_member(
        deleted_member, object, [&](std::string_view name, const json_t *value) -> Outcome {
            const auto is_state = read_state(deleted_member, name, value, now, user.state);
            RETURN_IF_ERROR(is_state);
            if (*is_state) return Done{};
            if (name == "blockedUser") return read_blocked_user(value, user);
            const auto *known =
                std::find_if(std::begin(value_names), std::end(value_names),
                             [&](const ValueName &candidate) { return candidate.name == name; });
            if (known == std::end(value_names))
                return wrong(deleted_member, "there is no member " + quoted(name));
            return read_value(catalog, *known, value, user);
        }));
    if (user.values.empty())
        return wrong(deleted_member, "it must have one of userName, externalId and id");
    RETURN_IF_ERROR(check_state(deleted_member, user.state));
    if (user.state.blocked == 0 && user.state.blocked_user != Id{})
        return wrong(deleted_member, "it has blockedUser, but not blocked");
    return std::optional<DeletedUser>(std::move(user));
}

}  // namespace scim::service
