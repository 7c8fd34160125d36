// The maintenance of a Writer: work that can wait. Each step does one chore in one transaction.
//
// A chore that fails is logged and left out for a minute, and the other chores go on: damage in an
// index must stop neither the trimming of the change log nor the other indexes, for example.

#include <algorithm>

#include "service/batch.h"
#include "service/index_builder.h"
#include "store/members.h"

namespace scim::service {

namespace {

constexpr int64_t minute = 60 * 1000;  // milliseconds

// What cannot be done, for the log. `index`: the name of the chore's index.
std::string subject_of(Chore::Kind chore, const std::string &index) {
    switch (chore) {
        case Chore::Kind::sweep:
            return "the members of emptied or deleted groups cannot be deleted";
        case Chore::Kind::index: return "the index of " + index + " cannot be built or dropped";
        case Chore::Kind::trim: return "the change log cannot be trimmed";
        case Chore::Kind::notes: break;
    }
    return "refused requests and uses of tokens cannot be recorded";
}

std::string remedy_of(Chore::Kind chore, store::Errc code, const std::string &index) {
    if (code == store::Errc::no_space) return "; free some space";
    if (code != store::Errc::damaged) return "";
    if (chore == Chore::Kind::index)
        return "; \"scimctl reindex '" + index + "'\" begins it again, scimctl verify says more";
    return "; scimctl verify says where";
}

std::pair<Chore::Kind, uint16_t> key_of(const Chore &chore) {
    return {chore.kind, chore.index != nullptr ? chore.index->number : uint16_t(0)};
}

}  // namespace

void Writer::report_conflict(uint16_t index) {
    Snapshot snapshot(session_);
    if (!snapshot.usable()) return;
    // Empty if the index is not in conflict any more.
    std::string report = conflict_report(snapshot.txn, *snapshot.catalog(), index);
    if (!report.empty()) alarms_.push_back(std::move(report));
}

// Says once that an index cannot be built because the map is almost full. `index` is null if none
// waits. The build goes on when there is space: each commit plans maintenance.
void Writer::note_waiting_index(const IndexDef *index, const Catalog &catalog, size_t map_size) {
    const bool is_known = index_waits_;
    index_waits_ = index != nullptr;
    const TypeView *type = index != nullptr ? catalog.type_by_number(index->type) : nullptr;
    const Attr *attr = type != nullptr ? type->indexed(index->attr) : nullptr;
    if (attr == nullptr || is_known) return;
    alarms_.push_back("the attribute " + quoted(attr->path) + " of " + type->type.name +
                      (index->unique ? " is not enforced as unique yet: its index is not built"
                       : index->kind == IndexKind::substring
                           ? " has no substring index yet: it is not built"
                           : " has no index yet: it is not built") +
                      ", because almost all of the map's " + std::to_string(map_size) +
                      " bytes are in use; raise size= of scim_store and reload");
}

// The first index that a step may work on; nullptr if there is none. While the map is almost full,
// indexes are dropped, but not built.
const IndexDef *Writer::index_to_advance(store::WriteTxn &txn, const Catalog &catalog,
                                         int64_t now) {
    const bool can_build = map_space(txn) == MapSpace::for_all;
    const IndexDef *first = nullptr, *waiting = nullptr;
    for (const IndexDef *index : catalog.unfinished()) {
        if (!can_build && index->state != IndexState::dropping)
            waiting = waiting != nullptr ? waiting : index;
        else if (first == nullptr && !is_paused({Chore::Kind::index, index}, now))
            first = index;
    }
    note_waiting_index(waiting, catalog, txn.map_size());
    return first;
}

bool Writer::is_paused(const Chore &chore, int64_t now) const {
    const auto failed = failed_.find(key_of(chore));
    return failed != failed_.end() && now >= failed->second && now - failed->second < minute;
}

// Leaves a chore that has failed out for a minute, and says why. Returns false if it was left out
// already.
bool Writer::pause(const Chore &chore, const Catalog *catalog, store::Errc code, int64_t now) {
    const bool is_new = !is_paused(chore, now);
    const std::string index = chore.index != nullptr ? index_name(*catalog, *chore.index) : "";
    failed_[key_of(chore)] = now;
    alarms_.push_back("store " + quoted(store_.env().directory()) + ": " +
                      subject_of(chore.kind, index) + ": " + std::string(to_string(code)) +
                      remedy_of(chore.kind, code, index) + "; it is tried again in a minute");
    return is_new;
}

bool Writer::must_sweep(store::Txn &txn, int64_t now) const {
    return !is_paused({Chore::Kind::sweep}, now) && store::has_dead_rows(txn);
}

bool Writer::must_advance(const Snapshot &snapshot, int64_t now) const {
    if (!snapshot.usable()) return false;
    const auto &indexes = snapshot.catalog()->unfinished();
    return std::any_of(indexes.begin(), indexes.end(), [&](const IndexDef *index) {
        return !is_paused({Chore::Kind::index, index}, now);
    });
}

bool Writer::must_trim(int64_t now) const {
    return !is_paused({Chore::Kind::trim}, now) && trimmer_.due(now);
}

bool Writer::must_put_notes(int64_t now) const {
    return !is_paused({Chore::Kind::notes}, now) && !(refusals_.empty() && uses_.empty());
}

// `catalog` is null if it cannot be read.
Chore Writer::next_chore(store::WriteTxn &txn, const Catalog *catalog, int64_t now) {
    if (must_sweep(txn, now)) return {Chore::Kind::sweep};
    const IndexDef *index = catalog != nullptr ? index_to_advance(txn, *catalog, now) : nullptr;
    if (index != nullptr) return {Chore::Kind::index, index};
    if (must_trim(now) && trimmer_.has_found()) return {Chore::Kind::trim};
    return {Chore::Kind::notes};
}

// Does a step of some milliseconds. Returns the number of an index that is in conflict now, or 0.
// Notes are written with every chore.
uint16_t Writer::do_chore(store::WriteTxn &txn, const Catalog *catalog, const Chore &chore) {
    constexpr size_t dead_rows = 500, old_rows = 1000;
    switch (chore.kind) {
        case Chore::Kind::sweep: store::sweep(txn, dead_rows); break;
        case Chore::Kind::index: return advance_index(txn, *catalog, *chore.index);
        case Chore::Kind::trim: trimmer_.trim(txn, old_rows); break;
        case Chore::Kind::notes: break;
    }
    return 0;
}

// Writes the notes unless the map is almost full or writing them has failed. True if they are written.
bool Writer::put_notes_if_room(store::WriteTxn &txn, int64_t now) {
    const size_t wanted = 2 * Reserve(txn.map_size()).lockouts, room = txn.room(wanted);
    short_of_room_ &= room < wanted;
    if (room < wanted || is_paused({Chore::Kind::notes}, now)) return false;
    put_notes(txn);
    return true;
}

Writer::Maintenance Writer::maintenance(int64_t now) {
    Snapshot snapshot(session_);
    const bool makes_room = short_of_room_ && !is_paused({Chore::Kind::trim}, now);
    if (makes_room || must_trim(now) || must_sweep(snapshot.txn, now) ||
        must_advance(snapshot, now))
        return Maintenance::rows;
    return must_put_notes(now) ? Maintenance::notes : Maintenance::none;
}

// True if there is something to write. Otherwise the write lock is not taken: another worker or a
// batch may have done the work.
bool Writer::look_for_maintenance(int64_t now) {
    Snapshot snapshot(session_);
    trimmer_.make_room(short_of_room_);
    if (must_trim(now)) trimmer_.look(snapshot.txn, now);
    if (!trimmer_.due(now)) short_of_room_ = false;  // no change can be deleted
    return must_sweep(snapshot.txn, now) || (must_trim(now) && trimmer_.has_found()) ||
           must_put_notes(now) || must_advance(snapshot, now);
}

bool Writer::do_maintenance(int64_t now) {
    if (!look_for_maintenance(now)) return must_trim(now);
    store::WriteTxn txn(store_.env(), &lock_wait_);
    if (!txn.good()) {
        trimmer_.stop();
        return false;
    }
    const auto found = write_catalogs_.at(txn);
    const Catalog *catalog = found ? found->get() : nullptr;
    const Chore chore = next_chore(txn, catalog, now);
    const uint16_t conflict = do_chore(txn, catalog, chore);
    const bool more = chore.kind == Chore::Kind::index || must_sweep(txn, now);
    const bool notes_put = txn.written() && put_notes_if_room(txn, now);
    const bool notes_failed = notes_put && !txn.written();
    if (const store::Errc code = txn.commit(); code != store::Errc::ok) {
        if (chore.kind == Chore::Kind::trim) trimmer_.stop();  // what it has deleted is undone
        const Chore notes{Chore::Kind::notes};
        const bool others_may_work = pause(notes_failed ? notes : chore, catalog, code, now);
        if (notes_put) failed_[key_of(notes)] = now;
        return others_may_work;
    }
    if (notes_put) drop_notes();
    if (conflict != 0) report_conflict(conflict);
    return more || must_trim(now);
}

}  // namespace scim::service
