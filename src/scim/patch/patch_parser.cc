// Parses the body of a PATCH into steps: the message, its operations, and their paths.

#include <algorithm>
#include <iterator>

#include "scim/patch/patch.h"
#include "scim/patch/patch_step.h"
#include "scim/resource/dialect.h"
#include "scim/resource/members.h"
#include "scim/resource/reference.h"
#include "scim/schema/quoted_path.h"
#include "scim/text/text.h"

namespace scim {

namespace {

bool is_read_only(const TypeView &type, const Attr &attr) {
    return attr.def->mutability == Mutability::read_only || &attr == type.schemas ||
           (attr.parent && is_read_only(type, *attr.parent));
}

// True if `value` leaves the one member that the path selects unchanged: its parts are immutable,
// but the same value may be sent.
bool is_same_member(const Path &path, const json_t *value) {
    if (!path.member_ids || path.member_ids->size() != 1) return false;
    if (path.part && path.part->def->name != "value") return false;
    const json_t *id = path.part ? value : member_of(value, "value");
    return json_is_string(id) && text_of(id) == path.member_ids->front();
}

// A PATCH of SCIM 1.1 is a partial resource: members have an `operation`, and `meta` has the names
// of the attributes to remove.
bool looks_like_scim_1(const json_t *body) {
    const json_t *meta = json_object_get(body, "meta");
    if (json_is_array(json_object_get(meta, "attributes"))) return true;
    const json_t *members = json_object_get(body, "members");
    for (size_t i = 0; i < json_array_size(members); i++)
        if (json_object_get(json_array_get(members, i), "operation")) return true;
    return false;
}

Error no_operations(const json_t *body) {
    std::string hint = looks_like_scim_1(body)
                           ? "this is the form of SCIM 1.1, and this server speaks SCIM 2.0"
                           : "a whole resource is sent with PUT";
    return Error{Refusal::patch_form,
                 "a PATCH must have \"Operations\", an array of objects such as {\"op\": "
                 "\"replace\", \"path\": \"active\", \"value\": false}; " +
                     hint};
}

}  // namespace

// Not in the anonymous namespace, because it is a friend of Patch.
class PatchParser {
  public:
    PatchParser(const TypeView &type, const PatchLimits &limits, bool strict,
                DeviationReport &report)
        : type_(type),
          limits_(limits),
          path_limits_{limits.path, limits.filter},
          dialect_(strict, report),
          reader_(type, dialect_, patch_.values_),
          members_(type, limits.members, dialect_) {
        patch_.strict_ = strict;
    }

    Result<Patch> parse(const json_t *body);

  private:
    // The operation of a value.
    struct Source {
        size_t operation;  // index in Operations
        PatchOp op;
        bool named;  // the path names the attribute; false: it is a name in a value without path
    };

    Result<const json_t *> operations(const json_t *body);
    Outcome read_operation(size_t i, const json_t *object);
    Result<PatchOp> op_of(const json_t *object);
    Result<std::string_view> path_of(const json_t *object);
    bool is_core_urn(std::string_view name) const { return ascii_iequals(name, type_.type.schema); }
    Outcome core_urn();
    Result<const json_t *> get(const json_t *object, const char *name);

    Outcome without_path(const Source &from, const json_t *value);
    Outcome change_by_name(const Source &from, std::string_view name, const json_t *value);
    Outcome change_by_path(const Source &from, std::string_view name, const json_t *value);
    Outcome change_extension(const Source &from, int bit, const json_t *value);
    Outcome change_extension_attributes(const Source &from, int bit, const json_t *object);
    Outcome remove_extension(const Source &from, int bit);

    Outcome change_attribute(const Source &from, Path path, std::string_view text,
                             const json_t *value);
    Outcome change_schemas(const Source &from, const json_t *value);
    Outcome change_members(const Source &from, const Path &path, const json_t *value);
    Result<std::vector<Id>> removed_members(const Path &path, const json_t *value);

    void add(const Source &from, PatchStep step) {
        step.operation = from.operation;
        step.sent = from.op;
        patch_.steps_.push_back(std::move(step));
    }

