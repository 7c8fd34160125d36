#pragma once
// The catalog of a store: schemas, resource types, attribute numbers and indexes.
//
// CatalogRows holds the rows as they are stored. Only declare() changes them. It never removes a
// row, so that an attribute number always means the same (schema, path, type, multiValued,
// caseExact).
// Catalog is built from the rows of one epoch. It is immutable and shared between threads. Pointers
// to Attr, TypeView and IndexDef are valid as long as their Catalog.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/schema/attr_set.h"
#include "scim/schema/schema.h"
#include "scim/text/matching_key.h"

namespace scim {

using AttrNumber = uint16_t;
using TypeNumber = uint16_t;
constexpr AttrNumber no_attr = 0;      // numbers start at 1
constexpr size_t max_extensions = 31;  // of one resource type, dropped ones included
constexpr size_t max_types = 64;       // declared at the same time
constexpr size_t max_unique = 16;      // unique attributes of one resource type
constexpr size_t max_wanted = 16;      // of Declaration::indexes, of one resource type

// An index is built if values of its attribute may be stored already when it is declared, and
// dropped if it is not declared any more. Every write keeps the rows of all indexes, also of those
// that are being built and of those of unique attributes that are not declared any more.
enum class IndexState : uint8_t {
    building,  // resources that were written before the index was declared may lack rows
    ready,
    conflict,  // has all rows; should be unique, but resources have the same value
    dropping,  // not maintained; its rows are being deleted
};
std::string_view to_string(IndexState state);

// An attribute may have one index of each kind.
enum class IndexKind : uint8_t {
    value,      // for eq, sw, ranges and sorting
    substring,  // for co, sw and ew: scim_index … type=substring
};
std::string_view to_string(IndexKind kind);

struct IndexDef {
    uint16_t number = 0;
    TypeNumber type = 0;
    AttrNumber attr = 0;
    bool unique = false;
    IndexState state = IndexState::ready;
    // False: no configuration wants it, and its row is removed when it has been dropped. An index
    // that is declared again while it is being dropped is built when it has been dropped.
    bool declared = true;
    IndexKind kind = IndexKind::value;

    // No two resources have the same value.
    bool is_enforced() const { return unique && state == IndexState::ready; }
    // A write of a value that has a row of another resource is refused. While the index is built,
    // this leaves only the conflicts of values that were stored before.
    bool refuses_duplicates() const {
        return unique && (state == IndexState::ready || state == IndexState::building);
    }
    bool operator==(const IndexDef &other) const {
        return number == other.number && type == other.type && attr == other.attr &&
               unique == other.unique && state == other.state && declared == other.declared &&
               kind == other.kind;
    }
};

struct CatalogRows {
    struct SchemaRow {
        uint16_t number = 0;
        Schema schema;
        bool declared = true;  // false: no longer declared; kept, because its data is only hidden
    };
    struct TypeRow {
        TypeNumber number = 0;
        ResourceType type;
        // Append-only: the index of a URN in this list is its bit in a record's extension set.
        std::vector<std::string> extension_bits;
        bool declared = true;
    };
    struct AttrRow {
        AttrNumber number = 0;
        std::string schema;  // URN, empty for the common attributes of RFC 7643 3.1
        std::string path;    // "name", "name.familyName"
        AttrType type = AttrType::string;
        bool multi_valued = false;
        bool case_exact = false;
    };

    uint32_t epoch = 0;  // incremented by every change; 0: nothing declared yet
    // Bodies stored before this epoch cannot be sent as they are stored.
    uint32_t shape_epoch = 0;
    uint64_t generation = 0;  // of the configuration that was declared last
    std::string unicode;      // unicode_version() (text.h) when the store was created
    std::vector<SchemaRow> schemas;
    std::vector<TypeRow> types;
    std::vector<AttrRow> attrs;
    std::vector<IndexDef> indexes;
};

// An attribute of one resource type.
struct Attr {
    AttrNumber number = no_attr;
    const Attribute *def = nullptr;
    const Attr *parent = nullptr;  // the complex attribute of a sub-attribute
    uint16_t rank = 0;             // position in canonical order; parents precede their parts
    int8_t extension = -1;         // bit of its extension in the type's set, -1 for core attributes
    // The server computes the values when a resource is sent and stores none: schemas, id, meta,
    // groups, members, …
    bool computed = false;
    bool discarded = false;  // accepted and not stored: password
    Matching matching = Matching::folded;
    const IndexDef *index = nullptr;      // of the kind `value`
    const IndexDef *substring = nullptr;  // of the kind `substring`
    std::string path;                // for clients: "name.familyName", "urn:…:User:department"
    std::vector<const Attr *> subs;  // sub-attributes of a complex attribute, in order

