#include "service/import_transactions.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "service/admin.h"
#include "service/map_space.h"
#include "service/token.h"

namespace scim::service {

namespace {

int64_t milliseconds_now() {
    using std::chrono::milliseconds;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<milliseconds>(now).count();
}

// The records that a transaction may write without filling the map with the new pages that it needs
// until it ends: for a record one of each index, and some for the record, its change and the inner
// pages of the trees. Half of the room is left, because LMDB cannot reuse yet what the transactions
// before have freed. `enough` is more than a transaction can need in its time.
size_t records_for(store::WriteTxn &txn, const store::EnvInfo &map, const Catalog &catalog) {
    constexpr size_t enough = size_t(2) << 30, page = 4096, others = 4, of_substrings = 100;
    // To count the freed pages takes long if there are many: only if little else is left.
    constexpr size_t little = size_t(64) << 20;
    const size_t unused = map.map_size - std::min(map.used, map.map_size);
    const size_t room = std::max(unused, txn.room(little));
    if (room >= enough) return SIZE_MAX;
    size_t most = 0;
    for (const auto &type : catalog.types()) {
        size_t pages = others;
        for (const IndexDef *index : catalog.indexes(type->number))
            pages += index->kind == IndexKind::substring ? of_substrings : 1;
        most = std::max(most, pages);
    }
    return std::max<size_t>(1, room / 2 / (most * page));
}

// What members of a group take of records_for(): each changes up to four pages, half as many as a
// record. A step adds members_a_step of them.
size_t weight_of_members(size_t members) {
    return std::min(members, ImportWriter::members_a_step) / 2;
}

// What a record takes of records_for().
size_t weight_of(const ImportRecord &record) {
    constexpr size_t large = 16384;  // bytes: as many as the pages of a small record
    size_t weight = 1 + record.text.size() / large;
    if (record.step)
        if (const auto &members = record.step->command.resource.members)
            weight += weight_of_members(members->size());
    return weight;
}

// Runs a function at the end of a scope, also after an exception.
class AtEnd {
  public:
    explicit AtEnd(std::function<void()> run) : run_(std::move(run)) {}
    ~AtEnd() { run_(); }
    AtEnd(const AtEnd &) = delete;
    AtEnd &operator=(const AtEnd &) = delete;

  private:
    const std::function<void()> run_;
};

}  // namespace

ImportTransactions::ImportTransactions(Store &store, store::TenantNumber tenant,
                                       const ImportOptions &options, ImportListener &listener)
    : store_(store),
      tenant_(tenant),
      options_(options),
      listener_(listener),
      session_(store),
      pace_(store.env()),
      writer_(options, listener) {}

ImportTransactions::~ImportTransactions() {
    if (!outcome_.valid()) return;
    complete(true);
    outcome_.wait();
}

Outcome ImportTransactions::begin(uint64_t source) {
    Snapshot snapshot(session_);
    RETURN_IF_ERROR(snapshot.usable());
    catalog_ = snapshot.catalog();
    known_ = store::find_import_position(snapshot.txn, tenant_);
    const auto last = store::Directory(snapshot.txn, tenant_).position();
    if (!snapshot.txn.good()) return unreadable(snapshot.txn.error());
    if (known_ && known_->source == source && !options_.dry_run) {
        recalled_ = known_->lines;
        is_resumed_ = known_->is_begun;
        position_ = *known_;
        position_.lines = 0;
    } else {
        position_.source = source;
        position_.started = milliseconds_now();
        position_.seed = random_number();
        position_.before = last.position;
    }
    origin_ = position_;
    listener_.begun(recalled_);
    outcome_ = std::async(std::launch::async, [this] {
        const AtEnd end([this] {
            transaction_.reset();
            const std::lock_guard lock(mutex_);
            has_ended_ = true;
            changed_.notify_all();
        });
        return write_all();
    });
    return Done{};
}

// Batches

Outcome ImportTransactions::add(ImportBatch batch) {
    auto owned = std::make_unique<ImportBatch>(std::move(batch));
    ImportBatch &passed_on = *owned;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_.size() < batches_most || has_ended_; });
    if (has_ended_) {
        lock.unlock();
        return outcome_.get();
    }
    passed_on.reader = make_reader();
    passed_on.reading = std::async(std::launch::async, [this, &passed_on] {
        const AtEnd end([&] {
            const std::lock_guard read(mutex_);
            passed_on.is_read = true;
            changed_.notify_all();
        });
        for (ImportRecord &record : passed_on.records) passed_on.reader->read(record);
    });
    waiting_.push_back(std::move(owned));
    return Done{};
}