    const TypeView &type_;
    const PatchLimits &limits_;
    const PathLimits path_limits_;
    Dialect dialect_;
    Patch patch_;
    PatchStepReader reader_;
    MemberReader members_;
    MemberLog edits_;
    size_t filters_ = 0;
};

Result<Patch> Patch::parse(const TypeView &type, const json_t *body, const PatchLimits &limits,
                           bool strict, DeviationReport &report) {
    return PatchParser(type, limits, strict, report).parse(body);
}

// The message

Result<Patch> PatchParser::parse(const json_t *body) {
    if (!json_is_object(body))
        return Error{Refusal::json_syntax,
                     "a PATCH must be an object, not " + std::string(kind_of(body))};
    auto schemas = get(body, "schemas");
    RETURN_IF_ERROR(schemas);
    RETURN_IF_ERROR(dialect_.message_schemas(patch_op_urn, *schemas));
    auto list = operations(body);
    RETURN_IF_ERROR(list);
    const Elements elements(*list);
    for (size_t i = 0; i < elements.size(); i++) RETURN_IF_ERROR(read_operation(i, elements[i]));
    patch_.members_ = edits_.edits();
    return std::move(patch_);
}

// A member of the message or of an operation; nullptr if there is none.
Result<const json_t *> PatchParser::get(const json_t *object, const char *name) {
    std::string_view written;
    const json_t *value = member_of(object, name, &written);
    if (!value || written == name) return value;
    RETURN_IF_ERROR(dialect_.deviation(
        "operations-case", "\"" + std::string(name) + "\" must be written in this case"));
    return value;
}

// "Operations": an array, or an object, which is then the only element.
Result<const json_t *> PatchParser::operations(const json_t *body) {
    auto list = get(body, "Operations");
    if (!list) return list;
    if (!*list || json_is_null(*list)) return no_operations(body);
    auto elements =
        json_is_array(*list) || json_is_object(*list) ? dialect_.elements(*list) : std::nullopt;
    if (!elements)
        return Error{Refusal::patch_form,
                     "\"Operations\" must be an array, not " + std::string(kind_of(*list))};
    if (elements->size() > limits_.operations)
        return Error{Refusal::patch_too_many_operations,
                     "the request has " + std::to_string(elements->size()) +
                         " operations; at most scim_max_operations (" +
                         std::to_string(limits_.operations) + ") are allowed"};
    if (elements->size() == 0)
        RETURN_IF_ERROR(dialect_.deviation("operations-empty",
                                           "\"Operations\" must have at least one element"));
    return *list;
}

Outcome PatchParser::read_operation(size_t i, const json_t *object) {
    if (!json_is_object(object))
        return in_operation(i, "",
                            Error{Refusal::patch_form, "an operation must be an object, not " +
                                                           std::string(kind_of(object))});
    auto op = op_of(object);
    if (!op) return in_operation(i, ".op", op.error());
    auto text = path_of(object);
    if (!text) return in_operation(i, ".path", text.error());
    auto value = get(object, "value");
    if (!value) return in_operation(i, "", value.error());
    const Source from{i, *op, !text->empty()};

    if (*op == PatchOp::remove && text->empty())
        return in_operation(i, "",
                            Error{Refusal::patch_remove_without_path,
                                  "a remove must have a \"path\" that selects what is removed"});
    if (*op != PatchOp::remove && !*value) {
        const std::string of = text->empty() ? "" : " for " + quoted_path(type_, *text);
        return in_operation(i, "",
                            Error{Refusal::patch_value_missing, "\"value\" is missing" + of});
    }
    if (text->empty()) {
        auto r = without_path(from, *value);
        return r ? r : in_operation(i, ".value", r.error());
    }
    auto path = parse_path(type_, *text, path_limits_, dialect_);
    if (!path) return in_operation(i, ".path", path.error());
    if (!*path) return Done{};
    auto r = change_attribute(from, std::move(**path), *text, *value);
    const bool about_path = !r && r.error().type() == ScimType::mutability;
    return r ? r : in_operation(i, about_path ? ".path" : ".value", r.error());
}

Result<PatchOp> PatchParser::op_of(const json_t *object) {
    auto op = get(object, "op");
    RETURN_IF_ERROR(op);
    constexpr std::pair<std::string_view, PatchOp> all[] = {
        {"add", PatchOp::add}, {"replace", PatchOp::replace}, {"remove", PatchOp::remove}};
    for (const auto &[name, value] : all) {
        if (!json_is_string(*op) || !ascii_iequals(text_of(*op), name)) continue;
        if (text_of(*op) != name)
            RETURN_IF_ERROR(dialect_.deviation(
                "op-case", quoted(text_of(*op)) + " must be \"" + std::string(name) + "\""));
        return value;
    }
    const std::string got = json_is_string(*op) ? quoted(text_of(*op)) : std::string(kind_of(*op));
    return Error{Refusal::patch_op, "must be \"add\", \"replace\" or \"remove\", not " + got};
}

// The URN of the base schema is accepted as a path of the resource itself.
Outcome PatchParser::core_urn() {
    return dialect_.deviation("core-urn",
                              "\"" + type_.type.schema +
                                  "\" is the URN of the base schema, not the path of an attribute; "
                                  "to change more than one attribute, leave out \"path\"",
                              Refusal::path_deviation);
}

// The path of an operation, empty if there is none.
Result<std::string_view> PatchParser::path_of(const json_t *object) {
    auto path = get(object, "path");
    RETURN_IF_ERROR(path);
    if (!*path) return std::string_view();
    if (!json_is_null(*path) && !json_is_string(*path))
        return Error{Refusal::path_syntax, "must be a string, not " + std::string(kind_of(*path))};
    if (json_is_string(*path) && is_core_urn(text_of(*path))) {
        RETURN_IF_ERROR(core_urn());
        return std::string_view();
    }
    if (json_string_length(*path) > 0) return text_of(*path);
    RETURN_IF_ERROR(dialect_.deviation(
        "empty-path", "must be the path of an attribute, or be left out", Refusal::path_deviation));
    return std::string_view();
}

// Values without path

Outcome PatchParser::without_path(const Source &from, const json_t *value) {
    value = dialect_.only_object(value);
    if (!json_is_object(value))
        return Error{Refusal::value_type,
                     "without a \"path\" this must be an object of attributes, not " +
                         std::string(kind_of(value))};
    const char *name;
    size_t size;
    json_t *one;
    json_object_keylen_foreach(const_cast<json_t *>(value), name, size, one) {
        if (auto r = change_by_name(from, {name, size}, one); !r) return r;
    }
    return Done{};
}

Outcome PatchParser::change_by_name(const Source &from, std::string_view name,
                                    const json_t *value) {
    if (const Attr *attr = type_.find_core(name)) {
        Path path;
        path.attr = attr;
        return change_attribute(from, std::move(path), name, value);
    }
    if (int bit = type_.find_extension(name); bit >= 0) return change_extension(from, bit, value);
    if (is_core_urn(name)) {
        auto r = core_urn();
        return r ? without_path(from, value) : r;
    }
    return change_by_path(from, name, value);
}

// A path as a name in a value: "name.givenName", "urn:…:User:department",
// "emails[type eq \"work\"].value".
Outcome PatchParser::change_by_path(const Source &from, std::string_view name,
                                    const json_t *value) {
    auto unknown = [&]() -> Outcome {
        auto r = dialect_.unknown_attribute(type_, name);
        return r ? r : Error{Refusal::path_unknown_attribute, r.error().detail};
    };
    // An extension's attribute without its URN is unknown here, as in the body of POST and PUT.
    if (name.find('[') == name.npos && !type_.find(name)) return unknown();
    auto path = parse_path(type_, name, path_limits_, dialect_);
    RETURN_IF_ERROR(path);
    if (!*path) return Done{};
    if (auto r = dialect_.deviation(
            "path-in-value", quoted_path(type_, name) + " is a path and must be sent as \"path\"",
            Refusal::path_deviation);
        !r)
        return r;
    return change_attribute(from, std::move(**path), name, value);
}

// Whole extensions

Outcome PatchParser::change_extension(const Source &from, int bit, const json_t *value) {
    const std::string &urn = type_.extension_bits[size_t(bit)];
    if (from.op == PatchOp::remove) {
        if (value && !json_is_null(value))
            return Error{Refusal::patch_extension_value,
                         "an extension is removed as a whole, without a \"value\""};
        return remove_extension(from, bit);
    }
    if (!is_assigned(value)) return from.op == PatchOp::add ? Done{} : remove_extension(from, bit);
    value = dialect_.only_object(value);
    if (!json_is_object(value))
        return Error{Refusal::value_type,
                     "\"" + urn + "\" must be an object, not " + std::string(kind_of(value))};
    return change_extension_attributes({from.operation, from.op, false}, bit, value);
}

Outcome PatchParser::change_extension_attributes(const Source &from, int bit,
                                                 const json_t *object) {
    const char *name;
    size_t size;
    json_t *value;
    json_object_keylen_foreach(const_cast<json_t *>(object), name, size, value) {
        const std::string full = type_.extension_bits[size_t(bit)] + ":" + std::string(name, size);
        Outcome r = Done{};
        if (const Attr *attr = type_.find_in_extension(bit, {name, size})) {
            Path path;
            path.attr = attr;
            r = change_attribute(from, std::move(path), full, value);
        } else {
            r = change_by_path(from, full, value);
        }
        if (!r) return r;
    }
    return Done{};
}

Outcome PatchParser::remove_extension(const Source &from, int bit) {
    for (const Attr &attr : type_.attrs) {
        if (attr.parent || attr.extension != bit || attr.computed) continue;
        PatchStep step;
        step.op = PatchOp::remove;
        step.attr = &attr;
        add(from, std::move(step));
    }
    return Done{};
}

// One attribute

Outcome PatchParser::change_attribute(const Source &from, Path path, std::string_view text,
                                      const json_t *value) {
    if (!path.attr) return change_extension(from, path.extension, value);
    if (path.attr == type_.members) return change_members(from, path, value);
    if (path.attr == type_.schemas && from.named) return change_schemas(from, value);
    const Json referenced = path.part && from.op != PatchOp::remove
                                ? referenced_value(type_, *path.part, value)
                                : Json();
    if (referenced) {
        path.part = TypeView::find_sub(*path.attr, "value");
        value = referenced.get();
    }
    const Attr &target = path.part ? *path.part : *path.attr;
    if (is_read_only(type_, target)) {
        const std::string refusal = "\"" + target.path + "\" is readOnly and cannot be changed";
        if (from.named) return Error{Refusal::attribute_read_only, refusal};
        return dialect_.deviation("read-only-value", refusal, Refusal::attribute_read_only);
    }
    // A computed attribute here is a manager.$ref that contains no id or is removed: it is ignored
    // and reported. A password is accepted and not stored.
    if (target.computed) dialect_.report().ignored(target.path);
    if (target.computed || target.discarded) return Done{};
    if (path.filter && ++filters_ > limits_.operations)
        return Error{Refusal::patch_too_many_operations,
                     "the request has more than " + std::to_string(limits_.operations) +
                         " paths with a filter; at most scim_max_operations are allowed"};
    auto step = reader_.read(from.op, std::move(path), text, value);
    RETURN_IF_ERROR(step);
    if (!*step) return Done{};
    const Attr &attr = *(*step)->attr;
    if ((*step)->op == PatchOp::remove && &attr == type_.find_core("active") &&
        attr.def->type == AttrType::boolean)
        return dialect_.deviation("active-kept",
                                  "\"active\" cannot be removed: a user is active or not; replace "
                                  "it with true or false",
                                  Refusal::patch_active_removed);
    add(from, std::move(**step));
    return Done{};
}

// `schemas` is computed from the attributes of a resource (RFC 7643 3). Adding or replacing it with
// schemas of the type changes nothing; an extension is removed with its attributes.
Outcome PatchParser::change_schemas(const Source &from, const json_t *value) {
    if (from.op == PatchOp::remove || !is_assigned(value)) {
        if (from.op == PatchOp::add) return Done{};
        if (is_assigned(value) && !dialect_.some_schema(type_, value))
            return dialect_.added_schemas(type_, value);
        return Error{Refusal::schemas_computed,
                     "\"schemas\" is required and computed from the attributes of the "
                     "resource; to remove an extension, use its URN as the path of a remove"};
    }
    if (from.op == PatchOp::add) return dialect_.added_schemas(type_, value);
    auto r = dialect_.schemas(type_, value);
    RETURN_IF_ERROR(r);
    return Done{};
}

// Members of a group

Outcome PatchParser::change_members(const Source &from, const Path &path, const json_t *value) {
    if (from.op != PatchOp::remove && is_same_member(path, value)) return Done{};
    if (path.part || (path.member_ids && from.op != PatchOp::remove))
        return Error{Refusal::member_immutable,
                     "a member of a group can be added and removed, not changed: use the "
                     "path \"members\""};
    if (from.op == PatchOp::remove && !path.member_ids && !value) {
        edits_.clear();
        return Done{};
    }
    auto ids = from.op == PatchOp::remove ? removed_members(path, value)
                                          : members_.read(value, MemberReader::Unknown::refuse);
    RETURN_IF_ERROR(ids);
    if (from.op == PatchOp::replace) edits_.clear();
    if (from.op == PatchOp::remove)
        edits_.remove(*ids, from.operation);
    else
        edits_.add(*ids, from.operation);
    return Done{};
}

// The ids of a remove that has a value or a filter. A value lists the members to remove. A filter
// selects members; if there is a value as well, only those that are also in the value.
Result<std::vector<Id>> PatchParser::removed_members(const Path &path, const json_t *value) {
    if (!path.member_ids || is_assigned(value)) RETURN_IF_ERROR(dialect_.remove_with_value());
    if (!path.member_ids) return members_.read(value, MemberReader::Unknown::skip);
    auto selected = members_.read(*path.member_ids, MemberReader::Unknown::skip);
    if (!selected || !is_assigned(value)) return selected;
    auto listed = members_.read(value, MemberReader::Unknown::skip);
    if (!listed) return listed;
    std::vector<Id> both;
    sort_members(*selected);
    sort_members(*listed);
    std::set_intersection(selected->begin(), selected->end(), listed->begin(), listed->end(),
                          std::back_inserter(both));
    return both;
}

}  // namespace scim
