#include "service/import_writer.h"

#include <xxhash.h>

#include <algorithm>

#include "service/plan_parts.h"
#include "store/keys.h"
#include "store/members.h"

namespace scim::service {

namespace {

constexpr size_t members_compared_a_step = 10000;
constexpr size_t ignored_names_most = 100;

// The resource with a unique value of the command; nothing if there is none.
std::optional<Id> owner_of_value(const Command &command, store::Directory &directory) {
    for (const auto &[number, value] : command.index) {
        const Attr *attr = command.type->by_number(number);
        if (attr == nullptr || !attr->index->refuses_duplicates()) continue;
        const auto ids = directory.find(command.type->number, number, value, 1);
        if (!ids.empty()) return ids.front();
    }
    return std::nullopt;
}

// The type of the resource with this id; nullptr if there is none.
const TypeView *type_of(const Catalog &catalog, store::Directory &directory, const Id &id) {
    for (const auto &type : catalog.types())
        if (directory.exists(type->number, id)) return type.get();
    return nullptr;
}

Error exists(const TypeView &type, const Id &id) {
    return Error{Refusal::import_exists,
                 "the " + type.type.name + " " + scim::to_string(id) + " exists already"};
}

Error no_record(const MissingReference &reference) {
    return Error{Refusal::import_reference,
                 std::string(reference.is_manager ? "manager" : "members") + ": " +
                     quoted(reference.source) +
                     " is not the id of a record that was imported; it is left out"};
}

Outcome not_recorded() {
    return Error{Refusal::import_errors_file, "the file of --errors cannot be written"};
}

// Writes the rows of `access` that differ. False if there are none.
bool put_kept_out(const ImportTarget &target, store::AccessKind kind, const std::string &value,
                  const store::AccessState &state) {
    auto edit = plan_deleted_user(*target.reader.catalog(), target.directory, kind, value, state);
    edit.change.time = target.reader.now();
    if (target.writer != nullptr) target.writer->apply_access(edit);
    return !edit.access.empty();
}

}  // namespace

// A later record with the same id is refused: references to it would be ambiguous. Kept ids are
// compared with those in the store.
void ImportWriter::expect(const ImportReader &reader, store::Directory *directory,
                          ImportRecord &record) {
    ids_changed_ = false;
    const bool is_read = record.step || record.has_members();
    if (is_read && !record.keeps_id && ids_.find(record.source, record.line) != nullptr) {
        record.json.reset();
        record.is_ambiguous = true;
        record.step =
            Error{Refusal::import_exists, "an earlier record has the id " + quoted(record.source)};
        record.source.clear();
        return;
    }
    reader.resolve_members(record, ids_, directory);
    if (record.step) ids_.set(record.source, record.id, record.line);
}

bool ImportWriter::must_read_again(const ImportRecord &record) const {
    return ids_changed_ && record.takes_long() && !record.is_read_again;
}

void ImportWriter::read_again(const ImportReader &reader, store::Directory &directory,
                              ImportRecord &record) {
    reader.read(record);
    reader.resolve_members(record, ids_, &directory);
    record.is_read_again = true;
}

Outcome ImportWriter::put(const ImportTarget &target, ImportRecord &record) {
    if (ids_changed_ && record.has_members() && !record.is_read_again)
        read_again(target.reader, target.directory, record);
    if (record.deleted) return put_deleted_user(target, record);
    if (!record.step) return refuse(record, record.step.error());
    auto resolved = target.reader.resolve_manager(record, *record.step, ids_, &target.directory);
    if (!resolved) return put_incomplete(target, record, resolved.error());
    note_ignored(record.report);
    if (record.keeps_id) {
        const TypeView *type = type_of(*target.reader.catalog(), target.directory, record.id);
        if (type != nullptr && type == record.type) return put_existing(target, record, record.id);
        if (type != nullptr) return refuse(record, exists(*type, record.id));
    }
    return put_new(target, record);
}

// A record without a manager that it must have. To skip an existing resource, none is needed.
Outcome ImportWriter::put_incomplete(const ImportTarget &target, ImportRecord &record,
                                     const Error &error) {
    const auto owner = options_.on_conflict == OnConflict::skip
                           ? owner_of_value(record.step->command, target.directory)
                           : std::nullopt;
    return owner ? put_existing(target, record, *owner) : refuse(record, error);
}

Result<Plan> ImportWriter::plan_new(const ImportTarget &target, ImportRecord &record) {
    Command &command = record.step->command;
    if (options_.dry_run) command.promised = promised_;
    Work work;
    return plan(command, target.directory, record.report, work);
}

Outcome ImportWriter::put_new(const ImportTarget &target, ImportRecord &record) {
    keep_rest(record);
    auto plan = plan_new(target, record);
    if (!plan) {
        drop_rest(record);
        const Error error = std::move(plan.error());
        if (error.status() == 503) return error;
        const bool is_taken = error.status() == 409 && options_.on_conflict != OnConflict::fail;
        const auto owner =
            is_taken ? owner_of_value(record.step->command, target.directory) : std::nullopt;
        return owner ? put_existing(target, record, *owner) : refuse(record, error);
    }
    if (target.writer != nullptr) {
        apply(*plan, *target.writer);
        note_created(record);
        return Done{};
    }
    rest_ = Rest();
    const Command &command = record.step->command;
    if (!is_repeated(command)) {
        promised_->emplace(record.id, record.type->number);
        note_created(record);
    } else if (options_.on_conflict == OnConflict::fail) {
        return refuse(record,
                      Error{Refusal::import_exists, "an earlier record has the same unique value"});
    } else {
        (options_.on_conflict == OnConflict::skip ? counts_.skipped : counts_.updated)++;
    }
    return Done{};
}

// Of a dry run, in which the values of earlier records are not in the store.
bool ImportWriter::is_repeated(const Command &command) {
    bool repeated = false;
    for (const auto &[number, value] : command.index) {
        const Attr *attr = command.type->by_number(number);
        if (attr == nullptr || !attr->index->refuses_duplicates()) continue;
        repeated |=
            !values_.insert(XXH3_64bits_withSeed(value.data(), value.size(), number)).second;
    }
    return repeated;
}

Outcome ImportWriter::put_existing(const ImportTarget &target, ImportRecord &record, const Id &id) {
    if (options_.on_conflict == OnConflict::fail) return refuse(record, exists(*record.type, id));
    set_id(record, id);
    if (options_.on_conflict == OnConflict::update) return update(target, record, id);
    counts_.skipped++;
    return Done{};
}

Outcome ImportWriter::update(const ImportTarget &target, ImportRecord &record, const Id &id) {
    auto &given = record.step->command.resource.members;
    const bool has_members = given.has_value();
    std::vector<Id> members;
    if (has_members) members = std::move(*given);
    auto step = target.reader.as_replace(record, id, ids_, target.directory);
    if (!step) return refuse(record, step.error());
    Command &command = step->command;
    if (options_.dry_run) command.promised = promised_;
    command.keeps_members = members.size() > members_a_step && target.writer != nullptr;
    if (has_members && !command.keeps_members) command.resource.members = members;
    Work work;
    auto plan = service::plan(step->command, target.directory, record.report, work);
    if (!plan && plan.error().status() == 503) return plan.error();
    if (!plan) return refuse(record, plan.error());
    if (target.writer != nullptr) apply(*plan, *target.writer);
    const bool changes = plan->changes || put_access(target, record, id);
    note_later(record, id, 0);
    if (command.keeps_members)
        begin_update(record, id, std::move(members), changes);
    else
        (changes ? counts_.updated : counts_.unchanged)++;
    return Done{};
}

// Of a record that is the same as the resource `id`.
bool ImportWriter::put_access(const ImportTarget &target, const ImportRecord &record,
                              const Id &id) {
    return !record.access.empty() && put_kept_out(target, store::AccessKind::id,
                                                  std::string(store::Key().id(id)), record.access);
}

// The user who has left a tombstone that the input has. It may be imported, too, under another id. If
// it was refused, for example because it exists, it keeps what an earlier import has written for it.
Id ImportWriter::leaver_of(const store::AccessState &state,
                           const store::AccessState &before) const {
    if (state.blocked_user == Id{}) return Id{};
    if (const Id *id = ids_.find(scim::to_string(state.blocked_user), UINT64_MAX)) return *id;
    return state.blocked == before.blocked ? before.blocked_user : state.blocked_user;
}

// An id of another store is not that of a user here, unless ids are kept.
Outcome ImportWriter::put_deleted_user(const ImportTarget &target, const ImportRecord &record) {
    const DeletedUser &user = *record.deleted;
    if (user.kind == store::AccessKind::id && !options_.keep_ids) {
        counts_.skipped++;
        return Done{};
    }
    store::Directory &directory = target.directory;
    for (const std::string &value : user.values) {
        store::AccessState state = user.state;
        const std::string key = store::tombstone_key(directory.tenant(), user.kind, value);
        state.blocked_user = leaver_of(state, store::access_at(directory.txn(), key));
        put_kept_out(target, user.kind, value, state);
    }
    counts_.deleted_values++;
    return Done{};
}

// Leaves the first members in the record, and keeps the others for put_rest().
void ImportWriter::keep_rest(ImportRecord &record) {
    auto &members = record.step->command.resource.members;
    if (!members || members->size() <= members_a_step) return;
    begin_rest(record, record.id, {members->begin() + ptrdiff_t(members_a_step), members->end()});
    members->resize(members_a_step);
}

void ImportWriter::begin_rest(const ImportRecord &record, const Id &id, std::vector<Id> members) {
    rest_ = Rest();
    rest_.type = record.type;
    rest_.catalog = record.step->command.catalog;
    rest_.id = id;
    rest_.modified = record.modified;
    rest_.line = record.line;
    rest_.members = std::move(members);
}

// The members of the group `id` become those of the record.
void ImportWriter::begin_update(const ImportRecord &record, const Id &id, std::vector<Id> members,
                                bool changes) {
    begin_rest(record, id, std::move(members));
    rest_.modified = 0;
    rest_.is_update = rest_.has_others = true;
    rest_.changes = changes;
}

// Puts the members back into a record that is not created.
void ImportWriter::drop_rest(ImportRecord &record) {
    if (!has_rest()) return;
    auto &members = *record.step->command.resource.members;
    members.insert(members.end(), rest_.members.begin(), rest_.members.end());
    rest_ = Rest();
}

Outcome ImportWriter::put_rest(const ImportTarget &target) {
    const Later to{rest_.type, rest_.catalog, rest_.id, rest_.modified, rest_.line, {}};
    const uint64_t before = target.directory.position().position;
    RETURN_IF_ERROR(rest_.has_others ? remove_others(target, to) : add_some(target, to));
    rest_.changes |= target.directory.position().position != before;
    if (rest_.has_others || rest_.next < rest_.members.size()) return Done{};
    if (rest_.is_update) (rest_.changes ? counts_.updated : counts_.unchanged)++;
    rest_ = Rest();
    return Done{};
}

Outcome ImportWriter::add_some(const ImportTarget &target, const Later &to) {
    const size_t end = std::min(rest_.next + members_a_step, rest_.members.size());
    const std::vector<Id> some(rest_.members.begin() + ptrdiff_t(rest_.next),
                               rest_.members.begin() + ptrdiff_t(end));
    rest_.next = end;
    return change_members(target, to, "add", some);
}

// Removes the next members that the record does not have. Those of a type that is not declared are
// not seen by clients, and stay.
Outcome ImportWriter::remove_others(const ImportTarget &target, const Later &to) {
    const auto group = target.directory.record(rest_.type->number, rest_.id);
    const std::optional<Id> after = rest_.walked;
    std::vector<Id> others;
    size_t compared = 0;
    rest_.has_others = false;
    if (group)
        store::Members(target.directory)
            .each_row(
                rest_.id, after ? &*after : nullptr,
                [&](const Id &member, const store::MemberRow &row) {
                    rest_.walked = member;
                    if (row.epoch == group->header().member_epoch &&
                        target.reader.catalog()->type_by_number(row.type) != nullptr &&
                        !std::binary_search(rest_.members.begin(), rest_.members.end(), member))
                        others.push_back(member);
                    rest_.has_others =
                        others.size() == members_a_step || ++compared == members_compared_a_step;
                    return !rest_.has_others;
                });
    return others.empty() ? Done{} : change_members(target, to, "remove", others);
}

Outcome ImportWriter::change_members(const ImportTarget &target, const Later &to,
                                     const char *operation, const std::vector<Id> &ids) {
    const TypeView *type = target.reader.catalog()->type_by_number(to.type->number);
    if (type == nullptr) return leave_out(to, no_record(to.reference));
    return put_patch(target, to, target.reader.change_members(*type, to.id, operation, ids));
}

Outcome ImportWriter::put_patch(const ImportTarget &target, const Later &to, Result<Step> step) {
    if (target.writer == nullptr) return Done{};
    if (!step) return leave_out(to, step.error());
    step->command.modified = to.modified;
    DeviationReport report;
    Work work;
    auto plan = service::plan(step->command, target.directory, report, work);
    if (!plan && plan.error().status() == 503) return plan.error();
    if (!plan) return leave_out(to, plan.error());
    apply(*plan, *target.writer);
    return Done{};
}

// Continuing an import

void ImportWriter::recall(const ImportReader &reader, store::Directory &directory,
                          ImportRecord &record, uint64_t before) {
    if (!record.step) return;
    auto resolved = reader.resolve_manager(record, *record.step, ids_, nullptr);
    // A record that must have a manager was done with one that the store had.
    if (!resolved) resolved = reader.resolve_manager(record, *record.step, ids_, &directory);
    const TypeNumber type = record.type->number;
    std::optional<Id> id = record.id;
    auto found = directory.record(type, *id);
    const bool is_new = found && found->header().version > before;
    if (!found) {
        const bool is_refused = options_.on_conflict == OnConflict::fail ||
                                (!resolved && options_.on_conflict == OnConflict::update);
        id = is_refused ? std::nullopt : owner_of_value(record.step->command, directory);
    }
    if (!id) return ids_.erase(record.source);
    ids_.set(record.source, *id, record.line);
    if (is_new)
        note_later(record, *id, record.modified);
    else if (options_.on_conflict == OnConflict::update)
        note_later(record, *id, 0);
}

// To add a member that is there already changes nothing.
bool ImportWriter::resume(store::Directory &directory, const ImportRecord &record) {
    if (!record.step || !directory.exists(record.type->number, record.id)) return false;
    const auto &members = record.step->command.resource.members;
    if (!members || members->empty()) return false;
    if (options_.on_conflict == OnConflict::update) {
        begin_update(record, record.id, *members, true);
        note_later(record, record.id, 0);
        return true;
    }
    begin_rest(record, record.id, *members);
    note_created(record);
    return true;
}

// References to later records

void ImportWriter::note_later(const ImportRecord &record, const Id &id, int64_t modified) {
    for (const MissingReference &reference : record.missing)
        later_.push_back(
            {record.type, record.step->command.catalog, id, modified, record.line, reference});
}

// Adds the next manager, or the next members of one group.
Outcome ImportWriter::put_later(const ImportTarget &target) {
    const Later &first = later_[next_later_];
    std::vector<Id> members;
    for (size_t looked_at = 0; has_later() && looked_at < members_a_step;
         next_later_++, looked_at++) {
        const Later &later = later_[next_later_];
        if (later.line != first.line) break;
        const auto id =
            target.reader.id_of(later.reference.source, ids_, UINT64_MAX, &target.directory);
        if (!id) {
            RETURN_IF_ERROR(leave_out(later, no_record(later.reference)));
            continue;
        }
        if (!later.reference.is_manager) {
            members.push_back(*id);
            continue;
        }
        const TypeView *type = target.reader.catalog()->type_by_number(later.type->number);
        if (type != nullptr && type->manager != nullptr)
            RETURN_IF_ERROR(
                put_patch(target, later, target.reader.set_manager(*type, later.id, *id)));
    }
    if (members.empty()) return Done{};
    return change_members(target, first, "add", members);
}

// Notes

void ImportWriter::note_created(const ImportRecord &record) {
    counts_.created++;
    note_later(record, record.id, record.modified);
}

void ImportWriter::set_id(const ImportRecord &record, const Id &id) {
    if (id == record.id) return;
    ids_.set(record.source, id, record.line);
    ids_changed_ = true;
}

void ImportWriter::note_ignored(const DeviationReport &report) {
    for (const DeviationReport::Note &note : report.ignored())
        if (ignored_.size() < ignored_names_most || ignored_.count(note.name) != 0)
            ignored_[note.name]++;
}

Outcome ImportWriter::refuse(const ImportRecord &record, const Error &error) {
    counts_.refused++;
    ids_.erase(record.source);
    ids_changed_ = true;
    if (!listener_.refused(record.line, error, record.text)) return not_recorded();
    return Done{};
}

Outcome ImportWriter::leave_out(const Later &later, const Error &error) {
    counts_.missing++;
    if (!listener_.refused(later.line, error, {})) return not_recorded();
    return Done{};
}

}  // namespace scim::service
