#pragma once
// How far an import into a tenant has come (service/import.h): a row of `local`, written in the
// transaction that writes the records, so that an interrupted import continues exactly there.
//
//     position := source:u64 started:i64 seed:u64 before:u64 lines:u64 digest:u64 begun:u8

#include <cstdint>
#include <optional>
#include <string>

#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

struct ImportPosition {
    uint64_t source = 0;    // digest of the first line and of the options
    int64_t started = 0;    // milliseconds since 1970; ids are made from it and `seed`
    uint64_t seed = 0;      // random
    uint64_t before = 0;    // the tenant's last position when the import began
    uint64_t lines = 0;     // lines that are done
    uint64_t digest = 0;    // of those lines
    bool is_begun = false;  // the next line has been written, perhaps without all its members

    bool operator==(const ImportPosition &o) const {
        return source == o.source && started == o.started && seed == o.seed && before == o.before &&
               lines == o.lines && digest == o.digest && is_begun == o.is_begun;
    }
};

std::optional<ImportPosition> decode_import_position(Bytes bytes);
// Nothing if no import into the tenant is unfinished.
std::optional<ImportPosition> find_import_position(Txn &txn, TenantNumber tenant);
void put_import_position(WriteTxn &txn, TenantNumber tenant, const ImportPosition &position);
void delete_import_position(WriteTxn &txn, TenantNumber tenant);

}  // namespace scim::store
