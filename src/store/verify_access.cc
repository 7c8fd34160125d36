#include "store/access.h"

#include <algorithm>

#include "store/directory.h"
#include "store/verification.h"

namespace scim::store {

namespace {

class AccessVerifier {
  public:
    explicit AccessVerifier(Verification &v) : v_(v) {}
    void check(Bytes key, Bytes value);

  private:
    bool user_exists(TenantNumber tenant, const Id &id);
    void check_value(TenantNumber tenant, AccessKind kind, Bytes value);
    void check_block(TenantNumber tenant, Bytes rest, Bytes value);
    void check_listed(Bytes key, const AccessState &state);
    void wrong(std::string text) { v_.problem(Db::access, name_, std::move(text)); }

    Verification &v_;
    std::string name_;  // of the row
};

void AccessVerifier::check(Bytes key, Bytes value) {
    const TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
    const auto kind = AccessKind(key[4]);
    const Bytes rest = key.substr(access_prefix_size);
    const std::string of_tenant = "tenant " + std::to_string(tenant) + " ";
    v_.report.access_rows++;
    switch (kind) {
        case AccessKind::resource:
            name_ = of_tenant + (rest.size() == id_size ? scim::to_string(id_at(rest, 0))
                                                        : "id " + hex_text(rest));
            break;
        case AccessKind::user_name: name_ = of_tenant + "deleted userName " + quoted(rest); break;
        case AccessKind::external_id:
            name_ = of_tenant + "deleted externalId " + quoted(rest);
            break;
        case AccessKind::id:
            name_ = of_tenant + "deleted id " +
                    (rest.size() == id_size ? scim::to_string(id_at(rest, 0)) : hex_text(rest));
            break;
        case AccessKind::block:
            name_ = of_tenant + "block " + hex_text(rest);
            return check_block(tenant, rest, value);
        default:
            name_ = hex_text(key);
            return wrong("there is no row of kind " + std::to_string(uint8_t(key[4])));
    }
    const auto state = decode_access(value);
    if (value.size() != 16 && value.size() != 16 + id_size)
        wrong("the value has " + std::to_string(value.size()) + " bytes");
    else if (!state)
        wrong("its times are both 0, or before 1970, or the user of its block is wrong");
    if (state && kind != AccessKind::resource) check_listed(key, *state);
    if (kind == AccessKind::user_name || kind == AccessKind::external_id)
        return check_value(tenant, kind, rest);
    if (rest.size() != id_size)
        return wrong("the id has " + std::to_string(rest.size()) + " bytes");
    const bool exists = user_exists(tenant, id_at(rest, 0));
    if (kind == AccessKind::resource && !exists) wrong("there is no such user");
    if (kind == AccessKind::id && exists)
        wrong("a user has this id, but has not inherited the state");
}

bool AccessVerifier::user_exists(TenantNumber tenant, const Id &id) {
    Directory directory(v_.txn(), tenant);
    const auto &types = v_.catalog->types();
    return std::any_of(types.begin(), types.end(), [&](const auto &type) {
        return has_users(*type) && directory.exists(type->number, id);
    });
}

// A tombstone with the user of its block is listed by a row of this user.
void AccessVerifier::check_listed(Bytes key, const AccessState &state) {
    Bytes row;
    if (state.blocked_user != Id{} &&
        !v_.txn().get(Db::access, block_key(state.blocked_user, key), row))
        wrong("the list of the block of " + scim::to_string(state.blocked_user) +
              " does not contain it");
}

void AccessVerifier::check_block(TenantNumber tenant, Bytes rest, Bytes value) {
    if (rest.size() <= id_size + 1)
        return wrong("the key has " + std::to_string(rest.size()) + " bytes of a user and a value");
    if (!value.empty()) wrong("the value has " + std::to_string(value.size()) + " bytes");
    const std::string tombstone = std::string(tenant_prefix(tenant)).append(rest.substr(id_size));
    Bytes row;
    const auto state = v_.txn().get(Db::access, tombstone, row) ? decode_access(row)
                                                                : std::optional<AccessState>();
    if (!state || state->blocked_user != id_at(rest, 0))
        wrong("there is no tombstone with this block");
}

// A value that exactly one user has has no tombstone.
void AccessVerifier::check_value(TenantNumber tenant, AccessKind kind, Bytes value) {
    if (value.empty() || value.size() > index_value_max)
        return wrong("the index value has " + std::to_string(value.size()) + " bytes");
    Directory directory(v_.txn(), tenant);
    std::vector<std::string> users;
    for (const auto &type : v_.catalog->types()) {
        if (!has_users(*type)) continue;
        const Attr *attr = kind == AccessKind::user_name ? type->user_name : type->external_id;
        if (attr == nullptr) continue;
        for (const Id &id : directory.find(type->number, attr->number, value, 2))
            users.push_back(type->type.name + " " + scim::to_string(id));
    }
    if (users.size() == 1) wrong(users[0] + " has this value, but has not inherited the state");
}

}  // namespace

void verify_access(Verification &v) {
    AccessVerifier verifier(v);
    v.each_tenant_row(Db::access, access_prefix_size, SIZE_MAX,
                      [&](Bytes key, Bytes value) { verifier.check(key, value); });
}

}  // namespace scim::store
