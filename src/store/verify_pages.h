#pragma once
// The pages of data.mdb as one snapshot has them: every page is in one tree, or free, or a meta page,
// and in no two of these.
//
// LMDB itself trusts its pages: it follows a damaged one out of the map (SIGSEGV, SIGBUS) or ends in
// an assertion (SIGABRT), and it writes into whatever the list of free pages names, a page in use
// included. This walk reads the file by pread() and follows nothing that it has not checked. It
// reads the snapshot's trees, not the contents of long values (overflow pages), and needs a bit of
// memory for each page.

#include <cstdint>
#include <string>
#include <vector>

#include "store/lmdb.h"

namespace scim::store {

struct PageReport {
    std::vector<std::string> problems;  // the first ones: "page 12: …"
    uint64_t problem_count = 0;         // all
    uint64_t pages = 0;                 // of the file
    uint64_t free_pages = 0;
    bool unreadable = false;      // a tree is damaged: LMDB cannot be let near it
    bool unknown_format = false;  // another data format than LMDB 0.9's: nothing was checked
};

// `limit`: how many problems are described.
PageReport verify_pages(Env &env, size_t limit = 100);

}  // namespace scim::store
