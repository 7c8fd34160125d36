// scimctl index list: lists the indexes of the store.

#include "scimctl/commands.h"
#include "service/index_builder.h"

namespace scim::scimctl {

namespace {

std::string line_of(const service::IndexStatus &status) {
    std::string line = status.name();
    if (status.index->unique) line += " unique";
    line += " " + std::string(to_string(status.index->state));
    if (status.index->state == IndexState::building)
        line += ", " + std::to_string(status.done) + " of " + std::to_string(status.total) +
                " resources";
    if (status.index->state == IndexState::dropping)
        line += ", " + std::to_string(status.done) + " rows deleted" +
                (status.index->declared ? "; it is built again afterwards" : "");
    return line;
}

store::RowWriter row_of(const service::IndexStatus &status) {
    store::RowWriter row;
    row.text("type", status.type).text("attribute", status.attribute);
    row.text("kind", to_string(status.index->kind));
    row.boolean("unique", status.index->unique).text("state", to_string(status.index->state));
    const bool is_building = status.index->state == IndexState::building;
    if (is_building || status.index->state == IndexState::dropping) row.number("done", status.done);
    if (is_building) row.number("total", status.total);
    return row;
}

}  // namespace

int index_list(const Globals &globals) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    service::Snapshot snapshot(session);
    if (auto usable = snapshot.usable(); !usable) return fail(globals, usable.error());
    List list;
    for (const auto &status : service::index_states(snapshot.txn, *snapshot.catalog()))
        list.add(line_of(status), row_of(status));
    if (!snapshot.txn.good()) return fail(globals, exit_store, to_string(snapshot.txn.error()));
    return list.print(globals, {}, "indexes", "The store has no index.");
}

}  // namespace scim::scimctl
