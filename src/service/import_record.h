#pragma once
// One record of an import (import.h): from a line of NDJSON to a write that is prepared like that of
// a request.
//
// The type is that of meta.resourceType or, without it, the one whose schema `schemas` names.
// Members of a group, and the manager of a user, refer to records by the ids of the input: they are
// replaced by the ids in the store. A reference to a record that is not known yet is left out and
// listed in `missing`, so that it can be added later. With `keep_ids` the ids of the input are those
// of the store, and a manager is left as it is.
//
// A line may also say what keeps a deleted user out (access_text.h).

#include <string>
#include <unordered_map>
#include <vector>

#include "service/access_text.h"
#include "service/command.h"
#include "service/store.h"
#include "store/import_position.h"

namespace scim::service {

constexpr size_t line_most = size_t(512) << 20;  // bytes of a record

// The ids in the store by the ids in the input.
class ImportIds {
  public:
    // `line`: of the record. An empty `source` is no id.
    void set(std::string_view source, const Id &id, uint64_t line);
    void erase(std::string_view source) { ids_.erase(key_of(source)); }
    // The id of a record in a line before `end`; nullptr if there is none.
    const Id *find(std::string_view source, uint64_t end) const;

  private:
    struct Key {
        uint64_t high, low;  // a digest of the id in the input
        bool operator==(const Key &other) const { return high == other.high && low == other.low; }
    };
    struct Hash {
        size_t operator()(const Key &key) const { return size_t(key.low); }
    };
    struct Place {
        Id id;
        uint64_t line;
    };
    static Key key_of(std::string_view source);
    std::unordered_map<Key, Place, Hash> ids_;
};

// What refers to a record that was not known: the manager of a user, or a member of a group.
struct MissingReference {
    bool is_manager = false;
    std::string source;  // the id in the input
};

struct ImportRecord {
    uint64_t line = 0;  // its number, from 1
    std::string text;
    uint64_t digest = 0;  // of this and all earlier lines

    // Set by ImportReader::read().
    Json json;     // null unless the record has members
    Json members;  // taken out of `json` by as_replace(): to free them takes long
    const TypeView *type = nullptr;
    std::string source;                  // its id in the input; may be empty
    Id id{};                             // in the store, if the record is created
    bool keeps_id = false;               // `id` is from the input
    int64_t created = 0, modified = 0;   // milliseconds; 0: the time of the import
    store::AccessState access;           // of the record
    std::optional<DeletedUser> deleted;  // the line is that of a deleted user: nothing else is set
    DeviationReport report;
    Result<Step> step = undecided();        // a create, or why the record is refused
    std::vector<MissingReference> missing;  // set by the functions that resolve references
    bool is_ambiguous = false;              // refused: an earlier record has the id
    bool is_read_again = false;             // see ImportWriter::must_read_again()

    bool has_members() const { return json != nullptr; }
    // Too long to resolve its members within a transaction.
    bool takes_long() const { return has_members() && text.size() > (64u << 10); }
};

class ImportReader {
  public:
    // `now`: milliseconds since 1970; later times of the input become `now`.
    ImportReader(std::shared_ptr<const Catalog> catalog, store::TenantNumber tenant, bool keep_ids,
                 const store::ImportPosition &position, int64_t now);

    const std::shared_ptr<const Catalog> &catalog() const { return context_.catalog; }
    int64_t now() const { return context_.now; }

    // Parses the record and, unless it has members, prepares it. May run on several threads.
    void read(ImportRecord &record) const;
    // Resolves references; if `directory` is nullptr, only records of the input are known.
    // Replaces the members and prepares the record. Nothing if it has none.
    void resolve_members(ImportRecord &record, const ImportIds &ids,
                         store::Directory *directory) const;
    // Replaces the manager of a record that is prepared, or leaves it out; 400, and nothing changes,
    // if the record needs one.
    Outcome resolve_manager(ImportRecord &record, Step &step, const ImportIds &ids,
                            store::Directory *directory) const;
    // The same record as a replacement of the resource `id`, without the members of a record that has
    // some.
    Result<Step> as_replace(ImportRecord &record, const Id &id, const ImportIds &ids,
                            store::Directory &directory) const;
    // A PATCH of a resource that the import has written. `operation`: "add" or "remove".
    Result<Step> change_members(const TypeView &type, const Id &group, const char *operation,
                                const std::vector<Id> &members) const;
    Result<Step> set_manager(const TypeView &type, const Id &user, const Id &manager) const;

    // The id in the store of a reference in the input: of a record in a line before `end`, or of a
    // resource of `directory` unless that is nullptr.
    std::optional<Id> id_of(std::string_view source, const ImportIds &ids, uint64_t end,
                            store::Directory *directory) const;

  private:
    Outcome parse(ImportRecord &record) const;
    Outcome read_identity(ImportRecord &record) const;
    Outcome read_times(ImportRecord &record, const json_t *meta) const;
    Result<Step> prepare(ImportRecord &record, const json_t *json, store::Operation operation,
                         const Id &id) const;
    Outcome leave_out_manager(ImportRecord &record, Command &command,
                              const std::string &source) const;
    Result<Step> patch(const TypeView &type, const Id &id, const json_t *body) const;
    void replace_members(ImportRecord &record, const ImportIds &ids,
                         store::Directory *directory) const;

    Settings settings_;
    StepContext context_;
    bool keep_ids_;
    const store::ImportPosition position_;
};

}  // namespace scim::service
