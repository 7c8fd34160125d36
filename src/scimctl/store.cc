// scimctl store: ends the suspension of a store.

#include "scimctl/commands.h"
#include "store/fault_guard.h"

namespace scim::scimctl {

// Does not open LMDB, because the store may be damaged.
int store_resume(const Globals &globals) {
    const bool suspended = store::is_suspended(globals.store);
    std::string why;
    if (!store::resume_store(globals.store, why)) return fail(globals, exit_store, why);
    store::RowWriter row;
    row.number("resumed", suspended);
    const char *text = suspended
                           ? "The suspension has ended; nginx serves the store within a second."
                           : "The store is not suspended.";
    return print(globals, text, row) ? exit_ok : exit_store;
}

}  // namespace scim::scimctl
