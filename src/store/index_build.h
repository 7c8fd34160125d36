#pragma once
// Builds an index over resources that are stored already, and drops an index, in steps. Between the
// steps of a build every write keeps the rows of the index; a step adds those of the resources that
// no write has touched. While an index is dropped, no write adds rows.
//
// The lists of a substring index cannot tell whether a resource is in them already, because
// resources share numbers (store/postings.h). While such an index is built, a write keeps the lists
// only of a resource that the build has passed; a step adds the others as they are then.

#include "store/directory.h"

namespace scim::store {

struct IndexBuild {
    bool is_complete = false;  // all resources of the type have their rows
    // A unique value was found in two resources, in this or an earlier step.
    bool has_conflict = false;
    // The lists of a substring index have resources that, according to the progress, were not
    // indexed yet: the row of the progress was lost or is damaged. The index must be dropped and
    // built from the start, because the build would add the resources a second time.
    bool must_restart = false;
};

// Adds the rows of the next resources of all active tenants, as many as `effort` allows: a resource
// takes 1 and 1 more for each KiB of its record, a tenant takes 1. An index of values is begun again
// if the catalog was declared anew since the last step. REQUIRES: `index` is of `catalog`, which is the catalog of the
// transaction, and its type is declared.
IndexBuild build_index(WriteTxn &txn, const Catalog &catalog, const IndexDef &index, size_t effort);

// True if the build of the substring index `number` has passed the resource. REQUIRES: the index is
// in the state `building`.
bool is_built_at(Txn &txn, uint16_t number, TenantNumber tenant, const Id &id);

// Deletes the next rows of an index in the state `dropping`, as many as `effort` allows: a row and a
// tenant take 1. Returns true if no tenant has a row of it any more.
bool drop_index(WriteTxn &txn, const Catalog &catalog, const IndexDef &index, size_t effort);

// Forgets how far the index is built, so that drop_index() begins with the first tenant. To be called
// when the state of an index changes to `dropping` without a new declaration.
void forget_progress(WriteTxn &txn, const IndexDef &index);

// True if a row of `local` says how far an index is built or dropped (index_build_key()), or how far a
// substring index is built (substring_build_key()). For verify().
bool is_progress_of_values(Bytes value);
bool is_progress_of_substrings(Bytes value);

// The resources that have been indexed, or the rows that have been deleted, of an index that is
// being built or dropped.
uint64_t index_progress(Txn &txn, const Catalog &catalog, const IndexDef &index);

// Calls `each(first id, second id)` for pairs of adjacent rows of the index with the same value, and
// reads at most `rows` rows. Returns false if there are more rows.
template <class Each>
bool each_duplicate(Txn &txn, TenantNumber tenant, const IndexDef &index, size_t rows,
                    Each &&each) {
    const std::string prefix = index_prefix(tenant, index.type, index.attr);
    std::string last;
    Cursor cursor(txn, Db::index);
    for (bool more = cursor.seek(prefix); more && starts_with(cursor.key(), prefix);
         more = cursor.next()) {
        if (rows-- == 0) return false;
        const Bytes key = cursor.key();
        if (key.size() == last.size() && key.size() > id_size &&
            starts_with(key, Bytes(last).substr(0, key.size() - id_size)))
            each(id_at(last, last.size() - id_size), id_at(key, key.size() - id_size));
        last = key;
    }
    return true;
}

}  // namespace scim::store
