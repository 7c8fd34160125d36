// The problems that `scimctl check` reports, at their bounds.

#include "service/store_status.h"

#include "tap.h"

using namespace scim;
using namespace scim::service;

namespace {

StoreStatus sound() {
    StoreStatus status;
    status.env.map_size = size_t(1) << 30;
    status.env.used = size_t(1) << 29;
    status.env.last_txn = 20000;
    status.env.max_readers = 100;
    status.readers.push_back({7, 0});
    return status;
}

// The first problem, up to `size` bytes; "" if there is none.
std::string problem_of(const StoreStatus &status, size_t size) {
    const auto problems = problems_of(status);
    return problems.empty() ? "" : problems.front().substr(0, size);
}

}  // namespace

int main() {
    StoreStatus status = sound();
    is(problems_of(status).size(), 0u, "a sound store has no problem");
    is(status.oldest_reader(), 0, "a slot without a snapshot is not the oldest");

    status.readers.push_back({8, 10000});
    is(problem_of(status, 100), "", "a snapshot may be 10,000 transactions old");
    status.readers.push_back({9, 9999});
    is(problem_of(status, 58),
       "process 9 reads a snapshot that is 10001 transactions old:", "an older one is a problem");

    status = sound();
    status.readers.resize(90);
    is(problem_of(status, 100), "", "nine of ten reader slots may be in use");
    status.readers.resize(91);
    is(problem_of(status, 39), "91 of 100 reader slots are in use", "more are a problem");

    status = sound();
    status.env.used = status.env.map_size - status.env.map_size / 20;
    is(problem_of(status, 100), "", "a twentieth of the map may be free");
    status.env.used += 4096;
    is(problem_of(status, 22), "the map is almost full", "less is a problem");
    status.free_bytes = 4096;
    is(problem_of(status, 100), "", "pages that can be used again are free");

    status = sound();
    status.is_suspended = true;
    is(problem_of(status, 22), "the store is suspended", "a suspension is a problem");

    status = sound();
    IndexDef index;
    index.unique = true;
    index.state = IndexState::building;
    status.indexes.push_back({"User", "userName", "User userName", &index, 1, 2});
    is(problem_of(status, 100), "", "an index may be built");
    index.state = IndexState::conflict;
    status.indexes = {{"User", "title", "User title", &index, 0, 0}};
    is(problem_of(status, 33), "User title is declared unique, bu", "a conflict is a problem");

    status = sound();
    status.tenants.push_back({{1, "acme", store::TenantState::removing, false, 0, {}}, {}, false});
    is(problem_of(status, 26), "the removal of tenant acme", "an unfinished removal is a problem");
    return tap::done();
}