Outcome ImportTransactions::finish() {
    complete(false);
    return outcome_.get();
}

Outcome ImportTransactions::break_off() {
    complete(true);
    return outcome_.get();
}

void ImportTransactions::complete(bool breaks_off) {
    const std::lock_guard lock(mutex_);
    is_complete_ = true;
    breaks_off_ = breaks_off;
    changed_.notify_all();
}

// REQUIRES: the caller has locked `mutex_`, or is the thread that sets `catalog_`.
std::shared_ptr<const ImportReader> ImportTransactions::make_reader() {
    return std::make_shared<ImportReader>(catalog_, tenant_, options_.keep_ids, origin_,
                                          milliseconds_now());
}

Outcome ImportTransactions::write_all() {
    RETURN_IF_ERROR(write_batches());
    RETURN_IF_ERROR(commit());
    if (breaks_off_) return Done{};
    if (position_.lines < recalled_) return other_input();
    if (options_.dry_run) return rehearse_later();
    RETURN_IF_ERROR(write_later());
    return end();
}

Outcome ImportTransactions::write_batches() {
    for (;;) {
        auto batch = next_batch();
        RETURN_IF_ERROR(batch);
        if (*batch == nullptr) return Done{};
        RETURN_IF_ERROR(take(**batch));
        // To free a batch takes a tenth of the time of writing it. Others must not wait for that.
        if (freeing_.valid() &&
            freeing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
            RETURN_IF_ERROR(commit());
        freeing_ =
            std::async(std::launch::async, [old = std::move(*batch)]() mutable { old.reset(); });
    }
}

// Waits until the next batch is read. Commits if that takes longer than the transaction may last.
// Nothing at the end of the input.
Result<std::unique_ptr<ImportBatch>> ImportTransactions::next_batch() {
    constexpr std::chrono::milliseconds between_looks(1);
    std::unique_lock lock(mutex_);
    const auto is_ready = [&] {
        return waiting_.empty() ? is_complete_ : waiting_.front()->is_read;
    };
    while (transaction_ && !changed_.wait_for(lock, between_looks, is_ready)) {
        if (!pace_.must_end()) continue;
        lock.unlock();
        RETURN_IF_ERROR(commit());
        lock.lock();
    }
    changed_.wait(lock, is_ready);
    std::unique_ptr<ImportBatch> batch;
    if (waiting_.empty()) return batch;
    batch = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    lock.unlock();
    batch->reading.get();
    return batch;
}

Outcome ImportTransactions::take(ImportBatch &batch) {
    RETURN_IF_ERROR(expect(batch));
    size_t next = 0;
    RETURN_IF_ERROR(recall(batch, next));
    return options_.dry_run ? rehearse(batch, next) : write(batch, next);
}

// A snapshot does not show what the open transaction has written. The ids of these records are known
// to the writer, but for those of refused records, and of records that the store has under another id.
// If there are any, the transaction is committed before records that refer to others.
Outcome ImportTransactions::expect(ImportBatch &batch) {
    ids_changed_ |= writer_.has_changed_ids();
    const bool refers = std::any_of(batch.records.begin(), batch.records.end(),
                                    [](const ImportRecord &r) { return r.has_members(); });
    if (ids_changed_ && refers) RETURN_IF_ERROR(commit());
    Snapshot snapshot(session_);
    RETURN_IF_ERROR(snapshot.usable());
    store::Directory directory(snapshot.txn, tenant_);
    for (ImportRecord &record : batch.records) {
        if (transaction_ && (record.takes_long() || pace_.must_end())) RETURN_IF_ERROR(commit());
        writer_.expect(*batch.reader, record.line > recalled_ ? &directory : nullptr, record);
    }
    if (!snapshot.txn.good()) return unreadable(snapshot.txn.error());
    return Done{};
}

// Passes over the records that the interrupted import has written. `next`: the first other one.
Outcome ImportTransactions::recall(ImportBatch &batch, size_t &next) {
    if (batch.records.empty() || (batch.records.front().line > recalled_ && !is_resumed_))
        return Done{};
    Snapshot snapshot(session_);
    store::Directory directory(snapshot.txn, tenant_);
    for (; next < batch.records.size() && batch.records[next].line <= recalled_; next++) {
        const ImportRecord &record = batch.records[next];
        writer_.recall(*batch.reader, directory, batch.records[next], position_.before);
        position_.lines = record.line;
        if (record.line == recalled_ && record.digest != position_.digest) return other_input();
    }
    if (next < batch.records.size() && std::exchange(is_resumed_, false))
        next += writer_.resume(directory, batch.records[next]);
    if (!snapshot.txn.good()) return unreadable(snapshot.txn.error());
    listener_.progress(counts_);
    return Done{};
}

// Writing

Outcome ImportTransactions::write(ImportBatch &batch, size_t next) {
    while (next < batch.records.size() || writer_.has_rest()) {
        if (next < batch.records.size() && writer_.must_read_again(batch.records[next])) {
            RETURN_IF_ERROR(commit());
            Snapshot snapshot(session_);
            store::Directory directory(snapshot.txn, tenant_);
            writer_.read_again(*batch.reader, directory, batch.records[next]);
        }
        RETURN_IF_ERROR(write_some(batch, next));
    }
    return Done{};
}

// Writes records until the transaction must end. If the catalog has changed since the batch was read,
// reads it again instead.
Outcome ImportTransactions::write_some(ImportBatch &batch, size_t &next) {
    RETURN_IF_ERROR(begin_transaction());
    if (catalog_->epoch() != batch.reader->catalog()->epoch()) {
        RETURN_IF_ERROR(commit());
        read_again(batch, next);
        return Done{};
    }
    const ImportTarget target{*batch.reader, transaction_->directory, &transaction_->directory};
    bool must_end = false;
    do {
        const bool is_rest = writer_.has_rest();
        const size_t weight =
            is_rest ? weight_of_members(SIZE_MAX) : weight_of(batch.records[next]);
        RETURN_IF_ERROR(is_rest ? writer_.put_rest(target)
                                : writer_.put(target, batch.records[next++]));
        if (!transaction_->txn.good()) return failed(transaction_->txn.error());
        records_left_ -= std::min(records_left_, weight);
        must_end = pace_.must_end() || records_left_ == 0;
    } while ((next < batch.records.size() || writer_.has_rest()) && !must_end &&
             !(next < batch.records.size() && writer_.must_read_again(batch.records[next])));
    // A record that is written in part is not done.
    if (const size_t done = next - size_t(writer_.has_rest()); done > 0) {
        position_.lines = batch.records[done - 1].line;
        position_.digest = batch.records[done - 1].digest;
    }
    position_.is_begun = writer_.has_rest();
    return must_end ? commit() : Done{};
}

void ImportTransactions::read_again(ImportBatch &batch, size_t next) {
    batch.reader = make_reader();
    Snapshot snapshot(session_);
    store::Directory directory(snapshot.txn, tenant_);
    for (size_t i = next; i < batch.records.size(); i++) {
        if (batch.records[i].is_ambiguous) continue;
        batch.reader->read(batch.records[i]);
        writer_.resolve(*batch.reader, directory, batch.records[i]);
    }
}

Outcome ImportTransactions::write_later() {
    std::shared_ptr<const ImportReader> reader;
    while (writer_.has_later()) {
        RETURN_IF_ERROR(begin_transaction());
        if (reader == nullptr || reader->catalog() != catalog_) reader = make_reader();
        const size_t left = writer_.later_left();
        RETURN_IF_ERROR(
            writer_.put_later({*reader, transaction_->directory, &transaction_->directory}));
        if (!transaction_->txn.good()) return failed(transaction_->txn.error());
        const size_t weight = 1 + weight_of_members(left - writer_.later_left());
        records_left_ -= std::min(records_left_, weight);
        if (pace_.must_end() || records_left_ == 0) RETURN_IF_ERROR(commit());
    }
    return commit();
}

// The end of the import: its position is forgotten.
Outcome ImportTransactions::end() {
    store::WriteTxn txn(store_.env());
    if (!txn.good()) return failed(txn.error());
    if (store::find_import_position(txn, tenant_) == known_)
        store::delete_import_position(txn, tenant_);
    if (const auto code = txn.commit(); code != store::Errc::ok) return failed(code);
    return Done{};
}

Outcome ImportTransactions::other_input() {
    RETURN_IF_ERROR(end());
    return Error{Refusal::import_other_input,
                 "the input differs from that of the interrupted import within its first " +
                     std::to_string(recalled_) +
                     " lines; the position of that import is now forgotten: run the command again "
                     "to import from the first line"};
}

// A dry run

Outcome ImportTransactions::rehearse(ImportBatch &batch, size_t next) {
    Snapshot snapshot(session_);
    RETURN_IF_ERROR(snapshot.usable());
    store::Directory directory(snapshot.txn, tenant_);
    const ImportTarget target{*batch.reader, directory, nullptr};
    for (; next < batch.records.size(); next++)
        RETURN_IF_ERROR(writer_.put(target, batch.records[next]));
    if (!snapshot.txn.good()) return unreadable(snapshot.txn.error());
    counts_ = writer_.counts();
    listener_.progress(counts_);
    return Done{};
}

Outcome ImportTransactions::rehearse_later() {
    while (writer_.has_later()) {
        Snapshot snapshot(session_);
        RETURN_IF_ERROR(snapshot.usable());
        store::Directory directory(snapshot.txn, tenant_);
        RETURN_IF_ERROR(writer_.put_later({*make_reader(), directory, nullptr}));
        if (!snapshot.txn.good()) return unreadable(snapshot.txn.error());
    }
    counts_ = writer_.counts();
    return Done{};
}

// Transactions

// Begins a transaction unless one is open. 503 if records of the tenant may not be written now.
Outcome ImportTransactions::begin_transaction() {
    if (transaction_) return Done{};
    transaction_.emplace(store_.env(), tenant_);
    pace_.begin();
    return check(transaction_->txn);
}

Outcome ImportTransactions::check(store::WriteTxn &txn) {
    if (!txn.good()) return failed(txn.error());
    auto current = catalogs_.at(txn);
    RETURN_IF_ERROR(current);
    {
        const std::lock_guard lock(mutex_);
        catalog_ = *current;
    }
    const auto tenant = store::find_tenant(txn, tenant_);
    if (!tenant || tenant->state != store::TenantState::active)
        return Error{Refusal::import_tenant_removed, "the tenant was removed"};
    if (!(store::find_import_position(txn, tenant_) == known_))
        return Error{Refusal::import_running, "another import into this tenant is running"};
    if (map_space(txn) != MapSpace::for_all) return directory_full(txn.map_size());
    records_left_ = records_for(txn, store_.env().info(), *catalog_);
    return Done{};
}

// Commits the transaction, if one is open.
Outcome ImportTransactions::commit() {
    ids_changed_ = false;
    if (!transaction_) return Done{};
    store::put_import_position(transaction_->txn, tenant_, position_);
    pace_.note_waiters();
    const auto code = transaction_->txn.commit();
    transaction_.reset();
    if (code != store::Errc::ok) return failed(code);
    known_ = position_;
    counts_ = writer_.counts();
    pace_.give_way();
    listener_.progress(counts_);
    return Done{};
}

Outcome ImportTransactions::failed(store::Errc code) const {
    if (code == store::Errc::map_full) return directory_full(store_.env().info().map_size);
    return Error{Refusal::store_unwritable,
                 "the store cannot be written: " + std::string(to_string(code))};
}

}  // namespace scim::service
