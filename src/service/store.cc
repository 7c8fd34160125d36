#include "service/store.h"

#include <algorithm>
#include <chrono>

#include "scim/text/datetime.h"
#include "scim/text/matching_key.h"
#include "service/hidden.h"

namespace scim::service {

Result<std::shared_ptr<const Catalog>> CatalogCache::at(store::Txn &txn) {
    if (catalog_ != nullptr && txn.good() && txn.id() == txn_) return catalog_;
    uint32_t epoch = store::catalog_epoch(txn);
    if (!txn.good()) return unreadable(txn.error(), 1);
    if (catalog_ == nullptr || catalog_->epoch() != epoch) {
        auto rows = store::read_catalog(txn);
        if (!rows)
            return Error{Refusal::catalog_unreadable, "the directory's catalog cannot be read", 30};
        auto catalog = Catalog::build(std::move(*rows));
        if (!catalog)
            return Error{Refusal::catalog_unreadable, "the directory's catalog cannot be read", 30};
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
    // A new store is undeclared. A store that lacks only some databases has another format, which
    // is refused before anything is written.
    if (code == store::Errc::not_found && !store->env_->has_meta()) return store;
    if (code == store::Errc::not_found) return store->is_readable(why) ? std::move(store) : nullptr;
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

// The generation of this configuration, determined when its first process opens the store. If the
// configuration was loaded before the one that was declared last, it is the time of loading. If it
// was loaded later, the same, but always greater than the stored generation. If the stored
// generation is in the future, the clock was set back, and the configuration that opens the store
// later counts as newer. A configuration that changes nothing has the stored generation, so that
// the next one is newer.
uint64_t Store::first_generation(const CatalogRows &rows) {
    using namespace std::chrono;
    const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
    const uint64_t loaded = options_.declaration.generation, stored = rows.generation;
    const bool was_ahead = stored > uint64_t(now);
    if (loaded < stored && !was_ahead) return loaded;
    Declaration declaration = options_.declaration;
    declaration.generation = std::max(loaded, stored + 1);
    auto wanted = scim::declare(rows, declaration);
    if (wanted && !*wanted) return std::max<uint64_t>(stored, 1);
    if (was_ahead)
        warn("was declared at " + time_text(int64_t(stored)) +
             ", which is in the future: the clock was set back; the schemas of this configuration "
             "are applied");
    return declaration.generation;
}

// All processes of a configuration have the same generation: the first that opens the store
// determines it. Therefore workers of an older configuration that still run never undo a newer
// declaration.
uint64_t Store::generation_over(const CatalogRows &rows) {
    if (options_.declaration.generation == 0) return 0;
    auto &generation = options_.generation != nullptr ? *options_.generation : generation_;
    uint64_t decided = generation;
    if (decided != 0) return decided;
    const uint64_t mine = first_generation(rows);
    return generation.compare_exchange_strong(decided, mine) ? mine : decided;
}

Result<std::optional<CatalogRows>> Store::declare_into(const CatalogRows &rows) {
    Declaration declaration = options_.declaration;
    declaration.generation = generation_over(rows);
    auto wanted = scim::declare(rows, declaration);
    if (declaration.generation == 0 || declaration.generation >= rows.generation) return wanted;
    declaration.generation = rows.generation;
    auto ignored = scim::declare(rows, declaration);
    if (ignored && *ignored)
        warn("was declared by a newer configuration, at " + time_text(int64_t(rows.generation)) +
             ": the schemas of this one are not applied");
    return wanted;
}

// Sets readable(), state() and warning() from the contents of the store. False, and a sentence in
// `why`, if the store cannot be served.
bool Store::is_readable(std::string &why) {
    store::Reader reader(*env_);
    store::ReadTxn txn(reader);
    store::FormatCheck check = store::check_format(txn);
    // Databases without a format: the process that created them died.
    if (check.readable() || check.code == store::Errc::not_found) return true;
    why = store::format_problem(check, env_->directory());
    return false;
}

bool Store::examine(std::string &why) {
    if (!is_readable(why)) return false;
    store::Reader reader(*env_);
    store::ReadTxn txn(reader);
    store::FormatCheck check = store::check_format(txn);
    if (check.code == store::Errc::not_found) return true;
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
    if (!check.writable()) {
        warning_ = store::format_problem(check, env_->directory());
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
        store::FormatCheck check = store::check_format(txn);
        if (check.code == store::Errc::not_found) store::mark_format(txn);
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
