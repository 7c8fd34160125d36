#include "service/render.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>

#include "scim/resource/reference.h"
#include "scim/text/datetime.h"
#include "scim/text/json.h"
#include "service/nested_groups.h"
#include "store/members.h"

namespace scim::service {

namespace {

void append_number(std::string &out, uint64_t value) {
    char digits[20];
    out.append(digits, size_t(std::to_chars(digits, digits + sizeof digits, value).ptr - digits));
}

void append_version(std::string &out, uint64_t version) {
    out += "W/\"";
    append_number(out, version);
    out += '"';
}

void append_schemas(std::string &out, const TypeView &type, uint32_t extensions) {
    out += "{\"schemas\":[\"";
    out += type.type.schema;
    for (size_t bit = 0; bit < type.extension_bits.size(); bit++) {
        if ((extensions >> bit & 1) == 0) continue;
        out += "\",\"";
        out += type.extension_bits[bit];
    }
    out += "\"],\"id\":\"";
}

void append_member(std::string &out, std::string_view name) {
    if (out.back() != '{') out += ',';
    out += '"';
    out += name;
    out += "\":";
}

void append_meta_part(std::string &out, std::string_view name, const Rendering &r, const Id &id,
                      const store::RecordHeader &header, uint64_t version) {
    append_member(out, name);
    out += '"';
    if (name == "resourceType") {
        out += r.type.type.name;
    } else if (name == "created") {
        append_datetime(out, header.created);
    } else if (name == "lastModified") {
        append_datetime(out, header.modified);
    } else if (name == "location") {
        append_location(out, r.type, r.base_url, id);
    } else {
        out += "W/\\\"";
        append_number(out, version);
        out += "\\\"";
    }
    out += '"';
}

void append_meta(std::string &out, const Rendering &r, const Id &id,
                 const store::RecordHeader &header, uint64_t version) {
    if (!r.projection.shows_any(*r.type.meta)) return;
    out += ",\"meta\":{";
    for (const Attr *part : r.type.meta->subs)
        if (r.projection.shows(*part))
            append_meta_part(out, part->def->name, r, id, header, version);
    out += '}';
}

// True if the stored body and the header's extensions may be used unchanged: no leaf needs a
// projection or is hidden, and no catalog change since the write affects the shape of resources.
bool is_as_written(const Catalog &catalog, const store::RecordHeader &header) {
    constexpr uint8_t special = store::record_needs_projection | store::record_hidden;
    return (header.flags & special) == 0 && header.epoch >= catalog.shape_epoch();
}

// Computed attributes

// Appends `,"groups":[…]` or `,"members":[…]` with the sub-attributes that the projection shows.
// Appends nothing if there is no element.
class ReferenceWriter {
  public:
    ReferenceWriter(const Rendering &r, const Attr &attr)
        : out_(r.body.text()), base_url_(r.base_url), projection_(r.projection), attr_(attr) {}
    bool shows_display() const {
        return std::any_of(attr_.subs.begin(), attr_.subs.end(), [&](const Attr *part) {
            return part->def->name == "display" && projection_.shows(*part);
        });
    }
    // `display` is JSON, or empty; `label` is the value of the sub-attribute `type`.
    void add(const TypeView &type, const Id &id, store::Bytes display, std::string_view label) {
        open();
        out_ += '{';
        for (std::string_view name : parts_) {
            if (name == "display") {
                if (display.empty()) continue;
                append_member(out_, name);
                out_ += display;
                continue;
            }
            append_member(out_, name);
            out_ += '"';
            if (name == "value") append_id(out_, id);
            if (name == "$ref") append_location(out_, type, base_url_, id);
            if (name == "type") out_ += label;
            out_ += '"';
        }
        out_ += '}';
    }
    void close() {
        if (any_) out_ += ']';
    }

  private:
    void open() {
        if (any_) {
            out_ += ',';
            return;
        }
        any_ = true;
        for (const Attr *part : attr_.subs)
            if (projection_.shows(*part)) parts_.push_back(part->def->name);
        append_member(out_, attr_.def->name);
        out_ += '[';
    }