    // The top-level attribute: its complex attribute, or itself.
    const Attr &top() const { return parent ? *parent : *this; }
    // Never in a response or a log (RFC 7643 7, "returned" and "mutability"): by its own definition
    // or by that of its parent.
    bool never_returned() const {
        return def->returned == Returned::never || def->mutability == Mutability::write_only ||
               (parent && parent->never_returned());
    }
    // A filter on it, or sorting by it, would reveal a value that is never returned.
    bool hidden() const { return never_returned() || discarded || (parent && parent->hidden()); }
    // Returned if the request names no attributes (RFC 7643 7, "returned").
    bool shown_by_default() const {
        return !never_returned() && is_default(*def) && (!parent || is_default(*parent->def));
    }
    // Returned whatever the request names. A sub-attribute that is always returned is not, if its
    // complex attribute is returned on request only.
    bool shown_always() const { return def->returned == Returned::always && shown_by_default(); }
    static bool is_default(const Attribute &def) {
        return def.returned == Returned::by_default || def.returned == Returned::always;
    }
    // A multi-valued attribute of simple values. Each value is its own part `value` (RFC 7643 2.4).
    bool has_simple_elements() const {
        return !parent && def->multi_valued && def->type != AttrType::complex;
    }
    bool stored() const { return !computed && !discarded && def->type != AttrType::complex; }
};

class TypeView {
  public:
    TypeNumber number = 0;
    ResourceType type;
    std::vector<std::string> extension_bits;  // URN by bit
    std::deque<Attr> attrs;                   // by rank

    // The attribute of the path, in any case: "userName", "name.familyName", URN-qualified forms
    // (RFC 7644 3.10), "tags.value" for "tags". The URN of an extension is not such a path. nullptr
    // if there is no such attribute.
    const Attr *find(std::string_view path) const;
    // A top-level attribute that is not in an extension, by its name.
    const Attr *find_core(std::string_view name) const;
    // The bit of an extension by its URN in any case, -1 if the type has no such extension now.
    int find_extension(std::string_view urn) const;
    // A top-level attribute of the extension `bit`, by its name.
    const Attr *find_in_extension(int bit, std::string_view name) const;
    // An attribute of an extension, or a part of one, by its path without the URN, as some clients
    // send it. `ambiguous`: more than one extension has such an attribute; `attr` is the first.
    struct Unprefixed {
        const Attr *attr = nullptr;
        bool ambiguous = false;
    };
    Unprefixed find_unprefixed(std::string_view path) const;
    static const Attr *find_sub(const Attr &complex, std::string_view name);
    // A part of an element of `attr`: a sub-attribute, or, for `value`, `attr` itself if its
    // elements are simple.
    static const Attr *find_part(const Attr &attr, std::string_view name);
    // nullptr if the number is not declared for this type now.
    const Attr *by_number(AttrNumber number) const {
        return number < by_number_.size() ? by_number_[number] : nullptr;
    }
    // The same, or the attribute of an index whose attribute is not declared now. Such an Attr has
    // only what index rows depend on: number, def->type, matching, index and path.
    const Attr *indexed(AttrNumber number) const;
    // Greater than every attribute number of this type.
    size_t numbers_end() const { return by_number_.size(); }
    const ResourceType &resource_type() const { return type; }
    // The names of the resource types that `members` may refer to; empty if the type has no
    // members.
    const std::vector<std::string> &member_types() const;
    bool extension_required(int bit) const;

    // Attributes that the server treats specially; nullptr if the type does not have one.
    const Attr *schemas = nullptr, *id = nullptr, *meta = nullptr, *external_id = nullptr;
    const Attr *display_name = nullptr, *user_name = nullptr;  // the `display` of references
    const Attr *active = nullptr;                              // of a user: whether it may be used
    const Attr *members = nullptr;  // rows of the store, never leaves of a record
    const Attr *groups = nullptr;   // computed from those rows
    const Attr *manager = nullptr;  // its $ref and displayName are computed

    // By rank: the attributes for which the function of the same name in Attr is true. A complex
    // attribute is also in shown_always if one of its parts is; so are the parts of a complex
    // attribute that is always returned, if they are returned by default.
    AttrSet shown_by_default, shown_always, stored;

