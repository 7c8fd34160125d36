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
    void check_tombstone(TenantNumber tenant, AccessKind kind, Bytes value);
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
        default:
            name_ = hex_text(key);
            return wrong("there is no row of kind " + std::to_string(uint8_t(key[4])));
    }
    if (value.size() != 16)
        wrong("the value has " + std::to_string(value.size()) + " bytes");
    else if (!decode_access(value))
        wrong("its times are both 0, or before 1970");
    if (kind == AccessKind::user_name || kind == AccessKind::external_id)
        return check_tombstone(tenant, kind, rest);
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

void AccessVerifier::check_tombstone(TenantNumber tenant, AccessKind kind, Bytes value) {
    if (value.empty() || value.size() > index_value_max)
        return wrong("the index value has " + std::to_string(value.size()) + " bytes");
    Directory directory(v_.txn(), tenant);
    for (const auto &type : v_.catalog->types()) {
        if (!has_users(*type)) continue;
        const Attr *attr = kind == AccessKind::user_name ? type->user_name : type->external_id;
        if (attr == nullptr) continue;
        for (const Id &id : directory.find(type->number, attr->number, value, 1))
            wrong(type->type.name + " " + scim::to_string(id) +
                  " has this value, but has not inherited the state");
    }
}

}  // namespace

void verify_access(Verification &v) {
    AccessVerifier verifier(v);
    v.each_tenant_row(Db::access, access_prefix_size, SIZE_MAX,
                      [&](Bytes key, Bytes value) { verifier.check(key, value); });
}

}  // namespace scim::store
