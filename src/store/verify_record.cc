#include "store/verify_record.h"

#include "scim/text/json.h"

namespace scim::store {

namespace {

void collect_value(const json_t *value, std::vector<std::string> &out) {
    if (json_is_object(value)) {
        const char *key;
        json_t *part;
        json_object_foreach(const_cast<json_t *>(value), key, part)
            write_value(out.emplace_back(), part);
    } else {
        write_value(out.emplace_back(), value);
    }
}

// Collects the leaf texts of a body in their order. Only the name of an extension contains a colon.
void collect(const json_t *object, std::vector<std::string> &out) {
    const char *key;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(object), key, value) {
        if (json_is_object(value) && std::string_view(key).find(':') != std::string_view::npos) {
            collect(value, out);
        } else if (json_is_array(value)) {
            for (size_t i = 0; i < json_array_size(value); i++)
                collect_value(json_array_get(value, i), out);
        } else {
            collect_value(value, out);
        }
    }
}

// True if the body contains exactly the texts of the leaves that are not hidden. Does not need the
// catalog: for a body that was written under an earlier one.
bool body_has(const RecordView &record, const std::vector<Leaf> &leaves) {
    auto body =
        parse_json("{" + std::string(record.body()) + "}", JsonLimits{64, SIZE_MAX >> 1, SIZE_MAX});
    if (!body) return false;
    std::vector<std::string> texts;
    collect(body->get(), texts);
    const char *end = record.body().data() + record.body().size();
    size_t i = 0;
    for (const Leaf &leaf : leaves) {
        if (leaf.json.data() >= end) break;  // hidden
        if (i == texts.size() || leaf.json != texts[i++]) return false;
    }
    return i == texts.size();
}

}  // namespace

std::string check_record(const Catalog &catalog, const TypeView *type, const RecordView &record,
                         const std::vector<Leaf> &leaves) {
    const RecordHeader &header = record.header();
    if (header.epoch > catalog.epoch())
        return "its catalog epoch is " + std::to_string(header.epoch) +
               ", but the catalog is at epoch " + std::to_string(catalog.epoch());
    if (header.modified < header.created) return "it was modified before it was created";
    const char *differs = "its leaf table does not describe its body";
    if (type != nullptr && header.epoch == catalog.epoch()) {
        // The encoding is canonical: encoding the leaves again must yield the same bytes.
        return encode_record(header, catalog, *type, leaves) == record.bytes() ? "" : differs;
    }
    return body_has(record, leaves) ? "" : differs;
}

}  // namespace scim::store
