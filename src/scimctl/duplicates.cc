// scimctl duplicates: lists the values that several resources have, although their attribute is
// declared unique.

#include "scimctl/commands.h"
#include "service/admin.h"
#include "service/index_builder.h"

namespace scim::scimctl {

namespace {

constexpr size_t listed_values = 10000;  // of one attribute and tenant

std::string ids_of(const service::Duplicate &duplicate) {
    std::string text;
    for (const Id &id : duplicate.ids) text += (text.empty() ? "" : ", ") + scim::to_string(id);
    return text;
}

void add_duplicate(List &list, const store::Tenant &tenant, const service::Duplicate &duplicate) {
    store::RowWriter row;
    row.text("tenant", tenant.name).text("type", duplicate.type->type.name);
    row.text("attribute", duplicate.attr->path);
    if (!duplicate.value.empty()) row.member("value") += duplicate.value;
    std::vector<std::string> ids;
    for (const Id &id : duplicate.ids) ids.push_back(scim::to_string(id));
    row.texts("ids", ids);
    list.add("Tenant " + tenant.name + ": " + duplicate.type->type.name + " " +
                 duplicate.attr->path + " " + duplicate.value + ": " + ids_of(duplicate),
             row);
}

store::RowWriter row_of(const service::Unenforced &unenforced) {
    store::RowWriter row;
    row.text("type", unenforced.type->type.name).text("attribute", unenforced.attr->path);
    return row.text("state", to_string(unenforced.index->state));
}

}  // namespace

int duplicates(const Globals &globals, const std::string &name) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    service::Snapshot snapshot(session);
    if (auto usable = snapshot.usable(); !usable) return fail(globals, usable.error());
    std::vector<store::Tenant> tenants;
    if (name.empty()) {
        tenants = store::list_tenants(snapshot.txn);
    } else {
        auto tenant = service::tenant_named(snapshot.txn, name);
        if (!tenant) return fail(globals, tenant.error());
        tenants.push_back(std::move(*tenant));
    }
    std::vector<store::RowWriter> attributes;
    List list;
    for (const auto &unenforced : service::unenforced_attributes(*snapshot.catalog())) {
        attributes.push_back(row_of(unenforced));
        for (const store::Tenant &tenant : tenants)
            for (const auto &duplicate : service::find_duplicates(
                     snapshot.txn, tenant.number, unenforced, SIZE_MAX, listed_values))
                add_duplicate(list, tenant, duplicate);
    }
    if (!snapshot.txn.good()) return fail(globals, exit_store, to_string(snapshot.txn.error()));
    store::RowWriter json;
    json.rows("unenforced", attributes);
    return list.print(globals, json, "duplicates",
                      attributes.empty()
                          ? "All unique attributes are enforced."
                          : "No value of a unique attribute is stored twice; the attributes that "
                            "are not enforced yet will be, after a reload if their state is "
                            "conflict.");
}

}  // namespace scim::scimctl
