#include "scim/resource/reference.h"

#include <algorithm>

namespace scim {

namespace {

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

std::optional<std::string_view> id_in_uri(std::string_view uri, std::string_view endpoint) {
    uri = uri.substr(0, uri.find_first_of("?#"));
    if (ends_with(uri, "/")) uri.remove_suffix(1);
    const size_t slash = uri.rfind('/');
    if (slash == uri.npos || slash + 1 == uri.size()) return std::nullopt;
    const std::string_view before = uri.substr(0, slash), id = uri.substr(slash + 1);
    const bool fits = ends_with(before, endpoint) || before == endpoint.substr(1);
    if (!fits || id.find('%') != id.npos) return std::nullopt;
    return id;
}

Json referenced_value(const TypeView &type, const Attr &part, const json_t *uri) {
    const bool follows = part.parent && part.computed && part.def->name == "$ref" &&
                         part.def->mutability != Mutability::read_only &&
                         TypeView::find_sub(*part.parent, "value");
    if (!follows || !json_is_string(uri)) return Json();
    const auto id = id_in_uri(text_of(uri), type.type.endpoint);
    return id ? made(json_stringn(id->data(), id->size())) : Json();
}

const Attr *stored_ref(const Attr &value) {
    if (value.parent == nullptr || value.def->name != "value") return nullptr;
    const Attr *ref = TypeView::find_sub(*value.parent, "$ref");
    return ref != nullptr && ref->stored() ? ref : nullptr;
}

bool refers_elsewhere(const Attr &ref) {
    const auto &types = ref.def->reference_types;
    return std::any_of(types.begin(), types.end(),
                       [](const std::string &type) { return type == "external" || type == "uri"; });
}

}  // namespace scim
