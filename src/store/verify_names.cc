#include "store/directory.h"
#include "store/names.h"
#include "store/verification.h"

namespace scim::store {

namespace {

class NameVerifier {
  public:
    explicit NameVerifier(Verification &v) : v_(v) {}
    void check(Bytes key, Bytes value);

  private:
    void check_name(TenantNumber tenant, const Id &id, Bytes value);
    void check_digest(TenantNumber tenant, const Id &id, Bytes key, Bytes value);
    void wrong(std::string text) { v_.problem(Db::names, name_, std::move(text)); }

    Verification &v_;
    std::string name_;  // of the row
};

constexpr size_t name_key_size = 4 + 1 + id_size, digest_key_size = 4 + 1 + 8 + id_size;

void NameVerifier::check(Bytes key, Bytes value) {
    const bool is_name = key[4] == 1 && key.size() == name_key_size;
    if (!is_name && (key[4] != 2 || key.size() != digest_key_size))
        return v_.problem(Db::names, hex_text(key), "the key is neither an id nor a digest");
    const TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
    const Id id = id_at(key, key.size() - id_size);
    name_ =
        "tenant " + std::to_string(tenant) + " " + scim::to_string(id) + (is_name ? "" : " digest");
    v_.report.names += is_name;
    if (is_name)
        check_name(tenant, id, value);
    else
        check_digest(tenant, id, key, value);
}

void NameVerifier::check_name(TenantNumber tenant, const Id &id, Bytes value) {
    const auto kept = decode_deleted_name(value);
    if (!kept) return wrong("the value has " + std::to_string(value.size()) + " bytes");
    Bytes row;
    if (!v_.txn().get(Db::names, name_digest_key(tenant, kept->name, id), row))
        wrong("the row of its digest is missing, so it cannot be forgotten");
    // A deletion has further parts if the resource had members.
    if (!v_.txn().get(Db::changes, change_key(tenant, kept->position, 0), row))
        wrong("its change " + std::to_string(kept->position) + " is not in the log");
    else if (deleted_resource(row) != id)
        wrong("change " + std::to_string(kept->position) + " does not delete it");
}

void NameVerifier::check_digest(TenantNumber tenant, const Id &id, Bytes key, Bytes value) {
    Bytes row;
    if (!value.empty()) wrong("the value has " + std::to_string(value.size()) + " bytes");
    if (!v_.txn().get(Db::names, deleted_name_key(tenant, id), row))
        return wrong("there is no name of this id");
    const auto kept = decode_deleted_name(row);
    if (kept && Bytes(name_digest_key(tenant, kept->name, id)) != key)
        wrong("the name of this id has another digest");
}

}  // namespace

void verify_names(Verification &v) {
    NameVerifier verifier(v);
    v.each_tenant_row(Db::names, 4 + 1 + id_size, SIZE_MAX,
                      [&](Bytes key, Bytes value) { verifier.check(key, value); });
}

}  // namespace scim::store
