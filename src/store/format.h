#pragma once
// The format check, which decides whether this build may read and write a store; the catalog, with
// which the store describes itself; and the counters in the database `meta` (docs/format.md).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "scim/schema/catalog.h"
#include "store/lmdb.h"

namespace scim::store {

// The format that this build writes and the highest that it knows. A later format states in
// `min_reader` and `min_writer` the format that a build must know to read or write the store. A
// store of a format before `oldest_format` is refused: there are no migrations before version
// 0.1.0.
constexpr unsigned format_version = 5, oldest_format = 5;

struct FormatCheck {
    Errc code = Errc::ok;  // not_found: an empty store; damaged: a number is missing or malformed
    unsigned min_reader = 0, min_writer = 0, write_format = 0;

    bool readable() const { return code == Errc::ok && !is_old() && min_reader <= format_version; }
    // Written by a build before 0.1.0 whose format is not read any more.
    bool is_old() const { return code == Errc::ok && write_format < oldest_format; }
    bool writable() const { return readable() && min_writer <= format_version; }
};
FormatCheck check_format(Txn &txn);
// The log message for a store that is not readable() or not writable().
std::string format_problem(const FormatCheck &check, const std::string &directory);
// Writes this build's format numbers into an empty store.
void mark_format(WriteTxn &txn);

// The catalog's epoch; 0 if there is no catalog. Costs one look-up.
uint32_t catalog_epoch(Txn &txn);
// Reads all catalog rows. An error names the row: 500 if it is damaged, 503 if the transaction has
// failed.
Result<CatalogRows> read_catalog(Txn &txn);
void write_catalog(WriteTxn &txn, const CatalogRows &rows);
// The same if only indexes and numbers of the header have changed. It needs few pages, also while
// the map is almost full.
void write_indexes(WriteTxn &txn, const CatalogRows &rows);

// Increases with every change of a tenant or token: while it stays the same, an earlier
// authentication is still valid. Costs one look-up.
uint64_t auth_epoch(Txn &txn);
void bump_auth_epoch(WriteTxn &txn);

// Increments a counter in `meta`: a tenant number is never reused.
uint32_t next_tenant_number(WriteTxn &txn);

}  // namespace scim::store
