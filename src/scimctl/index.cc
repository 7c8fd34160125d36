// scimctl index list: lists the indexes of the store. scimctl reindex: drops and builds them again.

#include "scimctl/commands.h"
#include "service/index_builder.h"

namespace scim::scimctl {

namespace {

std::string line_of(const service::IndexStatus &status) {
    std::string line = status.name;
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

int reindex(const Globals &globals, const std::vector<std::string> &names) {
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    WriteTxn txn(globals, *store);
    service::CatalogCache catalogs;
    const auto catalog = catalogs.at(txn);
    if (!catalog) return fail(globals, catalog.error());
    const auto begun = service::rebuild_indexes(txn, **catalog, names);
    if (!begun) return fail(globals, begun.error());
    if (int code = commit(globals, txn); code != exit_ok) return code;
    std::string text;
    for (const std::string &name : *begun)
        text += "The index " + quoted(name) + " is dropped and built again.\n";
    text += begun->empty()
                ? "scim_index has added no index to the store."
                : "nginx begins within a minute; scimctl index list shows how far it is.";
    store::RowWriter row;
    return print(globals, text, row.texts("indexes", *begun)) ? exit_ok : exit_store;
}

}  // namespace scim::scimctl
