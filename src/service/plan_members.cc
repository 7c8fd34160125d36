#include <algorithm>
#include <iterator>

#include "service/plan_parts.h"
#include "store/members.h"

namespace scim::service {

namespace {

constexpr size_t named_max = 5;  // ids in an error message

// The resource types that may be members: the referenceTypes of members.$ref.
std::vector<const TypeView *> member_types(const Catalog &catalog, const TypeView &groups) {
    std::vector<const TypeView *> types;
    for (const std::string &name : groups.member_types())
        if (const TypeView *type = catalog.type_by_name(name)) types.push_back(type);
    return types;
}

// The place of an added member in the request, for an error message.
std::string place_of(const Id &id, const MemberEdits &edits) {
    if (edits.operations.empty()) return "members";
    auto at = std::lower_bound(edits.add.begin(), edits.add.end(), id) - edits.add.begin();
    return "Operations[" + std::to_string(edits.operations[size_t(at)]) + "].value: members";
}

Error unknown_members(const TypeView &type, const std::vector<Id> &unknown,
                      const MemberEdits &edits) {
    std::string names;
    for (size_t i = 0; i < unknown.size() && i < named_max; i++)
        names += (i == 0 ? "\"" : ", \"") + scim::to_string(unknown[i]) + '"';
    if (unknown.size() > named_max)
        names += " and " + std::to_string(unknown.size() - named_max) + " more";
    return no_such_members(place_of(unknown[0], edits), type, names);
}

bool is_promised(const Command &command, TypeNumber type, const Id &id) {
    if (command.promised == nullptr) return false;
    const auto at = command.promised->find(id);
    return at != command.promised->end() && at->second == type;
}

// Adds `ids` to change.joined with their resource types. 400 invalidValue for ids that do not exist
// and for the group itself.
Outcome add_joined(const Command &command, store::Directory &directory, const std::vector<Id> &ids,
                   const MemberEdits &edits, store::MemberChange &change) {
    auto types = member_types(*command.catalog, *command.type);
    std::vector<Id> unknown;
    for (const Id &id : ids) {
        if (id == command.id)
            return Error{Refusal::member_of_itself,
                         place_of(id, edits) + ": the group cannot be a member of itself"};
        auto type = std::find_if(types.begin(), types.end(), [&](const TypeView *candidate) {
            return directory.exists(candidate->number, id) ||
                   is_promised(command, candidate->number, id);
        });
        if (type == types.end())
            unknown.push_back(id);
        else
            change.joined.emplace_back(id, (*type)->number);
    }
    if (!unknown.empty()) return unknown_members(*command.type, unknown, edits);
    return Done{};
}

// The living members whose resource type is not declared now. The client does not see them, so a
// write that lists the members does not remove them.
std::vector<Id> unseen_members(const Command &command, store::Members &members, uint32_t epoch,
                               store::MemberChange &change) {
    std::vector<Id> ids;
    if (command.catalog->undeclared_types().empty()) return ids;
    members.each_member(command.id, epoch, nullptr, [&](const Id &id, TypeNumber type) {
        if (command.catalog->type_by_number(type) != nullptr) return true;
        ids.push_back(id);
        if (change.dead_epoch != 0) change.joined.emplace_back(id, type);
        return true;
    });
    return ids;
}

// The living members in the order of their ids; nothing if the group has more than `limit` rows,
// dead ones included.
std::optional<std::vector<Id>> members_up_to(store::Members &members, const Id &group,
                                             uint32_t epoch, size_t limit) {
    if (members.rows(group, limit + 1) > limit) return std::nullopt;
    std::vector<Id> ids;
    members.each_member(group, epoch, nullptr, [&](const Id &id, TypeNumber) {
        ids.push_back(id);
        return true;
    });
    return ids;
}

}  // namespace

store::MemberChange empty_group(store::Directory &directory, const Id &group, uint32_t epoch) {
    store::Members members(directory);
    store::MemberChange change;
    change.epoch = epoch;
    if (auto few = members_up_to(members, group, epoch, store::members_deleted_at_once)) {
        change.left = std::move(*few);
        return change;
    }
    change.dead_epoch = epoch;
    change.epoch = epoch + 1;
    return change;
}

Result<store::MemberChange> plan_members(const Command &command, store::Directory &directory,
                                         uint32_t epoch, const MemberEdits &edits) {
    store::Members members(directory);
    store::MemberChange change;
    change.epoch = epoch;
    if (command.type->members == nullptr) return change;
    std::vector<Id> joining;
    auto is_member = [&](const Id &id) { return members.contains(command.id, epoch, id); };
    if (edits.clear) {
        // Write only the differences, unless to find them costs more than to write all members.
        size_t limit = 2 * edits.add.size() + store::members_deleted_at_once;
        auto now = members_up_to(members, command.id, epoch, limit);
        if (!now) {
            change.dead_epoch = epoch;
            change.epoch = epoch + 1;
        }
        std::vector<Id> there = now ? std::move(*now) : std::vector<Id>();
        const std::vector<Id> unseen = unseen_members(command, members, epoch, change);
        auto is_unseen = [&](const Id &id) {
            return std::binary_search(unseen.begin(), unseen.end(), id);
        };
        there.erase(std::remove_if(there.begin(), there.end(), is_unseen), there.end());
        std::set_difference(there.begin(), there.end(), edits.add.begin(), edits.add.end(),
                            std::back_inserter(change.left));
        std::set_difference(edits.add.begin(), edits.add.end(), there.begin(), there.end(),
                            std::back_inserter(joining));
    } else {
        std::copy_if(edits.remove.begin(), edits.remove.end(), std::back_inserter(change.left),
                     is_member);
        std::remove_copy_if(edits.add.begin(), edits.add.end(), std::back_inserter(joining),
                            is_member);
    }
    auto joined = add_joined(command, directory, joining, edits, change);
    RETURN_IF_ERROR(joined);
    return change;
}

}  // namespace scim::service
