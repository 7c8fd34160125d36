// Reads the body of POST or PUT into leaves: assigns the members of the body to attributes, then
// reads each with ValueReader.

#include "scim/resource/dialect.h"
#include "scim/resource/members.h"
#include "scim/resource/resource.h"
#include "scim/resource/value_reader.h"

namespace scim {

namespace {

class Reader {
  public:
    Reader(const TypeView &type, bool strict, const ReadLimits &limits, DeviationReport &report)
        : type_(type),
          limits_(limits),
          dialect_(strict, report),
          values_(type, dialect_, out_),
          members_(type.attrs.size()) {}

    Result<Resource> read(const json_t *body);

  private:
    Outcome collect(const json_t *body);
    Outcome collect_extension(int bit, const json_t *object, uint32_t announced);
    Outcome members_of_group();

    const TypeView &type_;
    const ReadLimits &limits_;
    Dialect dialect_;
    Resource out_;
    ValueReader values_;
    // The value that the body has for each attribute, by rank, because leaves must be in canonical
    // order.
    std::vector<const json_t *> members_;
};

Result<Resource> Reader::read(const json_t *body) {
    if (!json_is_object(body))
        return Error{Refusal::json_syntax,
                     "a resource must be an object, not " + std::string(kind_of(body))};
    RETURN_IF_ERROR(collect(body));
    for (const Attr &attr : type_.attrs) {
        if (attr.parent || !is_assigned(members_[attr.rank])) continue;
        RETURN_IF_ERROR(values_.read_attribute(attr, members_[attr.rank]));
    }
    RETURN_IF_ERROR(members_of_group());
    RETURN_IF_ERROR(check_bytes("the resource", bytes_of(out_.leaves)));
    return std::move(out_);
}

// Assigns the members of the body to attributes

Outcome Reader::collect(const json_t *body) {
    std::vector<std::pair<int, const json_t *>> extensions;
    const json_t *schemas = nullptr;
    const char *key;
    size_t size;
    json_t *value;
    json_object_keylen_foreach(const_cast<json_t *>(body), key, size, value) {
        const std::string_view name(key, size);
        if (const Attr *attr = type_.find_core(name)) {
            if (attr == type_.schemas) schemas = value;
            members_[attr->rank] = value;
        } else if (int bit = type_.find_extension(name); bit >= 0) {
            extensions.emplace_back(bit, value);
        } else if (auto r = dialect_.unknown_attribute(type_, name); !r) {
            return r;
        }
    }
    auto announced = dialect_.schemas(type_, schemas);
    RETURN_IF_ERROR(announced);
    for (const auto &[bit, object] : extensions)
        if (auto r = collect_extension(bit, object, *announced); !r) return r;
    return Done{};
}

Outcome Reader::collect_extension(int bit, const json_t *object, uint32_t announced) {
    if (!is_assigned(object)) return Done{};
    const std::string &urn = type_.extension_bits[size_t(bit)];
    if (!json_is_object(object))
        return Error{Refusal::value_type,
                     "\"" + urn + "\" must be an object, not " + std::string(kind_of(object))};
    if (json_object_size(object) == 0) return Done{};
    if (!(announced >> bit & 1))
        if (auto r = dialect_.unannounced_extension(urn); !r) return r;
    const char *key;
    size_t size;
    json_t *value;
    json_object_keylen_foreach(const_cast<json_t *>(object), key, size, value) {
        const std::string_view name(key, size);
        if (const Attr *attr = type_.find_in_extension(bit, name)) {
            members_[attr->rank] = value;
        } else {
            std::string path = urn + ":" + std::string(name);
            if (auto r = dialect_.unknown_attribute(type_, path); !r) return r;
        }
    }
    return Done{};
}

Outcome Reader::members_of_group() {
    const json_t *sent = type_.members ? members_[type_.members->rank] : nullptr;
    if (!sent) return Done{};
    MemberReader reader(type_, limits_.max_members, dialect_);
    auto ids = reader.read(sent, MemberReader::Unknown::refuse);
    RETURN_IF_ERROR(ids);
    sort_members(*ids);
    out_.members = std::move(*ids);
    return Done{};
}

}  // namespace

Result<Resource> read_resource(const TypeView &type, const json_t *body, bool strict,
                               DeviationReport &report, const ReadLimits &limits) {
    return Reader(type, strict, limits, report).read(body);
}

}  // namespace scim
