#include "service/import.h"

#include <xxhash.h>

#include <algorithm>
#include <chrono>

#include "service/admin.h"
#include "service/map_space.h"
#include "service/token.h"

namespace scim::service {

namespace {

// A batch is prepared while the previous one is written. Batches become longer in a long import: a
// transaction ends with its batch, and rows of indexes that fall on the same page cost less.
constexpr size_t batch_min = 4096, batch_max = 16384, bytes_a_record = 2048;

size_t batch_records(uint64_t lines) {
    return size_t(std::clamp(lines / 4, uint64_t(batch_min), uint64_t(batch_max)));
}

constexpr size_t threads = 2;

int64_t milliseconds_now() {
    using std::chrono::milliseconds;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<milliseconds>(now).count();
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == line.npos; }

uint64_t digest_of(std::string_view line, uint64_t before) {
    return XXH3_64bits_withSeed(line.data(), line.size(), before);
}

}  // namespace

Importer::Importer(Store &store, store::TenantNumber tenant, const ImportOptions &options,
                   ImportListener &listener)
    : store_(store),
      tenant_(tenant),
      options_(options),
      listener_(listener),
      session_(store),
      pace_(store.env()),
      writer_(options, listener) {}

Outcome Importer::add(std::string line) {
    if (is_blank(line)) {
        lines_++;
        return Done{};
    }
    if (catalog_ == nullptr) RETURN_IF_ERROR(begin(line));
    digest_ = digest_of(line, digest_);
    ImportRecord record;
    record.line = ++lines_;
    record.digest = digest_;
    if (filling_.records.empty()) filling_.records.reserve(batch_records(lines_));
    filling_.bytes += line.size();
    record.text = std::move(line);
    filling_.records.push_back(std::move(record));
    const size_t most = batch_records(lines_);
    const bool is_full = filling_.records.size() >= most || filling_.bytes >= most * bytes_a_record;
    return is_full ? pass_on() : Done{};
}

Outcome Importer::finish() {
    if (catalog_ == nullptr) RETURN_IF_ERROR(begin({}));
    RETURN_IF_ERROR(pass_on());
    RETURN_IF_ERROR(pass_on());
    if (position_.lines < recalled_) return other_input();
    RETURN_IF_ERROR(write_later());
    return options_.dry_run ? Done{} : end();
}

// Looks for an interrupted import of the same input.
Outcome Importer::begin(const std::string &line) {
    Snapshot snapshot(session_);
    RETURN_IF_ERROR(snapshot.usable());
    catalog_ = snapshot.catalog();
    const uint64_t way = uint64_t(options_.on_conflict) * 2 + options_.keep_ids;
    const uint64_t source = digest_of(line, way);
    const auto stored = store::find_import_position(snapshot.txn, tenant_);
    known_ = stored;
    const auto last = store::Directory(snapshot.txn, tenant_).position();
    if (!snapshot.txn.good()) return unreadable(snapshot.txn.error());
    if (stored && stored->source == source && !options_.dry_run) {
        recalled_ = stored->lines;
        is_resumed_ = stored->is_begun;
        position_ = *stored;
        position_.lines = 0;
    } else {
        position_.source = source;
        position_.started = milliseconds_now();
        position_.seed = random_number();
        position_.before = last.position;
    }
    listener_.begun(recalled_);
    return Done{};
}

std::shared_ptr<const ImportReader> Importer::make_reader(std::shared_ptr<const Catalog> catalog) {
    return std::make_shared<ImportReader>(std::move(catalog), tenant_, options_.keep_ids, position_,
                                          milliseconds_now());
}

// Starts to prepare the batch that is filled, writes the one before, and starts to free it.
Outcome Importer::pass_on() {
    for (auto &task : tasks_) task.get();
    tasks_.clear();
    Batch ready = std::exchange(reading_, std::exchange(filling_, Batch()));
    reading_.reader = make_reader(catalog_);
    const size_t part = (reading_.records.size() + threads - 1) / threads;
    for (size_t first = 0; first < reading_.records.size(); first += part)
        tasks_.push_back(std::async(std::launch::async, [this, first, part] {
            const size_t end = std::min(first + part, reading_.records.size());
            for (size_t i = first; i < end; i++) reading_.reader->read(reading_.records[i]);
        }));
    const bool is_first = ready.reader == nullptr;
    if (is_first) return Done{};
    RETURN_IF_ERROR(take(ready));
    tasks_.push_back(
        std::async(std::launch::async, [old = std::move(ready)]() mutable { old = Batch(); }));
    return Done{};
}

Outcome Importer::take(Batch &batch) {
    RETURN_IF_ERROR(expect(batch));
    size_t next = 0;
    {
        Snapshot snapshot(session_);
        store::Directory directory(snapshot.txn, tenant_);
        for (; next < batch.records.size() && batch.records[next].line <= recalled_; next++) {
            writer_.recall(*batch.reader, directory, batch.records[next], position_.before);
            RETURN_IF_ERROR(check_recalled(batch.records[next]));
        }
        if (next < batch.records.size() && std::exchange(is_resumed_, false))
            next += writer_.resume(directory, batch.records[next]);
        if (!snapshot.txn.good()) return unreadable(snapshot.txn.error());
    }
    RETURN_IF_ERROR(options_.dry_run ? rehearse(batch, next) : write(batch, next));
    listener_.progress(writer_.counts());
    return Done{};
}

Outcome Importer::check_recalled(const ImportRecord &record) {
    position_.lines = record.line;
    if (record.line == recalled_ && record.digest != position_.digest) return other_input();
    return Done{};
}

Outcome Importer::expect(Batch &batch) {
    Snapshot snapshot(session_);
    RETURN_IF_ERROR(snapshot.usable());
    store::Directory directory(snapshot.txn, tenant_);
    for (ImportRecord &record : batch.records)
        writer_.expect(*batch.reader, record.line > recalled_ ? &directory : nullptr, record);
    if (!snapshot.txn.good()) return unreadable(snapshot.txn.error());
    return Done{};
}

// Writing

Outcome Importer::failed(store::Errc code) const {
    if (code == store::Errc::map_full) return directory_full(store_.env().info().map_size);
    return Error{Refusal::store_unwritable,
                 "the store cannot be written: " + std::string(to_string(code))};
}

// 503 unless records of the tenant may be written now. Sets `catalog` to that of the transaction.
Outcome Importer::check(store::WriteTxn &txn, std::shared_ptr<const Catalog> &catalog) {
    if (!txn.good()) return failed(txn.error());
    auto current = catalogs_.at(txn);
    RETURN_IF_ERROR(current);
    catalog = *current;
    const auto tenant = store::find_tenant(txn, tenant_);
    if (!tenant || tenant->state != store::TenantState::active)
        return Error{Refusal::import_tenant_removed, "the tenant was removed"};
    if (!(store::find_import_position(txn, tenant_) == known_))
        return Error{Refusal::import_running, "another import into this tenant is running"};
    if (map_space(txn) != MapSpace::for_all) return directory_full(txn.map_size());
    return Done{};
}

Outcome Importer::commit(store::WriteTxn &txn) {
    pace_.note_waiters();
    if (const auto code = txn.commit(); code != store::Errc::ok) return failed(code);
    pace_.give_way();
    return Done{};
}

Outcome Importer::write(Batch &batch, size_t next) {
    while (next < batch.records.size() || writer_.has_rest()) {
        if (next < batch.records.size() && writer_.must_read_again(batch.records[next])) {
            Snapshot snapshot(session_);
            store::Directory directory(snapshot.txn, tenant_);
            writer_.read_again(*batch.reader, directory, batch.records[next]);
        }
        RETURN_IF_ERROR(write_some(batch, next));
    }
    return Done{};
}

// One transaction. If the catalog has changed since the batch was read, it is read again first.
Outcome Importer::write_some(Batch &batch, size_t &next) {
    {
        store::WriteTxn txn(store_.env());
        RETURN_IF_ERROR(check(txn, catalog_));
        if (catalog_->epoch() == batch.reader->catalog()->epoch()) {
            pace_.begin();
            store::DirectoryWriter directory(txn, tenant_);
            const ImportTarget target{*batch.reader, directory, &directory};
            do {
                if (writer_.has_rest())
                    RETURN_IF_ERROR(writer_.put_rest(target));
                else
                    RETURN_IF_ERROR(writer_.put(target, batch.records[next++]));
                if (!txn.good()) return failed(txn.error());
            } while (
                (next < batch.records.size() || writer_.has_rest()) && !pace_.must_end() &&
                !(next < batch.records.size() && writer_.must_read_again(batch.records[next])));
            // A record that is written in part is not done.
            if (const size_t done = next - size_t(writer_.has_rest()); done > 0) {
                position_.lines = batch.records[done - 1].line;
                position_.digest = batch.records[done - 1].digest;
            }
            position_.is_begun = writer_.has_rest();
            store::put_import_position(txn, tenant_, position_);
            RETURN_IF_ERROR(commit(txn));
            known_ = position_;
            listener_.progress(writer_.counts());
            return Done{};
        }
    }
    batch.reader = make_reader(catalog_);
    Snapshot snapshot(session_);
    store::Directory directory(snapshot.txn, tenant_);
    for (size_t i = next; i < batch.records.size(); i++) {
        if (batch.records[i].is_ambiguous) continue;
        batch.reader->read(batch.records[i]);
        writer_.resolve(*batch.reader, directory, batch.records[i]);
    }
    return Done{};
}

Outcome Importer::rehearse(Batch &batch, size_t next) {
    Snapshot snapshot(session_);
    RETURN_IF_ERROR(snapshot.usable());
    store::Directory directory(snapshot.txn, tenant_);
    const ImportTarget target{*batch.reader, directory, nullptr};
    for (; next < batch.records.size(); next++) {
        RETURN_IF_ERROR(writer_.put(target, batch.records[next]));
        position_.lines = batch.records[next].line;
    }
    if (!snapshot.txn.good()) return unreadable(snapshot.txn.error());
    return Done{};
}

Outcome Importer::write_later() {
    while (writer_.has_later()) RETURN_IF_ERROR(write_later_some());
    return Done{};
}

Outcome Importer::write_later_some() {
    if (options_.dry_run) {
        Snapshot snapshot(session_);
        RETURN_IF_ERROR(snapshot.usable());
        store::Directory directory(snapshot.txn, tenant_);
        return writer_.put_later({*make_reader(snapshot.catalog()), directory, nullptr});
    }
    store::WriteTxn txn(store_.env());
    RETURN_IF_ERROR(check(txn, catalog_));
    pace_.begin();
    store::DirectoryWriter directory(txn, tenant_);
    const auto reader = make_reader(catalog_);
    do {
        RETURN_IF_ERROR(writer_.put_later({*reader, directory, &directory}));
        if (!txn.good()) return failed(txn.error());
    } while (writer_.has_later() && !pace_.must_end());
    return commit(txn);
}

// The end of the import: its position is forgotten.
Outcome Importer::end() {
    store::WriteTxn txn(store_.env());
    if (!txn.good()) return failed(txn.error());
    if (store::find_import_position(txn, tenant_) == known_)
        store::delete_import_position(txn, tenant_);
    if (const auto code = txn.commit(); code != store::Errc::ok) return failed(code);
    return Done{};
}

Outcome Importer::other_input() {
    RETURN_IF_ERROR(end());
    return Error{Refusal::import_other_input,
                 "the input differs from that of the interrupted import within its first " +
                     std::to_string(recalled_) +
                     " lines; the position of that import is now forgotten: run the command again "
                     "to import from the first line"};
}

}  // namespace scim::service
