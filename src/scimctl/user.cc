// scimctl user: blocks and unblocks users, revokes their sessions, and shows what decides about their
// access.

#include "service/block_user.h"

#include "scimctl/administration.h"
#include "scimctl/commands.h"
#include "service/admin.h"

namespace scim::scimctl {

namespace {

void add_user(store::RowWriter &row, const service::FoundUser &user) {
    row.text("id", scim::to_string(user.id)).text("type", user.type->type.name);
}

std::string called(const UserArguments &arguments) { return "User " + quoted(arguments.user); }

void append_line(std::string &text, std::string_view name, std::string_view value) {
    constexpr size_t width = 14;
    std::string padded(name);
    padded.resize(width, ' ');
    text += (text.empty() ? "" : "\n") + padded;
    text.append(value);
}

void append_text(std::string &text, std::string_view name, const std::string &value) {
    if (!value.empty()) append_line(text, name, quoted(value));
}

std::string as_text(const service::UserStatus &status, int64_t paused_until) {
    std::string text;
    append_line(text, "id", scim::to_string(status.user.id));
    append_line(text, "type", status.user.type->type.name);
    append_text(text, "userName", status.user_name);
    append_text(text, "externalId", status.external_id);
    append_text(text, "displayName", status.display_name);
    append_line(text, "active", !status.active ? "no value" : *status.active ? "true" : "false");
    append_line(text, "blocked",
                status.access.blocked != 0 ? "since " + time_text(status.access.blocked) : "no");
    append_line(text, "notBefore", time_text(status.not_before));
    append_line(text, "lastModified", time_text(status.modified));
    append_line(text, "groups", std::to_string(status.group_count));
    for (const auto &group : status.groups)
        append_line(text, "", scim::to_string(group.id) + "  " + quoted(group.name));
    if (status.group_count > status.groups.size())
        append_line(text, "",
                    "and " + std::to_string(status.group_count - status.groups.size()) + " more");
    if (paused_until != 0)
        append_line(text, "gate", "paused for this tenant until " + time_text(paused_until));
    return text;
}

store::RowWriter as_json(const service::UserStatus &status, int64_t paused_until) {
    store::RowWriter row;
    add_user(row, status.user);
    for (auto [name, value] :
         {std::pair("userName", &status.user_name), std::pair("externalId", &status.external_id),
          std::pair("displayName", &status.display_name)})
        if (!value->empty()) row.text(name, *value);
    if (status.active) row.boolean("active", *status.active);
    row.boolean("blocked", status.access.blocked != 0);
    if (status.access.blocked != 0) row.text("blockedSince", time_text(status.access.blocked));
    row.text("notBefore", time_text(status.not_before));
    row.text("lastModified", time_text(status.modified));
    row.number("groupCount", int64_t(status.group_count));
    std::string &groups = row.member("groups");
    groups += '[';
    for (const auto &group : status.groups) {
        if (groups.back() != '[') groups += ',';
        groups += store::RowWriter()
                      .text("id", scim::to_string(group.id))
                      .text("name", group.name)
                      .done();
    }
    groups += ']';
    if (paused_until != 0) row.text("gatePausedUntil", time_text(paused_until));
    return row;
}

}  // namespace

int user_block(const Globals &globals, const UserArguments &arguments) {
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    WriteTxn txn(globals, *store);
    auto place = place_of(txn, arguments.tenant);
    if (!place) return fail(globals, place.error());
    auto result = service::block_user(txn, *place->catalog, place->tenant, arguments.user, now());
    if (!result) return fail(globals, result.error());
    if (!result->existed)
        if (int code = commit(globals, txn); code != exit_ok) return code;
    store::RowWriter row;
    add_user(row, result->user);
    row.text("blockedSince", time_text(result->since)).boolean("existed", result->existed);
    const std::string text =
        called(arguments) + (result->existed
                                 ? " is blocked already, since " + time_text(result->since) + "."
                                 : std::string(" is blocked."));
    return print(globals, text, row) ? exit_ok : exit_store;
}

int user_unblock(const Globals &globals, const UserArguments &arguments) {
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    service::UnblockResult result;
    size_t tombstones = 0;
    bool was_blocked = false;
    store::RowWriter row;
    do {
        WriteTxn txn(globals, *store);
        auto place = place_of(txn, arguments.tenant);
        if (!place) return fail(globals, place.error());
        auto some =
            service::unblock_user(txn, *place->catalog, place->tenant, arguments.user, now());
        if (!some) return fail(globals, some.error());
        if (some->was_blocked)
            if (int code = commit(globals, txn); code != exit_ok) return code;
        result = *some;
        tombstones += result.tombstones;
        was_blocked |= result.was_blocked;
        // The catalog has the user's type.
        if (result.is_complete && result.user) add_user(row, *result.user);
    } while (!result.is_complete);
    row.boolean("existed", !was_blocked).number("tombstones", int64_t(tombstones));
    std::string text = called(arguments) + " is not blocked.";
    if (was_blocked && result.user) text = called(arguments) + " is unblocked.";
    if (!result.user)
        text = "No user is called " + quoted(arguments.user) +
               "; the block of a deleted user with this userName, externalId or id is removed.";
    return print(globals, text, row) ? exit_ok : exit_store;
}

int user_revoke(const Globals &globals, const UserArguments &arguments) {
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    WriteTxn txn(globals, *store);
    auto place = place_of(txn, arguments.tenant);
    if (!place) return fail(globals, place.error());
    auto result =
        service::revoke_sessions(txn, *place->catalog, place->tenant, arguments.user, now());
    if (!result) return fail(globals, result.error());
    if (int code = commit(globals, txn); code != exit_ok) return code;
    store::RowWriter row;
    add_user(row, result->user);
    row.text("notBefore", time_text(result->not_before));
    const std::string text = called(arguments) + " must log in again: sessions that began before " +
                             time_text(result->not_before) + " are refused where scim_session is.";
    return print(globals, text, row) ? exit_ok : exit_store;
}

int user_show(const Globals &globals, const UserArguments &arguments) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    service::Snapshot snapshot(session);
    if (auto usable = snapshot.usable(); !usable) return fail(globals, usable.error());
    auto tenant = service::tenant_named(snapshot.txn, arguments.tenant);
    if (!tenant) return fail(globals, tenant.error());
    auto status =
        service::user_status({snapshot.txn, *snapshot.catalog(), *tenant}, arguments.user);
    if (!status) return fail(globals, status.error());
    const int64_t paused = active_pause(snapshot.txn, tenant->number);
    return print(globals, as_text(*status, paused), as_json(*status, paused)) ? exit_ok
                                                                              : exit_store;
}

}  // namespace scim::scimctl
