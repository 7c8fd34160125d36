#pragma once
// The gate in front of the data: who may read and write a store,
// and the catalog it describes itself with.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "scim/catalog.h"
#include "store/lmdb.h"

namespace scim::store {

// This build writes format 1 and reads formats 1 to 1. A later format says in `min_reader` and
// `min_writer` which builds may still come near it.
constexpr unsigned format_version = 1;

struct Gate {
    Errc code = Errc::ok;  // not_found: an empty store; damaged: no number where one must be
    unsigned min_reader = 0, min_writer = 0, write_format = 0;

    bool readable() const { return code == Errc::ok && min_reader <= format_version; }
    bool writable() const { return readable() && min_writer <= format_version; }
};
Gate read_gate(Txn &txn);
// A sentence for the log when readable() or writable() is false.
std::string gate_problem(const Gate &gate, const std::string &directory);
// Marks an empty store as one of this format.
void write_gate(WriteTxn &txn);

// The epoch of the catalog in this transaction: 0 if there is none. One look-up.
uint32_t catalog_epoch(Txn &txn);
// All rows. Errors name the row.
Result<CatalogRows> read_catalog(Txn &txn);
void write_catalog(WriteTxn &txn, const CatalogRows &rows);

// Grows with every change of a tenant or a token:
// what was authenticated stays so while it stands. One look-up.
uint64_t auth_epoch(Txn &txn);
void bump_auth_epoch(WriteTxn &txn);

// A number in `meta` that only grows: tenant numbers are never given twice.
uint32_t next_tenant_number(WriteTxn &txn);

}  // namespace scim::store
