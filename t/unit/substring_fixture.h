#pragma once
// Functions that declare substring indexes and show their states.

#include "client.h"
#include "scim/schema/declare_indexes.h"
#include "service/index_builder.h"
#include "store/format.h"
#include "store/postings.h"
#include "verify_fixture.h"

namespace {

using Wanted = std::vector<WantedIndex>;
inline const Wanted both = {{"User", "displayName", IndexKind::substring},
                            {"User", "emails.value", IndexKind::substring}};

// Declares indexes, as a worker of a newer configuration does.
inline void declare_indexes(service::Store &store, uint64_t generation, const Wanted &wanted) {
    WriteTxn txn(store.env());
    Declaration declaration = *make_declaration(generation, {});
    declaration.indexes = wanted;
    auto rows = declare(*read_catalog(txn), declaration);
    if (!rows || !*rows) std::abort();
    write_catalog(txn, **rows);
    if (txn.commit() != Errc::ok) std::abort();
}

// Completes the builds of a store without resources.
inline void finish_builds(service::Store &store) {
    for (bool more = true; more;) {
        WriteTxn txn(store.env());
        const auto catalog = catalog_of(txn);
        more = !catalog->unfinished().empty();
        if (more) service::advance_index(txn, *catalog, *catalog->unfinished().front());
        if (txn.commit() != Errc::ok) std::abort();
    }
}

inline std::string states(service::Store &store) {
    service::Session session(store);
    service::Snapshot snapshot(session);
    std::string text;
    for (const auto &status : service::index_states(snapshot.txn, *snapshot.catalog()))
        if (status.index->kind == IndexKind::substring)
            text += status.name + " " + std::string(to_string(status.index->state)) + "; ";
    return text;
}

inline uint64_t blocks(service::Store &store) {
    Reader reader(store.env());
    ReadTxn txn(reader);
    return txn.entries(Db::trigrams);
}

}  // namespace
