#pragma once
// Writes the records of an import (import.h) within the transactions of its caller.

#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "service/import_record.h"

namespace scim::service {

// A record that is in the store already: its id, if ids are kept, or a unique value such as its
// userName.
enum class OnConflict : uint8_t { fail, skip, update };

struct ImportOptions {
    OnConflict on_conflict = OnConflict::fail;
    bool keep_ids = false;
    bool dry_run = false;  // nothing is written, and no lock is taken
};

struct ImportCounts {
    uint64_t created = 0, updated = 0, unchanged = 0, skipped = 0, refused = 0;
    uint64_t deleted_values = 0;  // lines of deleted users
    uint64_t missing = 0;         // references to records that do not exist
    // Not counted are the records of an import that this one continues.
    uint64_t records() const {
        return created + updated + unchanged + skipped + refused + deleted_values;
    }
};

class ImportListener {
  public:
    virtual ~ImportListener() = default;
    // Called before anything is written. `lines`: what an interrupted import has done.
    virtual void begun(uint64_t lines) = 0;
    // A record is refused, or a reference of it is left out (then `text` is empty). False if this
    // cannot be recorded: the import ends. The transaction may still fail.
    virtual bool refused(uint64_t line, const Error &error, std::string_view text) = 0;
    // Called after each transaction.
    virtual void progress(const ImportCounts &counts) = 0;
};

// Where records are written. Of a dry run, `writer` is nullptr.
struct ImportTarget {
    const ImportReader &reader;
    store::Directory &directory;
    store::DirectoryWriter *writer;
};

// An error of a function is one of the store, with status 503, not one of a record.
class ImportWriter {
  public:
    // Members that are added in one step: about 10 ms under the write lock.
    static constexpr size_t members_a_step = 1000;

    ImportWriter(const ImportOptions &options, ImportListener &listener)
        : options_(options), listener_(listener) {}

    // True for a long record whose members must be resolved again, because an earlier record of the
    // batch got another id than expected. read_again() does that, outside of a transaction.
    bool must_read_again(const ImportRecord &record) const;
    void read_again(const ImportReader &reader, store::Directory &directory, ImportRecord &record);

    // Assumes, before the records of a batch are written, that each is created under its id, and
    // resolves the members of the records. Each record once, in the order of the input. For a
    // record that is recalled, `directory` is nullptr: what it refers to may have been missing.
    void expect(const ImportReader &reader, store::Directory *directory, ImportRecord &record);
    // True if a record of the last batch was not created under the id that expect() assumed.
    bool has_changed_ids() const { return ids_changed_; }
    // Resolves the members of a record that is read again.
    void resolve(const ImportReader &reader, store::Directory &directory, ImportRecord &record) {
        reader.resolve_members(record, ids_, &directory);
    }
    // Writes the record, or refuses it. A group of many members is written in part, created or
    // updated.
    Outcome put(const ImportTarget &target, ImportRecord &record);
    // True if members of the last record are still to be added or removed; put_rest() takes some.
    bool has_rest() const { return !rest_.members.empty(); }
    Outcome put_rest(const ImportTarget &target);

    // Of an import that is continued: remembers the id of a record that is done, or writes all
    // members of the record that was written in part.
    void recall(const ImportReader &reader, store::Directory &directory, ImportRecord &record,
                uint64_t before);
    bool resume(store::Directory &directory, const ImportRecord &record);

    // The references to later records, when the input has ended: put_later() adds some.
    bool has_later() const { return later_left() > 0; }
    size_t later_left() const { return later_.size() - next_later_; }
    Outcome put_later(const ImportTarget &target);

    const ImportCounts &counts() const { return counts_; }
    // Attributes that are not declared and were ignored, and in how many records.
    const std::map<std::string, uint64_t> &ignored() const { return ignored_; }

  private:
    // A reference that is added when the input has ended.
    struct Later {
        const TypeView *type;
        std::shared_ptr<const Catalog> catalog;  // keeps `type`
        Id id;
        int64_t modified;
        uint64_t line;
        MissingReference reference;
    };
    // The members of a group that are still to be added, from `next` on. If the record updates a
    // group, its other members are removed first.
    struct Rest {
        const TypeView *type = nullptr;
        std::shared_ptr<const Catalog> catalog;
        Id id{};
        int64_t modified = 0;
        uint64_t line = 0;
        std::vector<Id> members;
        size_t next = 0;
        bool is_update = false, changes = false;
        bool has_others = false;     // of an update: members to be removed may be left
        std::optional<Id> walked{};  // the last member that was compared with `members`
    };

    Outcome put_new(const ImportTarget &target, ImportRecord &record);
    Outcome put_existing(const ImportTarget &target, ImportRecord &record, const Id &id);
    Id leaver_of(const store::AccessState &state, const store::AccessState &before) const;
    Outcome put_deleted_user(const ImportTarget &target, const ImportRecord &record);
    bool put_access(const ImportTarget &target, const ImportRecord &record, const Id &id);
    Outcome update(const ImportTarget &target, ImportRecord &record, const Id &id);
    Outcome put_incomplete(const ImportTarget &target, ImportRecord &record, const Error &error);
    Result<Plan> plan_new(const ImportTarget &target, ImportRecord &record);
    Outcome change_members(const ImportTarget &target, const Later &to, const char *operation,
                           const std::vector<Id> &ids);
    Outcome add_some(const ImportTarget &target, const Later &to);
    Outcome remove_others(const ImportTarget &target, const Later &to);
    Outcome put_patch(const ImportTarget &target, const Later &to, Result<Step> step);
    void keep_rest(ImportRecord &record);
    void begin_rest(const ImportRecord &record, const Id &id, std::vector<Id> members);
    void begin_update(const ImportRecord &record, const Id &id, std::vector<Id> members,
                      bool changes);
    void drop_rest(ImportRecord &record);
    void note_created(const ImportRecord &record);
    void note_later(const ImportRecord &record, const Id &id, int64_t modified);
    void note_ignored(const DeviationReport &report);
    void set_id(const ImportRecord &record, const Id &id);
    Outcome refuse(const ImportRecord &record, const Error &error);
    Outcome leave_out(const Later &later, const Error &error);
    bool is_repeated(const Command &command);

    const ImportOptions options_;
    ImportListener &listener_;
    ImportIds ids_;
    bool ids_changed_ = false;  // a record has another id than expect() assumed
    ImportCounts counts_;
    Rest rest_;
    std::vector<Later> later_;
    size_t next_later_ = 0;
    std::map<std::string, uint64_t> ignored_;
    // Of a dry run: the records that would have been created, and digests of their unique values.
    std::shared_ptr<PromisedIds> promised_ = std::make_shared<PromisedIds>();
    std::unordered_set<uint64_t> values_;
};

}  // namespace scim::service
