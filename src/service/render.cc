#include "service/render.h"

#include <charconv>

#include "scim/datetime.h"
#include "scim/json.h"

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

void append_location(std::string &out, const TypeView &type, std::string_view base_url,
                     const Id &id) {
    out += base_url;
    out += type.type.endpoint;
    out += '/';
    append_id(out, id);
}

// An extension is listed exactly when one of its attributes is there (S-31).
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
                      const store::RecordHeader &header) {
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
        append_number(out, header.version);
        out += "\\\"";
    }
    out += '"';
}

void append_meta(std::string &out, const Rendering &r, const Id &id,
                 const store::RecordHeader &header) {
    if (!r.projection.shows_any(*r.type.meta)) return;
    out += ",\"meta\":{";
    for (const Attr *part : r.type.meta->subs)
        if (r.projection.shows(*part)) append_meta_part(out, part->def->name, r, id, header);
    out += '}';
}

// True if the body on disk is what this projection shows.
bool may_copy(const Rendering &r, const store::RecordHeader &header) {
    constexpr uint8_t special = store::record_needs_projection | store::record_hidden;
    return r.projection.whole() && (header.flags & special) == 0 &&
           header.epoch >= r.catalog.shape_epoch();
}

}  // namespace

bool render_resource(std::string &out, const Rendering &r, const Id &id,
                     const store::RecordView &record) {
    const auto &header = record.header();
    if (may_copy(r, header)) {
        append_schemas(out, r.type, header.extensions);
        append_id(out, id);
        out += '"';
        if (!record.body().empty()) out += ',';
        out += record.body();
    } else {
        std::vector<Leaf> leaves;
        if (!record.leaves(leaves)) return false;
        canonical_order(r.type, leaves);
        append_schemas(out, r.type, extension_set(r.type, leaves));
        append_id(out, id);
        out += "\",";
        size_t start = out.size();
        write_members(out, r.type, leaves, &r.projection.shown(), nullptr);
        if (out.size() == start) out.pop_back();
    }
    append_meta(out, r, id, header);
    out += '}';
    return true;
}

std::string etag_of(const store::RecordView &record) {
    std::string out;
    append_version(out, record.header().version);
    return out;
}

std::string location_of(const TypeView &type, std::string_view base_url, const Id &id) {
    std::string out;
    append_location(out, type, base_url, id);
    return out;
}

bool etag_listed(std::string_view header, std::string_view etag) {
    auto opaque = [](std::string_view tag) {
        while (!tag.empty() && (tag.front() == ' ' || tag.front() == '\t')) tag.remove_prefix(1);
        while (!tag.empty() && (tag.back() == ' ' || tag.back() == '\t')) tag.remove_suffix(1);
        if (tag.substr(0, 2) == "W/") tag.remove_prefix(2);
        if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"')
            tag = tag.substr(1, tag.size() - 2);
        return tag;
    };
    std::string_view wanted = opaque(etag);
    while (!header.empty()) {
        size_t comma = header.find(',');
        std::string_view tag = opaque(header.substr(0, comma));
        if (tag == "*" || tag == wanted) return true;
        header.remove_prefix(comma == std::string_view::npos ? header.size() : comma + 1);
    }
    return false;
}

}  // namespace scim::service
