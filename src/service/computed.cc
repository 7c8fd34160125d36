#include "service/computed.h"

#include "scim/text/json.h"
#include "service/nested_groups.h"
#include "service/render.h"

namespace scim::service {

bool Computed::some_element(const Attr &top, uint32_t parts, const Id *only, const Test &test) {
    if (&top == type_.groups) return some_group(top, parts, only, test);
    if (&top == type_.members) return some_member(top, parts, only, test);
    return &top == type_.manager && some_manager(top, parts, test);
}

bool Computed::some_group(const Attr &top, uint32_t parts, const Id *only, const Test &test) {
    bool found = false;
    for (const TypeView *type : catalog_.group_types()) {
        auto is_wanted = [&](const Id &id, const store::RecordView &group) {
            found = test_element(top, parts, {id, type, "direct", &group}, test);
            return !found;
        };
        if (only == nullptr) {
            members_.each_group(type->number, *id_, nullptr, is_wanted);
        } else if (auto group = directory_.record(type->number, *only)) {
            if (members_.contains(*only, group->header().member_epoch, *id_))
                is_wanted(*only, *group);
        }
        if (found) return true;
    }
    return nested_ != nullptr && some_indirect_group(top, parts, only, test);
}

bool Computed::some_indirect_group(const Attr &top, uint32_t parts, const Id *only,
                                   const Test &test) {
    const IndirectGroups groups = indirect_groups(catalog_, directory_, *nested_, *id_);
    for (const Id &id : groups.ids) {
        if (only != nullptr && id != *only) continue;
        const TypeView *type = nested_->at(catalog_, directory_, id).type;
        if (test_element(top, parts, {id, type, "indirect", nullptr}, test)) return true;
    }
    return false;
}

bool Computed::some_member(const Attr &top, uint32_t parts, const Id *only, const Test &test) {
    bool found = false;
    const uint32_t epoch = record_->header().member_epoch;
    auto is_wanted = [&](const Id &id, TypeNumber number) {
        const TypeView *type = catalog_.type_by_number(number);
        std::string_view label = type != nullptr ? std::string_view(type->type.name) : "";
        found = test_element(top, parts, {id, type, label, nullptr}, test);
        return !found;
    };
    if (only == nullptr) {
        members_.each_member(*id_, epoch, nullptr, is_wanted);
    } else if (members_.contains(*id_, epoch, *only)) {
        for (const auto &type : catalog_.types())
            if (directory_.exists(type->number, *only)) {
                is_wanted(*only, type->number);
                break;
            }
    }
    return found;
}

bool Computed::some_manager(const Attr &top, uint32_t parts, const Test &test) {
    const Attr *value = TypeView::find_sub(top, "value");
    std::string text;
    if (value == nullptr || !read_string(record_->first(value->number), text)) return false;
    auto id = parse_id(text);
    if (!id) return false;
    auto manager = directory_.record(type_.number, *id);
    return manager && test_element(top, parts, {*id, &type_, type_.type.name, &*manager}, test);
}

bool Computed::test_element(const Attr &top, uint32_t parts, const Other &other, const Test &test) {
    leaves_.clear();
    if (parts == 0) return test(nullptr, nullptr);
    text_.clear();
    // The views into text_ are set after it is complete, because appending may move it.
    size_t starts[32], n = 0;
    for (const Attr *part : top.subs) {
        if ((parts & part_bit(*part)) == 0 || n == 32) continue;
        size_t start = text_.size();
        if (!append_part(*part, other)) continue;
        starts[n++] = start;
        leaves_.push_back({part->number, 0, {}});
    }
    for (size_t i = 0; i < n; i++) {
        size_t end = i + 1 < n ? starts[i + 1] : text_.size();
        leaves_[i].json = std::string_view(text_).substr(starts[i], end - starts[i]);
    }
    return test(leaves_.data(), leaves_.data() + n);
}

// Appends the value of the sub-attribute. Returns false, and appends nothing, if it has none.
bool Computed::append_part(const Attr &part, const Other &other) {
    const std::string &name = part.def->name;
    if (name == "display" || name == "displayName") return append_display(other);
    if (!part.computed) return false;  // a stored sub-attribute of manager
    if (name == "value") {
        text_ += '"';
        append_id(text_, other.id);
        text_ += '"';
        return true;
    }
    if (name == "type" && !other.label.empty()) {
        write_string(text_, other.label);
        return true;
    }
    if (name == "$ref" && other.type != nullptr) {
        std::string url;
        append_location(url, *other.type, base_url_, other.id);
        write_string(text_, url);
        return true;
    }
    return false;
}

bool Computed::append_display(const Other &other) {
    if (other.type == nullptr) return false;
    std::optional<store::RecordView> found;
    const store::RecordView *record = other.record;
    if (record == nullptr) {
        found = directory_.record(other.type->number, other.id);
        if (!found) return false;
        record = &*found;
    }
    store::Bytes json = display_of(*other.type, *record);
    text_ += json;
    return !json.empty();
}

}  // namespace scim::service
