#include "scimctl/log_view.h"

#include "scim/text/id.h"
#include "scimctl/context.h"
#include "store/names.h"

namespace scim::scimctl {

namespace {

constexpr uint64_t named_members = 5;  // of more members, only the number is shown

bool is_group(const Catalog &catalog, TypeNumber type) {
    const TypeView *view = catalog.type_by_number(type);
    return view != nullptr && view->members != nullptr;
}

std::string padded(std::string_view text, size_t width) {
    std::string out(text);
    if (out.size() < width) out.resize(width, ' ');
    return out;
}

void append_word(std::string &line, std::string_view word) {
    if (word.empty()) return;
    line += "  ";
    line.append(word);
}

// True for a write that succeeded but ignored attributes that no schema declares.
bool is_ignored(const store::Refusal &refusal) { return refusal.status < 400; }

bool concerns_resource(const store::Change &change) { return change.type != 0; }

using store::ActiveValue;

bool has_active_values(const store::Change &change) {
    return change.was_active != ActiveValue::none || change.is_active != ActiveValue::none;
}

std::string text_of(ActiveValue value) {
    return value == ActiveValue::yes ? "true" : value == ActiveValue::no ? "false" : "none";
}

void add_active(store::RowWriter &row, std::string_view key, ActiveValue value) {
    if (value != ActiveValue::none) row.boolean(key, value == ActiveValue::yes);
}

void add_text(store::RowWriter &row, std::string_view key, std::string_view value) {
    if (!value.empty()) row.text(key, value);
}

}  // namespace

LogView::LogView(service::Snapshot &snapshot, store::TenantNumber tenant, bool json)
    : catalog_(*snapshot.catalog()), directory_(snapshot.txn, tenant), json_(json) {
    for (auto &entry : store::list_tokens(snapshot.txn, tenant))
        tokens_[entry.token.actor] = entry.token;
}

std::string LogView::show(const store::LoggedChange &change) {
    return json_ ? change_json(change) : change_line(change);
}

std::string LogView::show(const store::Refusal &refusal) {
    return json_ ? refusal_json(refusal) : refusal_line(refusal);
}

std::string LogView::label(uint32_t actor) const {
    auto found = tokens_.find(actor);
    return found != tokens_.end() ? found->second.label : std::string();
}

void LogView::add_actor(store::RowWriter &row, uint32_t actor) const {
    auto found = tokens_.find(actor);
    if (found == tokens_.end()) return;
    row.number("tokenNumber", found->second.number);
    add_text(row, "token", found->second.label);
}

std::string LogView::attribute_name(TypeNumber type, AttrNumber attr) const {
    if (const TypeView *view = catalog_.type_by_number(type))
        if (const Attr *declared = view->by_number(attr)) return declared->path;
    // The attribute is not declared any more.
    for (const auto &row : catalog_.rows().attrs)
        if (row.number == attr) return row.schema.empty() ? row.path : row.schema + ':' + row.path;
    return '#' + std::to_string(attr);
}

std::string LogView::current_name(const TypeView &type, const Id &id) {
    auto record = directory_.record(type.number, id);
    if (!record) return {};
    for (std::string_view path : {"userName", "displayName"}) {
        const Attr *attr = type.find_core(path);
        std::string text;
        if (attr != nullptr && read_string(record->first(attr->number), text)) return text;
    }
    return {};
}

std::string LogView::name(const Id &id) {
    for (const auto &type : catalog_.types())
        if (std::string found = current_name(*type, id); !found.empty()) return found;
    return deleted_name(id);
}

std::string LogView::name(const TypeView &type, const Id &id) {
    std::string found = current_name(type, id);
    return found.empty() ? deleted_name(id) : found;
}

std::string LogView::deleted_name(const Id &id) {
    const auto found = store::deleted_name(directory_.txn(), directory_.tenant(), id);
    return found ? found->name : std::string();
}

std::string LogView::name(const store::Refusal &refusal) {
    const TypeView *type = catalog_.type_by_name(refusal.resource_type);
    auto id = parse_id(refusal.resource_id);
    return type != nullptr && id ? name(*type, *id) : std::string();
}

// Appends up to named_members members by name, more as a number: ` +"ada" +"bob"`, ` -1500`.
void LogView::append_members(std::string &out, char sign, const std::vector<Id> &ids,
                             uint64_t count) {
    if (count > named_members) {
        out += ' ';
        out += sign + std::to_string(count);
        return;
    }
    for (const Id &id : ids) {
        std::string text = name(id);
        out += ' ';
        out += sign + (text.empty() ? scim::to_string(id) : quoted(text));
    }
}

std::string LogView::members_line(const store::LoggedChange &change) {
    if (!change.change.emptied && change.added == 0 && change.removed == 0) return {};
    std::string out = "members:";
    if (change.change.emptied) out += " emptied";
    append_members(out, '+', change.change.added, change.added);
    append_members(out, '-', change.change.removed, change.removed);
    return out;
}

// The changed attributes, such as `title, active: true -> false`. `with_members`: the line shows the
// members themselves.
std::string LogView::attributes_line(const store::Change &change, bool with_members) const {
    const TypeView *type = catalog_.type_by_number(change.type);
    const Attr *members = type != nullptr ? type->members : nullptr;
    const Attr *active = type != nullptr ? type->find_core("active") : nullptr;
    std::string line;
    for (AttrNumber attr : change.attrs) {
        if (with_members && members != nullptr && attr == members->number) continue;
        line += (line.empty() ? "" : ", ") + attribute_name(change.type, attr);
        if (active != nullptr && attr == active->number && has_active_values(change))
            line += ": " + text_of(change.was_active) + " -> " + text_of(change.is_active);
    }
    return line;
}

std::string LogView::change_line(const store::LoggedChange &logged) {
    const store::Change &change = logged.change;
    const TypeView *type = catalog_.type_by_number(change.type);
    std::string line = time_text(change.time);
    append_word(line, padded(to_string(change.operation), 7));
    if (concerns_resource(change)) {
        append_word(line, type != nullptr ? type->type.name : "?");
        append_word(line, scim::to_string(change.id));
    } else {
        append_word(line,
                    change.operation == store::Operation::unblock ? "a deleted user" : "gate");
    }
    if (type != nullptr)
        if (std::string text = name(*type, change.id); !text.empty())
            append_word(line, quoted(text));
    const std::string members = members_line(logged);
    append_word(line, attributes_line(change, !members.empty()));
    append_word(line, members);
    if (std::string by = label(change.actor); !by.empty()) append_word(line, "by " + quoted(by));
    if (!store::is_administrative(change.operation))
        append_word(line, "request " + service::request_text(change.request));
    return line;
}

std::string LogView::refusal_line(const store::Refusal &refusal) {
    std::string line = time_text(refusal.time);
    append_word(line, is_ignored(refusal) ? "ignored" : "refused");
    append_word(line, refusal.operation);
    append_word(line, refusal.resource_type);
    if (!refusal.resource_id.empty())
        append_word(line, parse_id(refusal.resource_id) ? refusal.resource_id
                                                        : quoted(refusal.resource_id));
    if (std::string text = name(refusal); !text.empty()) append_word(line, quoted(text));
    if (std::string by = label(refusal.actor); !by.empty()) append_word(line, "by " + quoted(by));
    append_word(line, "request " + service::request_text(refusal.request));
    append_word(line, std::to_string(refusal.status));
    if (!refusal.scim_type.empty()) line += ' ' + refusal.scim_type;
    if (!refusal.error_id.empty()) line += " [" + refusal.error_id + "]";
    return line + ": " + refusal.detail;
}

std::vector<store::RowWriter> LogView::member_rows(const std::vector<Id> &ids) {
    std::vector<store::RowWriter> rows(ids.size());
    for (size_t i = 0; i < ids.size(); i++) {
        rows[i].text("id", scim::to_string(ids[i]));
        add_text(rows[i], "name", name(ids[i]));
    }
    return rows;
}

std::string LogView::change_json(const store::LoggedChange &logged) {
    const store::Change &change = logged.change;
    const TypeView *type = catalog_.type_by_number(change.type);
    store::RowWriter row;
    row.text("kind", "change").text("time", time_text(change.time));
    row.number("position", int64_t(logged.place.position));
    row.text("operation", to_string(change.operation));
    if (type != nullptr) add_text(row, "resourceType", type->type.name);
    if (concerns_resource(change)) row.text("id", scim::to_string(change.id));
    if (type != nullptr) add_text(row, "name", name(*type, change.id));
    std::vector<std::string> attributes;
    for (AttrNumber attr : change.attrs) attributes.push_back(attribute_name(change.type, attr));
    row.texts("attributes", attributes);
    add_active(row, "activeBefore", change.was_active);
    add_active(row, "activeAfter", change.is_active);
    if (is_group(catalog_, change.type)) {
        row.boolean("emptied", change.emptied);
        row.number("membersAdded", int64_t(logged.added));
        row.number("membersRemoved", int64_t(logged.removed));
        row.rows("added", member_rows(change.added));
        row.rows("removed", member_rows(change.removed));
    }
    add_actor(row, change.actor);
    if (!store::is_administrative(change.operation))
        row.text("requestId", service::request_text(change.request));
    return row.done();
}

std::string LogView::refusal_json(const store::Refusal &refusal) {
    store::RowWriter row;
    row.text("kind", is_ignored(refusal) ? "ignored" : "refusal")
        .text("time", time_text(refusal.time));
    row.text("operation", refusal.operation);
    add_text(row, "resourceType", refusal.resource_type);
    add_text(row, "id", refusal.resource_id);
    add_text(row, "name", name(refusal));
    row.number("status", refusal.status);
    add_text(row, "scimType", refusal.scim_type);
    add_text(row, "errorId", refusal.error_id);
    row.text("detail", refusal.detail);
    add_actor(row, refusal.actor);
    row.text("requestId", service::request_text(refusal.request));
    return row.done();
}

}  // namespace scim::scimctl
