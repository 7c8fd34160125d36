#pragma once
// A store in a temporary directory, which is removed when the test ends.

#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "scim/schema/catalog.h"
#include "service/store.h"
#include "store/lmdb.h"
#include "store/tenants.h"
#include "tap.h"

namespace fixture {

class TempDir {
  public:
    TempDir() {
        const char *parent = getenv("TMPDIR");
        path = std::string(parent != nullptr ? parent : "/tmp") + "/scim-unit-XXXXXX";
        if (mkdtemp(path.data()) == nullptr) abort();
    }
    ~TempDir() {
        for (const char *file : {"/data.mdb", "/lock.mdb"}) unlink((path + file).c_str());
        rmdir(path.c_str());
    }
    std::string path;
};

inline std::unique_ptr<scim::service::Store> open_store(
    const std::string &path, size_t map_size = size_t(64) << 20,
    const std::vector<scim::Definition> &definitions = {}, uint64_t generation = 1) {
    scim::service::Store::Options options;
    options.env.directory = path;
    options.env.map_size = map_size;
    options.declaration = *scim::make_declaration(generation, definitions);
    std::string why;
    auto store = scim::service::Store::open(std::move(options), why);
    if (store == nullptr) {
        diag(why);
        return nullptr;
    }
    if (store->state() == scim::service::Store::State::undeclared && !store->declare(why))
        diag(why);
    return store;
}

inline scim::store::Tenant add_tenant(scim::store::Env &env, std::string_view name) {
    scim::store::WriteTxn txn(env);
    auto tenant = scim::store::add_tenant(txn, name, 1000, {});
    if (txn.commit() != scim::store::Errc::ok) abort();
    return tenant;
}

}  // namespace fixture
