#include "scim/resource/members.h"

#include <algorithm>

#include "scim/text/text.h"

namespace scim {

namespace {

constexpr size_t max_named = 5;  // unknown ids in one message

std::string place(size_t i) { return "\"members[" + std::to_string(i) + "]"; }

// "User or Group"
std::string names_of(const std::vector<std::string> &types) {
    std::string names;
    for (size_t i = 0; i < types.size(); i++)
        names += (i == 0 ? "" : i + 1 < types.size() ? ", " : " or ") + types[i];
    return names;
}

// Texts that cannot be ids, because make_id() does not make such ids.
class UnknownIds {
  public:
    explicit UnknownIds(const TypeView &type) : type_(type) {}
    void add(std::string_view text) {
        if (count_++ >= max_named) return;
        if (!names_.empty()) names_ += ", ";
        names_ += quoted(text);
    }
    bool none() const { return count_ == 0; }
    Error error() const {
        std::string more = count_ > max_named
                               ? " and " + std::to_string(count_ - max_named) + " more"
                               : std::string();
        return no_such_members("members", type_, names_ + more);
    }

  private:
    const TypeView &type_;
    size_t count_ = 0;
    std::string names_;
};

void take(std::string_view text, MemberReader::Unknown unknown, std::vector<Id> &ids,
          UnknownIds &unknown_ids) {
    if (auto id = parse_id(text))
        ids.push_back(*id);
    else if (unknown == MemberReader::Unknown::refuse)
        unknown_ids.add(text);
}

}  // namespace

Error no_such_members(const std::string &place, const TypeView &type, const std::string &ids) {
    return Error{Refusal::member_unknown,
                 place + ": there is no " + names_of(type.member_types()) + " with the id " + ids};
}

Outcome MemberReader::count(size_t more) {
    read_ += more;
    if (read_ <= max_members_) return Done{};
    return Error{Refusal::too_many_members, "the request has at least " + std::to_string(read_) +
                                                " members; at most scim_max_members (" +
                                                std::to_string(max_members_) + ") are allowed"};
}

Result<std::vector<Id>> MemberReader::read(const json_t *value, Unknown unknown) {
    std::vector<Id> ids;
    if (!value || json_is_null(value)) return ids;
    const auto elements = dialect_.elements(value);
    if (!elements)
        return Error{Refusal::member_form,
                     "\"members\" must be an array, not " + std::string(kind_of(value))};
    RETURN_IF_ERROR(count(elements->size()));
    ids.reserve(elements->size());
    UnknownIds unknown_ids(type_);
    for (size_t i = 0; i < elements->size(); i++) {
        const json_t *element = (*elements)[i];
        auto id = text(element, i);
        RETURN_IF_ERROR(id);
        take(*id, unknown, ids, unknown_ids);
    }
    if (!unknown_ids.none()) return unknown_ids.error();
    return ids;
}

Result<std::vector<Id>> MemberReader::read(const std::vector<std::string> &texts, Unknown unknown) {
    std::vector<Id> ids;
    RETURN_IF_ERROR(count(texts.size()));
    UnknownIds unknown_ids(type_);
    for (const std::string &text : texts) take(text, unknown, ids, unknown_ids);
    if (!unknown_ids.none()) return unknown_ids.error();
    return ids;
}

Result<std::string_view> MemberReader::text(const json_t *element, size_t i) {
    if (json_is_object(element)) return value_of(element, i);
    if (!json_is_string(element) || !dialect_.accepts("bare-value"))
        return Error{Refusal::member_form, place(i) + "\" must be an object with the id of a " +
                                               names_of(type_.member_types()) +
                                               " as \"value\", not " +
                                               std::string(kind_of(element))};
    if (json_string_length(element) == 0)
        return Error{Refusal::member_form, place(i) + "\" must be the id of a " +
                                               names_of(type_.member_types()) + "; it is empty"};
    return text_of(element);
}

Outcome MemberReader::unknown_part(std::string_view name) {
    if (TypeView::find_sub(*type_.members, name)) return Done{};
    return dialect_.unknown_attribute(type_, type_.members->path + "." + std::string(name));
}

// PingFederate sends "value" as the type of every member.
Outcome MemberReader::check_type(const json_t *type, size_t i) {
    if (!type || json_is_null(type)) return Done{};
    const auto &types = type_.member_types();
    const bool known =
        json_is_string(type) && std::any_of(types.begin(), types.end(), [&](const auto &name) {
            return ascii_iequals(text_of(type), name);
        });
    if (known || (json_is_string(type) && dialect_.accepts("member-type"))) return Done{};
    return Error{Refusal::member_form, place(i) + ".type\" must be " + names_of(types)};
}

Result<std::string_view> MemberReader::value_of(const json_t *object, size_t i) {
    const json_t *value = nullptr, *type = nullptr;
    const char *key;
    size_t size;
    json_t *sent;
    json_object_keylen_foreach(const_cast<json_t *>(object), key, size, sent) {
        const std::string_view name(key, size);
        if (ascii_iequals(name, "value"))
            value = sent;
        else if (ascii_iequals(name, "type"))
            type = sent;
        else
            RETURN_IF_ERROR(unknown_part(name));
    }
    RETURN_IF_ERROR(check_type(type, i));
    if (!value || json_is_null(value))
        return Error{Refusal::member_form, place(i) + ".value\" must be the id of a " +
                                               names_of(type_.member_types()) + "; it is missing"};
    if (!json_is_string(value))
        return Error{Refusal::member_form,
                     place(i) + ".value\" must be a string, not " + std::string(kind_of(value))};
    if (json_string_length(value) == 0)
        return Error{Refusal::member_form, place(i) + ".value\" must be the id of a " +
                                               names_of(type_.member_types()) + "; it is empty"};
    return text_of(value);
}

void MemberLog::clear() {
    clear_ = true;
    log_.clear();
}

void MemberLog::note(const std::vector<Id> &ids, bool added, size_t operation) {
    for (const Id &id : ids) log_.push_back({id, added, operation});
}

MemberEdits MemberLog::edits() const {
    std::vector<Entry> log = log_;
    std::stable_sort(log.begin(), log.end(),
                     [](const Entry &a, const Entry &b) { return a.id < b.id; });
    MemberEdits out;
    out.clear = clear_;
    for (size_t i = 0; i < log.size(); i++) {
        if (i + 1 < log.size() && log[i + 1].id == log[i].id) continue;  // not its last change
        if (log[i].added) {
            out.add.push_back(log[i].id);
            out.operations.push_back(log[i].operation);
        } else if (!clear_) {
            out.remove.push_back(log[i].id);
        }
    }
    return out;
}

void sort_members(std::vector<Id> &ids) {
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

}  // namespace scim