  private:
    friend class Catalog;
    friend class CatalogBuilder;
    std::map<std::string, const Attr *, std::less<>> by_path_;  // lower case, qualified and not
    std::map<std::string, int, std::less<>> extension_by_urn_;  // lower case
    std::vector<const Attr *> by_number_;
    std::deque<Attribute> undeclared_defs_;
    std::deque<Attr> undeclared_;  // attributes of indexes
};

class Catalog {
  public:
    // Fails with 500 if declare() cannot have written these rows; the detail names the row.
    static Result<std::shared_ptr<const Catalog>> build(CatalogRows rows);

    uint32_t epoch() const { return rows_.epoch; }
    uint32_t shape_epoch() const { return rows_.shape_epoch; }
    const CatalogRows &rows() const { return rows_; }

    const std::vector<std::unique_ptr<TypeView>> &types() const { return types_; }
    const TypeView *type_by_endpoint(std::string_view segment) const;  // "Users", case-sensitive
    const TypeView *type_by_name(std::string_view name) const;         // "User", case-sensitive
    const TypeView *type_by_number(TypeNumber number) const;
    // The types that have members.
    const std::vector<const TypeView *> &group_types() const { return group_types_; }
    // The numbers of types that are not declared now; they may have resources.
    const std::vector<TypeNumber> &undeclared_types() const { return undeclared_types_; }
    // The indexes that are being dropped, or built for a declared type.
    const std::vector<const IndexDef *> &unfinished() const { return unfinished_; }
    // The declared schemas, in the order of their numbers; schema() takes a URN in any case. They
    // are as published: "uniqueness" is "none" where it is not enforced (IndexDef::is_enforced()).
    const std::vector<const Schema *> &schemas() const { return schemas_; }
    const Schema *schema(std::string_view urn) const;
    // The indexes of one resource type, in any state.
    std::vector<const IndexDef *> indexes(TypeNumber type) const;

  private:
    friend class CatalogBuilder;
    CatalogRows rows_;
    std::vector<std::unique_ptr<TypeView>> types_;
    std::vector<const Schema *> schemas_;
    std::vector<const TypeView *> group_types_;
    std::vector<TypeNumber> undeclared_types_;
    std::vector<const IndexDef *> unfinished_;
    std::deque<Schema> published_;  // those that differ from their rows
};

// The attributes that every resource has and that belong to no schema (RFC 7643 3.1): schemas, id,
// externalId, meta.
const std::vector<Attribute> &common_attributes();

// An index that a configuration asks for (scim_index).
struct WantedIndex {
    std::string type;       // the name of the resource type: "User"
    std::string attribute;  // its path: "name.familyName", "urn:…:User:department"
    IndexKind kind = IndexKind::value;
};

// The schemas and resource types of a configuration, the built-in ones included, and the indexes
// beside the built-in ones.
struct Declaration {
    uint64_t generation = 0;  // of the configuration; larger is newer
    std::vector<Schema> schemas;
    std::vector<ResourceType> types;
    std::vector<WantedIndex> indexes;
};

// The attribute of the index. The detail of an error is a sentence that names the attribute: the
// type or the attribute does not exist, or the attribute has no values that an index of this kind can
// hold or may show.
Result<const Attr *> attribute_of(const Catalog &catalog, const WantedIndex &wanted);
// True if the attribute has an index of the kind `value` without being in Declaration::indexes: it is
// unique, or clients look resources up by it.
bool is_indexed_always(const TypeView &type, const Attr &attr);

// The built-in definitions plus `definitions`. A Schema that no ResourceType names, and whose URN
// ends in ":" and the name of a resource type, becomes an extension of that type that is not
// required (RFC 7643 names its extensions in this way). A ResourceType with a known name adds its
// schemaExtensions to the known type. A type whose schema has `groups` (roles.h) may be a member of
// the built-in types that `groups` refers to. The detail of an error quotes the URN or name.
Result<Declaration> make_declaration(uint64_t generation,
                                     const std::vector<Definition> &definitions);

// The rows after `declaration`; nullopt if that changes nothing, or if `rows` are of a newer
// generation. Rows are not removed; those no longer declared are marked. Fails if there are more
// attributes than numbers, more than `max_extensions` extensions of a type, or if attribute_of() an
// index fails. A new index is ready at once if no value can be stored yet; otherwise it is built. A
// newer declaration builds indexes in conflict again. An index that is not declared any more is
// dropped, unless its attribute is unique and only hidden.
Result<std::optional<CatalogRows>> declare(const CatalogRows &rows, const Declaration &declaration);

}  // namespace scim
