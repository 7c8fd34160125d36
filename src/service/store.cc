#include "service/store.h"

#include <chrono>

#include "scim/datetime.h"
#include "scim/text.h"
#include "service/hidden.h"

namespace scim::service {

Result<std::shared_ptr<const Catalog>> CatalogCache::at(store::Txn &txn) {
    if (catalog_ != nullptr && txn.good() && txn.id() == txn_) return catalog_;
    uint32_t epoch = store::catalog_epoch(txn);
    if (!txn.good()) return unreadable(txn.error(), 1);
    if (catalog_ == nullptr || catalog_->epoch() != epoch) {
        auto rows = store::read_catalog(txn);
        if (!rows) return Error{503, ScimType::none, "the directory's catalog cannot be read", 30};
        auto catalog = Catalog::build(std::move(*rows));
        if (!catalog)
            return Error{503, ScimType::none, "the directory's catalog cannot be read", 30};
        catalog_ = std::move(*catalog);
    }
    txn_ = txn.id();
    return catalog_;
}

std::unique_ptr<Store> Store::open(Options options, std::string &why) {
    std::unique_ptr<Store> store(new Store);
    store->env_ = store::Env::open(options.env, why);
    if (store->env_ == nullptr) return nullptr;
    store->options_ = std::move(options);
    store::Errc code = store->env_->open_databases();
    if (code == store::Errc::not_found) return store;  // new: undeclared
    if (code != store::Errc::ok) {
        why = "cannot read store \"" + store->env_->directory() +
              "\": " + std::string(to_string(code));
        return nullptr;
    }
    return store->examine(why) ? std::move(store) : nullptr;
}

void Store::warn(const std::string &sentence) {
    if (warning_.find(sentence) != std::string::npos) return;
    warning_ += (warning_.empty() ? "store \"" + env_->directory() + "\" " : "; it ") + sentence;
}

// A generation is the time of a configuration, in milliseconds. One that lies in the future was given
// while the clock was ahead, and says nothing about what is older: as a store's own it would keep out
// every configuration until then. Generation 0 (scimctl) never takes anything back.
Result<std::optional<CatalogRows>> Store::declare_into(const CatalogRows &rows) {
    using namespace std::chrono;
    constexpr uint64_t tolerance = 1000;  // milliseconds
    const uint64_t latest =
        uint64_t(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count()) +
        tolerance;
    Declaration declaration = options_.declaration;
    CatalogRows known = rows;
    if (declaration.generation > latest) declaration.generation = 0;
    if (declaration.generation != 0 && rows.generation > latest) known.generation = 0;
    auto wanted = scim::declare(known, declaration);
    if (!wanted || declaration.generation >= rows.generation) return wanted;
    const bool is_tool = options_.declaration.generation == 0;
    if (*wanted) {
        warn("was declared at " + time_text(int64_t(rows.generation)) +
             ", which is in the future: the clock was set back; the schemas of this configuration "
             "are applied");
    } else if (!is_tool) {
        declaration.generation = known.generation;
        auto ignored = scim::declare(known, declaration);
        if (ignored && *ignored)
            warn("was declared by a newer configuration, at " +
                 time_text(int64_t(rows.generation)) + ": the schemas of this one are not applied");
    }
    return wanted;
}

// Sets the state from what is on disk.
bool Store::examine(std::string &why) {
    store::Reader reader(*env_);
    store::ReadTxn txn(reader);
    store::Gate gate = store::read_gate(txn);
    if (gate.code == store::Errc::not_found)
        return true;  // databases without a gate: the creator died in between
    if (!gate.readable()) {
        why = store::gate_problem(gate, env_->directory());
        return false;
    }
    auto rows = store::read_catalog(txn);
    auto wanted = rows ? declare_into(*rows) : Result<std::optional<CatalogRows>>(rows.error());
    if (!wanted) {
        why = "store \"" + env_->directory() + "\": " + wanted.error().detail;
        return false;
    }
    readable_ = true;
    if (rows->unicode != unicode_version())
        warn("was made with Unicode " + rows->unicode + ", this build has " +
             std::string(unicode_version()) +
             ": names with letters that are new since may not be found");
    if (!gate.writable()) {
        warning_ = store::gate_problem(gate, env_->directory());
        state_ = State::read_only;
    } else {
        state_ = *wanted ? State::undeclared : State::ready;
    }
    return true;
}

void Store::note_hidden(const Catalog &before) {
    store::Reader reader(*env_);
    store::ReadTxn txn(reader);
    auto rows = store::read_catalog(txn);
    if (!rows) return;
    auto after = Catalog::build(std::move(*rows));
    if (!after) return;
    hidden_ = hidden_attributes(txn, before, **after);
    if (!hidden_.empty()) hidden_.insert(0, "store \"" + env_->directory() + "\": ");
}

bool Store::declare(std::string &why) {
    auto failed = [&](std::string_view reason) {
        why = "cannot prepare store \"" + env_->directory() + "\": " + std::string(reason);
        return false;
    };
    if (!env_->has_databases()) {
        store::Errc code = env_->create_databases();
        if (code != store::Errc::ok) return failed(to_string(code));
    }
    std::shared_ptr<const Catalog> before;
    {
        store::WriteTxn txn(*env_);
        store::Gate gate = store::read_gate(txn);
        if (gate.code == store::Errc::not_found) store::write_gate(txn);
        auto rows = store::read_catalog(txn);
        if (!rows) return failed(rows.error().detail);
        auto wanted = declare_into(*rows);
        if (!wanted) return failed(wanted.error().detail);
        if (*wanted && rows->epoch != 0)
            if (auto built = Catalog::build(*rows)) before = *built;
        if (*wanted) store::write_catalog(txn, **wanted);
        store::Errc code = txn.commit();
        if (code != store::Errc::ok) return failed(to_string(code));
    }
    if (before != nullptr) note_hidden(*before);
    return examine(why) && (state_ != State::undeclared || failed("its catalog changed meanwhile"));
}

}  // namespace scim::service
