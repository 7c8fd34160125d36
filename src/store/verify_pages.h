#pragma once
// Checks the pages of data.mdb in one snapshot: every page is exactly one of a page of one tree, a
// free page, or a meta page.
//
// LMDB does not validate pages. With a damaged page it reads outside the map (SIGSEGV, SIGBUS) or
// fails an assertion (SIGABRT), and it overwrites any page that the list of free pages contains,
// even one in use. This check reads the file with pread() and follows a page number only after
// checking it. It reads the trees of the snapshot, but not the contents of overflow pages, and
// needs one bit of memory per page.

#include <cstdint>
#include <string>
#include <vector>

#include "store/lmdb.h"

namespace scim::store {

struct PageReport {
    std::vector<std::string> problems;  // the first `limit` ones: "page 12: …"
    uint64_t problem_count = 0;         // of all problems
    uint64_t pages = 0;                 // of the file
    uint64_t free_pages = 0;
    bool unreadable = false;      // a tree is damaged: it must not be read through LMDB
    bool unknown_format = false;  // the data format is not that of LMDB 0.9: nothing was checked
};

// Describes the first `limit` problems and counts all.
PageReport verify_pages(Env &env, size_t limit = 100);

}  // namespace scim::store
