#include "store/compact.h"

namespace scim::store {

namespace {

constexpr size_t bytes_a_transaction = size_t(32) << 20;

}  // namespace

uint64_t copy_rows(Txn &from, Env &to, const std::function<void(uint64_t)> &progress, Errc &error) {
    uint64_t rows = 0;
    // `meta` is last: without its format numbers, a copy that is not complete is not served.
    for (size_t db = db_count; db-- > 0;) {
        Cursor cursor(from, Db(db));
        bool more = cursor.seek({});
        while (more) {
            WriteTxn txn(to);
            for (size_t bytes = 0; more && bytes < bytes_a_transaction; more = cursor.next()) {
                txn.append(Db(db), cursor.key(), cursor.value());
                bytes += cursor.key().size() + cursor.value().size();
                rows++;
            }
            error = txn.commit();
            if (error != Errc::ok) return rows;
            progress(rows);
        }
    }
    error = from.error();
    return rows;
}

}  // namespace scim::store
