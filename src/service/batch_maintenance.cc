// The maintenance of a Writer: work that can wait. Each step does one chore in one transaction.
//
// A chore that fails is logged and left out for a minute, and the other chores go on: damage
// in an index must not stop the trimming of the change log, for example.

#include "service/batch.h"
#include "service/index_builder.h"
#include "store/members.h"

namespace scim::service {

namespace {

constexpr int64_t minute = 60 * 1000;  // milliseconds

// What cannot be done, for the log. `index`: the index of the chore.
std::string subject_of(Chore chore, const std::string &index) {
    switch (chore) {
        case Chore::sweep: return "the members of emptied or deleted groups cannot be deleted";
        case Chore::index: return "the index of " + index + " cannot be built or dropped";
        case Chore::trim: return "the change log cannot be trimmed";
        case Chore::notes: break;
    }
    return "refused requests and uses of tokens cannot be recorded";
}

std::string remedy_of(Chore chore, store::Errc code, const std::string &index) {
    if (code == store::Errc::no_space) return "; free some space";
    if (code != store::Errc::damaged) return "";
    if (chore == Chore::index)
        return "; \"scimctl reindex '" + index + "'\" begins it again, scimctl verify says more";
    return "; scimctl verify says where";
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

// The index that a step may work on; nullptr if there is none. While the map is almost full, indexes
// are dropped, but not built.
const IndexDef *Writer::index_to_advance(store::WriteTxn &txn, const Catalog &catalog) {
    const IndexDef *index = catalog.unfinished();
    const bool waits = index != nullptr && index->state != IndexState::dropping &&
                       map_space(txn) != MapSpace::for_all;
    note_waiting_index(waits ? index : nullptr, catalog, txn.map_size());
    return waits ? nullptr : index;
}

bool Writer::is_paused(Chore chore, int64_t now) const {
    const auto &failed = failed_[size_t(chore)];
    return failed && now >= *failed && now - *failed < minute;
}

// Leaves a chore that has failed out for a minute, and says why. `index`: the name of its index.
void Writer::pause(Chore chore, store::Errc code, const std::string &index, int64_t now) {
    failed_[size_t(chore)] = now;
    alarms_.push_back("store " + quoted(store_.env().directory()) + ": " +
                      subject_of(chore, index) + ": " + std::string(to_string(code)) +
                      remedy_of(chore, code, index) + "; it is tried again in a minute");
}

bool Writer::must_sweep(store::Txn &txn, int64_t now) const {
    return !is_paused(Chore::sweep, now) && store::has_dead_rows(txn);
}

bool Writer::must_advance(const Snapshot &snapshot, int64_t now) const {
    return !is_paused(Chore::index, now) && snapshot.usable() &&
           snapshot.catalog()->unfinished() != nullptr;
}

bool Writer::must_trim(int64_t now) const {
    return !is_paused(Chore::trim, now) && trimmer_.due(now);
}

bool Writer::must_put_notes(int64_t now) const {
    return !is_paused(Chore::notes, now) && !(refusals_.empty() && uses_.empty());
}

Chore Writer::next_chore(store::Txn &txn, const IndexDef *index, int64_t now) const {
    if (must_sweep(txn, now)) return Chore::sweep;
    if (index != nullptr && !is_paused(Chore::index, now)) return Chore::index;
    return must_trim(now) && trimmer_.has_found() ? Chore::trim : Chore::notes;
}

// Writes the notes unless the map is almost full or writing them has failed. True if they are written.
bool Writer::put_notes_if_room(store::WriteTxn &txn, int64_t now) {
    const size_t wanted = 2 * Reserve(txn.map_size()).lockouts, room = txn.room(wanted);
    short_of_room_ &= room < wanted;
    if (room < wanted || is_paused(Chore::notes, now)) return false;
    put_notes(txn);
    return true;
}

Writer::Maintenance Writer::maintenance(int64_t now) {
    Snapshot snapshot(session_);
    const bool makes_room = short_of_room_ && !is_paused(Chore::trim, now);
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
    constexpr size_t dead_rows = 500, old_rows = 1000;  // rows of a step of some milliseconds
    if (!look_for_maintenance(now)) return must_trim(now);
    store::WriteTxn txn(store_.env(), &lock_wait_);
    if (!txn.good()) {
        trimmer_.stop();
        return false;
    }
    const auto catalog = write_catalogs_.at(txn);
    const IndexDef *index = catalog ? index_to_advance(txn, **catalog) : nullptr;
    Chore chore = next_chore(txn, index, now);
    const std::string name = chore == Chore::index ? index_name(**catalog, *index) : "";
    const bool trims = chore == Chore::trim;
    uint16_t conflict = 0;
    if (chore == Chore::sweep)
        store::sweep(txn, dead_rows);
    else if (chore == Chore::index)
        conflict = advance_index(txn, **catalog);
    else if (chore == Chore::trim)
        trimmer_.trim(txn, old_rows);
    const bool more = chore == Chore::index || must_sweep(txn, now);
    const bool notes_put = txn.good() && put_notes_if_room(txn, now);
    if (notes_put && !txn.good()) chore = Chore::notes;
    if (const store::Errc code = txn.commit(); code != store::Errc::ok) {
        if (trims) trimmer_.stop();  // what it has deleted is undone
        const bool others_may_work = !is_paused(chore, now);
        pause(chore, code, name, now);
        if (notes_put) failed_[size_t(Chore::notes)] = now;
        return others_may_work;
    }
    if (notes_put) drop_notes();
    if (conflict != 0) report_conflict(conflict);
    return more || must_trim(now);
}

}  // namespace scim::service