    std::string &out_;
    std::string_view base_url_;
    const Projection &projection_;
    const Attr &attr_;
    std::vector<std::string_view> parts_;  // made with the first element
    bool any_ = false;
};

void append_indirect_groups(ReferenceWriter &array, const Rendering &r, const Id &id) {
    for (const Id &group : indirect_groups(r.catalog, r.directory, *r.nested, id).ids) {
        const CachedGroup &cached = r.nested->at(r.catalog, r.directory, group);
        if (cached.type == nullptr) return;  // the budget is stopped
        array.add(*cached.type, group, cached.display, "indirect");
        if (!r.body.next_resource(cached.display.size())) return;
    }
}

void append_groups(const Rendering &r, const Id &id) {
    const Attr *groups = r.type.groups;
    if (groups == nullptr || !r.projection.shows_any(*groups)) return;
    ReferenceWriter array(r, *groups);
    for (const TypeView *type : r.catalog.group_types())
        store::Members(r.directory)
            .each_group(type->number, id, nullptr,
                        [&](const Id &group, const store::RecordView &record) {
                            array.add(*type, group, display_of(*type, record), "direct");
                            return r.body.next_resource(record.bytes().size());
                        });
    if (r.nested != nullptr) append_indirect_groups(array, r, id);
    array.close();
}

void append_members(const Rendering &r, const Id &id, uint32_t epoch) {
    const Attr *members = r.type.members;
    if (members == nullptr || !r.projection.shows_any(*members)) return;
    ReferenceWriter array(r, *members);
    const bool shows_display = array.shows_display();
    store::RecordCursor records(r.directory);
    store::Members(r.directory)
        .each_member(id, epoch, nullptr, [&](const Id &member, TypeNumber number) {
            const TypeView *type = r.catalog.type_by_number(number);
            if (type == nullptr) return true;
            if (!shows_display) {
                array.add(*type, member, {}, type->type.name);
                return r.body.go_on(0);
            }
            auto record = records.record(number, member);
            if (!record) return true;
            array.add(*type, member, display_of(*type, *record), type->type.name);
            return r.body.next_resource(record->bytes().size());
        });
    array.close();
}

// The computed sub-attributes of a manager as JSON, in the order of the schema. Empty if the
// manager's id does not refer to a resource.
using Parts = std::vector<std::pair<const Attr *, std::string>>;
Parts manager_parts(const Rendering &r, store::Bytes value) {
    Parts parts;
    std::string text;
    auto id = read_string(value, text) ? parse_id(text) : std::nullopt;
    auto record = id ? r.directory.record(r.type.number, *id) : std::nullopt;
    if (!record) return parts;
    for (const Attr *part : r.type.manager->subs) {
        if (!part->computed || !r.projection.shows(*part)) continue;
        std::string json;
        if (part->def->name == "$ref") {
            json += '"';
            append_location(json, r.type, r.base_url, *id);
            json += '"';
        } else {
            json = display_of(r.type, *record);
        }
        if (!json.empty()) parts.emplace_back(part, std::move(json));
    }
    return parts;
}

const Attr *manager_value(const TypeView &type) {
    return type.manager != nullptr ? TypeView::find_sub(*type.manager, "value") : nullptr;
}

// Copies the stored body and inserts the computed sub-attributes of the manager.
void copy_body(std::string &out, const Rendering &r, const store::RecordView &record) {
    const bool has_manager = (record.header().flags & store::record_computed_sibling) != 0;
    const Attr *value = has_manager ? manager_value(r.type) : nullptr;
    const store::Bytes text = value != nullptr ? record.first(value->number) : "";
    if (text.empty()) {
        out += record.body();
        return;
    }
    size_t end = size_t(text.data() + text.size() - record.body().data());
    out += record.body().substr(0, end);
    for (const auto &[part, json] : manager_parts(r, text)) {
        append_member(out, part->def->name);
        out += json;
    }
    out += record.body().substr(end);
}

// Appends the URL of the resource with this id, which is of one of the types that `ref` may refer
// to, as JSON; nothing if there is none.
void append_reference(std::string &out, const Rendering &r, const Attr &ref, const Leaf &value) {
    std::string text;
    const auto id = read_string(value.json, text) ? parse_id(text) : std::nullopt;
    for (const std::string &name : ref.def->reference_types) {
        const TypeView *type = id ? r.catalog.type_by_name(name) : nullptr;
        if (type == nullptr || !r.directory.exists(type->number, *id)) continue;
        out += '"';
        append_location(out, *type, r.base_url, *id);
        out += '"';
        return;
    }
}

// Sets the `$ref` of references. If no resource has the id, a `$ref` that was sent is left out, unless
// it may be of another server. `texts` owns the values.
void set_references(const Rendering &r, std::vector<Leaf> &leaves, std::deque<std::string> &texts) {
    std::map<std::pair<AttrNumber, uint32_t>, size_t> places;
    const size_t stored = leaves.size();
    for (size_t i = 0; i < stored; i++)
        places.emplace(std::pair(leaves[i].attr, leaves[i].element), i);
    for (size_t i = 0; i < stored; i++) {
        const Attr *value = r.type.by_number(leaves[i].attr);
        const Attr *ref = value != nullptr ? stored_ref(*value) : nullptr;
        if (ref == nullptr || !r.projection.shows(*ref)) continue;
        std::string &url = texts.emplace_back();
        append_reference(url, r, *ref, leaves[i]);
        const auto sent = places.find({ref->number, leaves[i].element});
        if (sent == places.end())
            leaves.push_back({ref->number, leaves[i].element, url});
        else if (!url.empty() || !refers_elsewhere(*ref))
            leaves[sent->second].json = url;
    }
    auto is_empty = [](const Leaf &leaf) { return leaf.json.empty(); };
    leaves.erase(std::remove_if(leaves.begin(), leaves.end(), is_empty), leaves.end());
}

// Writes the leaves that the projection shows. Returns false if there are none.
bool write_body(std::string &out, const Rendering &r, std::vector<Leaf> &leaves) {
    const Attr *value = manager_value(r.type);
    Parts parts;
    bool is_reference = false;
    for (const Leaf &leaf : leaves) {
        if (value != nullptr && leaf.attr == value->number) parts = manager_parts(r, leaf.json);
        const Attr *attr = r.type.by_number(leaf.attr);
        is_reference |= attr != nullptr && stored_ref(*attr) != nullptr;
    }
    for (const auto &[part, json] : parts) leaves.push_back({part->number, 0, json});
    std::deque<std::string> texts;
    if (is_reference) set_references(r, leaves, texts);
    canonical_order(r.type, leaves);
    size_t start = out.size();
    write_members(out, r.type, leaves, &r.projection.shown(), nullptr);
    return out.size() != start;
}

}  // namespace

store::Bytes display_of(const TypeView &type, const store::RecordView &record) {
    store::Bytes name;
    if (type.display_name != nullptr) name = record.first(type.display_name->number);
    if (name.empty() && type.user_name != nullptr) name = record.first(type.user_name->number);
    return name;
}

std::optional<uint32_t> listed_extensions(const Catalog &catalog, const TypeView &type,
                                          const store::RecordView &record) {
    if (is_as_written(catalog, record.header())) return record.header().extensions;
    std::vector<Leaf> leaves;
    if (!record.leaves(leaves)) return std::nullopt;
    return shown_extensions(type, leaves);
}

uint64_t version_of(const Catalog &catalog, const TypeView &type, store::Directory &directory,
                    const Id &id, const store::RecordView &record) {
    uint64_t version = record.header().version;
    if (type.groups == nullptr || catalog.group_types().empty()) return version;
    return std::max(version, store::Members(directory).position(id));
}

size_t shown_references(const TypeView &type, const Projection &projection,
                        store::Directory &directory, const Id &id) {
    store::Members members(directory);
    auto shown = [&](const Attr *attr) { return attr != nullptr && projection.shows_any(*attr); };
    if (shown(type.members)) return members.rows(id, loop_references + 1);
    size_t count = 0;
    if (shown(type.groups))
        members.each_membership(id, nullptr,
                                [&](const Id &, uint32_t) { return ++count <= loop_references; });
    return count;
}

bool render_resource(const Rendering &r, const Id &id, const store::RecordView &record,
                     uint64_t version) {
    std::string &out = r.body.text();
    const auto &header = record.header();
    if (r.projection.whole() && is_as_written(r.catalog, header)) {
        append_schemas(out, r.type, header.extensions);
        append_id(out, id);
        out += '"';
        if (!record.body().empty()) {
            out += ',';
            copy_body(out, r, record);
        }
    } else {
        std::vector<Leaf> leaves;
        if (!record.leaves(leaves)) return false;
        append_schemas(out, r.type, shown_extensions(r.type, leaves));
        append_id(out, id);
        out += "\",";
        if (!write_body(out, r, leaves)) out.pop_back();
    }
    append_groups(r, id);
    append_members(r, id, header.member_epoch);
    append_meta(out, r, id, header, version);
    out += '}';
    return true;
}

std::string etag_of(uint64_t version) {
    std::string out;
    append_version(out, version);
    return out;
}

void append_location(std::string &out, const TypeView &type, std::string_view base_url,
                     const Id &id) {
    out += base_url;
    out += type.type.endpoint;
    out += '/';
    append_id(out, id);
}

}  // namespace scim::service
