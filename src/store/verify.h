#pragma once
// A whole store checked against itself, in one transaction and in bounded memory.
//
// Every row is looked at, and every rule that DirectoryWriter, tenants.h and refusals keep is asked
// for in both directions: what must follow from a row is there, and each row follows from
// something. The rows of a tenant that is being removed are counted and not judged: they go in any
// order. Nothing is written.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/lmdb.h"

namespace scim::store {

struct Problem {
    Db db;
    std::string key;   // for a reader: "tenant 1 User userName \"ada\" 0190…"
    std::string text;  // one sentence
};

struct VerifyReport {
    std::vector<Problem> problems;  // the first ones
    uint64_t problem_count = 0;     // all

    uint64_t tenants = 0, removing = 0;  // active ones, and those that are being removed
    uint64_t tokens = 0, resources = 0, index_rows = 0, memberships = 0, changes = 0,
             refusals = 0;      // of active tenants
    uint64_t unswept_rows = 0;  // of tenants that are being removed
};

// `limit`: how many problems are described; the others are counted. If the store cannot be read to
// its end, that is a problem, too.
VerifyReport verify(Txn &txn, size_t limit = 100);

std::string_view database_name(Db db);

}  // namespace scim::store
