#pragma once
// The store of one process: environment, format check and catalog. Opening never waits and never
// writes. If the configuration declares more than the store has, declare() writes it later, on a
// thread that may wait for the write lock.

#include <atomic>
#include <memory>
#include <string>

#include "scim/schema/catalog.h"
#include "service/authenticate.h"
#include "service/group_cache.h"
#include "store/format.h"
#include "store/lmdb.h"
#include "store/retention.h"

namespace scim::service {

// A cache of the catalog that was read last. Not thread-safe.
class CatalogCache {
  public:
    // The catalog of this transaction; 503 if it cannot be read.
    Result<std::shared_ptr<const Catalog>> at(store::Txn &txn);

  private:
    std::shared_ptr<const Catalog> catalog_;
    uint64_t txn_ = 0;
};

class Store {
  public:
    struct Options {
        store::EnvOptions env;
        // Its generation is the time when the configuration was loaded, in milliseconds since 1970,
        // or 0 in a tool, which never undoes a declaration.
        Declaration declaration;
        // The generation of this configuration in this store, shared by all processes of the
        // configuration; initially 0. NULL if only one process has the configuration.
        std::atomic<uint64_t> *generation = nullptr;
        store::Retention retention;
    };

    enum class State : uint8_t {
        ready,       // serves reads and writes
        read_only,   // a newer format that may be read but not written
        undeclared,  // declare() must be called first
    };

    // nullptr, and a sentence in `why`, if the store cannot be served at all.
    static std::unique_ptr<Store> open(Options options, std::string &why);

    State state() const { return state_; }
    // True if the store can be read, declared or not. False for a new store.
    bool readable() const { return readable_; }
    store::Env &env() { return *env_; }
    const store::Retention &retention() const { return options_.retention; }
    // A sentence for the log about a Unicode version or format that is not this build's, or about a
    // declaration that is not applied; empty if there is none.
    const std::string &warning() const { return warning_; }
    // A sentence about attributes that declare() has hidden although resources have values of them;
    // empty if there are none.
    const std::string &hidden() const { return hidden_; }

    // Creates databases, format numbers and catalog rows as the declaration asks. Waits for the
    // write lock. False, and a sentence in `why`, if it fails; the store stays undeclared. Others
    // may read meanwhile if the store was readable(). REQUIRES: state() is undeclared.
    bool declare(std::string &why);

  private:
    bool is_readable(std::string &why);
    bool examine(std::string &why);
    Result<std::optional<CatalogRows>> declare_into(const CatalogRows &rows);
    uint64_t generation_over(const CatalogRows &rows);
    uint64_t first_generation(const CatalogRows &rows);
    void warn(const std::string &sentence);
    void note_hidden(const Catalog &before);

    Options options_;
    std::unique_ptr<store::Env> env_;
    std::atomic<State> state_{State::undeclared};  // declare() may run beside readers
    std::atomic<uint64_t> generation_{0};          // used if options_.generation is NULL
    bool readable_ = false;
    std::string warning_, hidden_;
};

// What one thread needs to read a store. Not thread-safe.
class Session {
  public:
    explicit Session(Store &store) : reader(store.env()) {}
    store::Reader reader;
    CatalogCache catalogs;
    Authenticator authenticator;
    GroupCache groups;
};

// One snapshot of a session's store, with the catalog that describes it.
class Snapshot {
  public:
    explicit Snapshot(Session &session)
        : txn(session.reader), groups(session.groups), catalog_(session.catalogs.at(txn)) {}

    store::ReadTxn txn;
    GroupCache &groups;  // of the session
    // 503 if the store cannot be read now.
    Outcome usable() const {
        RETURN_IF_ERROR(catalog_);
        return Done{};
    }
    // REQUIRES: usable().
    const std::shared_ptr<const Catalog> &catalog() const { return *catalog_; }

  private:
    Result<std::shared_ptr<const Catalog>> catalog_;
};

}  // namespace scim::service
