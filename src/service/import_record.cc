#include "service/import_record.h"

#include <xxhash.h>

#include <algorithm>

#include "scim/text/datetime.h"
#include "scim/text/text.h"
#include "store/record.h"

namespace scim::service {

namespace {

// The records come from the operator, so that only memory bounds them.
Settings import_settings() {
    Settings settings;
    settings.max_members = settings.max_operations = SIZE_MAX;
    settings.json.values = line_most;
    settings.json.work = SIZE_MAX;
    return settings;
}

// Ids of one import ascend with the lines, so that new records are adjacent in the B+tree.
Id id_of_line(const store::ImportPosition &position, uint64_t line) {
    return make_id_of_tick(uint64_t(position.started) * ticks_a_millisecond + line,
                           XXH3_64bits_withSeed(&line, sizeof line, position.seed));
}

// The text of a reference: {"value": "…"} or "…"; empty if it is neither.
std::string_view reference_of(const json_t *value) {
    if (json_is_object(value)) value = member_of(value, "value");
    return json_is_string(value) ? text_of(value) : std::string_view();
}

Json reference_to(const Id &id) {
    return made(json_pack("{s:o}", "value", json_string(scim::to_string(id).c_str())));
}

// Replaces the text of an attribute's first leaf in an encoded record; false if the record must be
// encoded again, because the texts differ in size or in escapes.
bool replace_text(std::string &record, const Leaf &leaf, const std::string &text) {
    const auto view = store::RecordView::peek(record);
    if (!view) return false;
    const store::Bytes old = view->first(leaf.attr);
    if (old.size() != text.size() || old.find('\\') != old.npos) return false;
    record.replace(size_t(old.data() - record.data()), text.size(), text);
    return true;
}

Json take_members(json_t *record) {
    std::string_view name;
    Json members(json_incref(const_cast<json_t *>(member_of(record, "members", &name))));
    if (members != nullptr) json_object_deln(record, name.data(), name.size());
    return members;
}

const TypeView *type_of(const Catalog &catalog, const json_t *record, std::string_view named) {
    if (!named.empty()) return catalog.type_by_name(named);
    const json_t *schemas = member_of(record, "schemas");
    for (size_t i = 0; i < json_array_size(schemas); i++)
        for (const auto &type : catalog.types())
            if (ascii_iequals(type->type.schema, reference_of(json_array_get(schemas, i))))
                return type.get();
    return nullptr;
}

}  // namespace

ImportIds::Key ImportIds::key_of(std::string_view source) {
    const XXH128_hash_t hash = XXH3_128bits(source.data(), source.size());
    return {hash.high64, hash.low64};
}

void ImportIds::set(std::string_view source, const Id &id, uint64_t line) {
    if (!source.empty()) ids_[key_of(source)] = {id, line};
}

const Id *ImportIds::find(std::string_view source, uint64_t end) const {
    const auto found = ids_.find(key_of(source));
    return found != ids_.end() && found->second.line < end ? &found->second.id : nullptr;
}

ImportReader::ImportReader(std::shared_ptr<const Catalog> catalog, store::TenantNumber tenant,
                           bool keep_ids, const store::ImportPosition &position, int64_t now)
    : settings_(import_settings()),
      context_{std::move(catalog), settings_, tenant, 0, {}, now},
      keep_ids_(keep_ids),
      position_(position) {}

Outcome ImportReader::read_times(ImportRecord &record, const json_t *meta) const {
    for (auto [name, time] :
         {std::pair("created", &record.created), std::pair("lastModified", &record.modified)}) {
        const json_t *value = member_of(meta, name);
        if (!is_assigned(value)) continue;
        const auto read = parse_datetime(reference_of(value));
        if (!read)
            return Error{
                Refusal::import_record,
                std::string("meta.") + name + " must be a dateTime, not " +
                    (json_is_string(value) ? quoted(text_of(value)) : std::string(kind_of(value)))};
        *time = std::clamp(*read / 1000, int64_t(1), context_.now);
    }
    if (record.created == 0) record.created = record.modified;
    if (record.modified != 0) record.modified = std::max(record.modified, record.created);
    return Done{};
}

Outcome ImportReader::read_identity(ImportRecord &record) const {
    const json_t *json = record.json.get(), *meta = member_of(json, "meta");
    const std::string_view named = reference_of(member_of(meta, "resourceType"));
    record.type = type_of(*context_.catalog, json, named);
    if (record.type == nullptr)
        return Error{Refusal::import_record,
                     named.empty()
                         ? "the record has no meta.resourceType, and its \"schemas\" contains the "
                           "schema of no resource type"
                         : "there is no resource type " + quoted(named)};
    record.source = reference_of(member_of(json, "id"));
    record.id = id_of_line(position_, record.line);
    if (!keep_ids_) return Done{};
    if (!record.source.empty()) {
        const auto id = parse_id(record.source);
        if (!id || *id == Id{})
            return Error{
                Refusal::import_record,
                "id must be a UUID in lower case to be kept, not " + quoted(record.source)};
        record.id = *id;
        record.keeps_id = true;
    }
    return read_times(record, meta);
}

Outcome ImportReader::parse(ImportRecord &record) const {
    auto json = parse_json(record.text, settings_.json);
    RETURN_IF_ERROR(json);
    record.json = std::move(*json);
    auto deleted = read_deleted_user(*context_.catalog, record.json.get(), context_.now);
    RETURN_IF_ERROR(deleted);
    record.deleted = std::move(*deleted);
    if (record.deleted) return Done{};
    auto access = take_access(record.json.get(), context_.now);
    RETURN_IF_ERROR(access);
    record.access = *access;
    RETURN_IF_ERROR(read_identity(record));
    if (!record.access.empty() && !store::has_users(*record.type))
        return Error{Refusal::import_record,
                     "only users can be kept out, by \"urn:nginx-scim:access\"; this is a " +
                         record.type->type.name};
    return Done{};
}

void ImportReader::read(ImportRecord &record) const {
    record.type = nullptr;
    record.missing.clear();
    record.step = undecided();
    record.deleted.reset();
    if (auto parsed = parse(record); !parsed) {
        record.json.reset();
        record.step = std::move(parsed.error());
        return;
    }
    if (record.deleted) return record.json.reset();
    const TypeView &type = *record.type;
    json_t *json = record.json.get();
    if (type.members != nullptr && member_of(json, "members") != nullptr) return;
    record.step = prepare(record, json, store::Operation::create, record.id);
    record.json.reset();
}

Result<Step> ImportReader::prepare(ImportRecord &record, const json_t *json,
                                   store::Operation operation, const Id &id) const {
    Target target;
    target.type = record.type;
    target.id = id;
    const Query query;
    record.report = DeviationReport();
    StepInput input{operation, target, query, json, {}, {}};
    auto step = prepare_step(context_, input, id, record.report);
    if (step) step->command.access = record.access;
    if (step && operation == store::Operation::create) {
        step->command.created = record.created;
        step->command.modified = record.modified;
        step->command.reuses_id = record.keeps_id;
        step->command.record = store::encode_record({}, *context_.catalog, *record.type,
                                                    step->command.resource.leaves);
    }
    return step;
}

void ImportReader::resolve_members(ImportRecord &record, const ImportIds &ids,
                                   store::Directory *directory) const {
    if (!record.has_members()) return;
    record.missing.clear();
    replace_members(record, ids, directory);
    record.step = prepare(record, record.json.get(), store::Operation::create, record.id);
}

Result<Step> ImportReader::as_replace(ImportRecord &record, const Id &id, const ImportIds &ids,
                                      store::Directory &directory) const {
    if (record.has_members()) {
        record.members = take_members(record.json.get());
    } else {
        RETURN_IF_ERROR(parse(record));
    }
    auto &missing = record.missing;
    missing.erase(std::remove_if(missing.begin(), missing.end(),
                                 [](const MissingReference &m) { return m.is_manager; }),
                  missing.end());
    auto step = prepare(record, record.json.get(), store::Operation::replace, id);
    if (step) RETURN_IF_ERROR(resolve_manager(record, *step, ids, &directory));
    return step;
}

// References

std::optional<Id> ImportReader::id_of(std::string_view source, const ImportIds &ids, uint64_t end,
                                      store::Directory *directory) const {
    if (const Id *id = ids.find(source, end)) return *id;
    const auto id = parse_id(source);
    if (!id || directory == nullptr) return std::nullopt;
    const auto &types = context_.catalog->types();
    const bool exists = std::any_of(types.begin(), types.end(), [&](const auto &type) {
        return directory->exists(type->number, *id);
    });
    return exists ? id : std::nullopt;
}

void ImportReader::replace_members(ImportRecord &record, const ImportIds &ids,
                                   store::Directory *directory) const {
    std::string_view name;
    const json_t *members = member_of(record.json.get(), "members", &name);
    if (!json_is_array(members)) return;
    Json known = made(json_array());
    size_t i;
    json_t *element;
    json_array_foreach(const_cast<json_t *>(members), i, element) {
        const std::string_view source = reference_of(element);
        const auto id = source.empty() ? std::nullopt : id_of(source, ids, record.line, directory);
        if (id)
            json_array_append_new(known.get(), reference_to(*id).release());
        else if (source.empty())
            json_array_append(known.get(), element);  // refused by prepare_step()
        else
            record.missing.push_back({false, std::string(source)});
    }
    json_object_setn_new(record.json.get(), name.data(), name.size(), known.release());
}

Outcome ImportReader::resolve_manager(ImportRecord &record, Step &step, const ImportIds &ids,
                                      store::Directory *directory) const {
    const Attr *manager = record.type->manager;
    if (manager == nullptr || keep_ids_) return Done{};
    Command &command = step.command;
    std::vector<Leaf> &leaves = command.resource.leaves;
    const Attr *value = TypeView::find_sub(*manager, "value");
    const auto leaf = std::find_if(leaves.begin(), leaves.end(),
                                   [&](const Leaf &l) { return l.attr == value->number; });
    std::string source;
    if (leaf == leaves.end() || !read_string(leaf->json, source)) return Done{};
    if (const auto id = id_of(source, ids, record.line, directory)) {
        const std::string text = '"' + scim::to_string(*id) + '"';
        if (!replace_text(command.record, *leaf, text)) command.record.clear();
        leaf->json = command.resource.keep(text);
    } else {
        RETURN_IF_ERROR(leave_out_manager(record, command, source));
    }
    if (value->index != nullptr || value->substring != nullptr) set_index_values(command);
    return Done{};
}

// A manager may follow in the input, unless the resource cannot be created without one.
Outcome ImportReader::leave_out_manager(ImportRecord &record, Command &command,
                                        const std::string &source) const {
    const TypeView &type = *record.type;
    Resource without;
    for (const Leaf &leaf : command.resource.leaves) {
        const Attr *attr = type.by_number(leaf.attr);
        if (attr == nullptr || attr->parent != type.manager) without.leaves.push_back(leaf);
    }
    if (auto complete = check_required(type, without); !complete)
        return Error{Refusal::import_reference,
                     "manager: " + quoted(source) +
                         " is not the id of a record before this one: " + complete.error().detail};
    command.resource.leaves = std::move(without.leaves);
    command.record.clear();
    record.missing.push_back({true, source});
    return Done{};
}

// PATCHes

Result<Step> ImportReader::patch(const TypeView &type, const Id &id, const json_t *body) const {
    Target target;
    target.type = &type;
    target.id = id;
    const Query query;
    DeviationReport report;
    StepInput input{store::Operation::patch, target, query, body, {}, {}};
    return prepare_step(context_, input, id, report);
}

Result<Step> ImportReader::change_members(const TypeView &type, const Id &group,
                                          const char *operation,
                                          const std::vector<Id> &members) const {
    Json value = made(json_array());
    for (const Id &member : members)
        json_array_append_new(value.get(), reference_to(member).release());
    const Json body = made(json_pack("{s:[{s:s,s:s,s:o}]}", "Operations", "op", operation, "path",
                                     "members", "value", value.release()));
    return patch(type, group, body.get());
}

Result<Step> ImportReader::set_manager(const TypeView &type, const Id &user,
                                       const Id &manager) const {
    const Json body =
        made(json_pack("{s:[{s:s,s:s,s:o}]}", "Operations", "op", "add", "path",
                       type.manager->path.c_str(), "value", reference_to(manager).release()));
    return patch(type, user, body.get());
}

}  // namespace scim::service
