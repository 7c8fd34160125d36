#pragma once
// What a directory knows of its own shape: schemas, resource types, attribute numbers and indexes.
//
// CatalogRows is that knowledge as the store keeps it, row by row;
// declare() is the only thing that changes it, and only ever by adding:
// a number, once given, means one (schema, path, type, multiValued, caseExact) for ever.
// Catalog is the same knowledge made ready for use: immutable, shared between threads,
// valid for one epoch. Attr, TypeView and IndexDef pointers live as long as their Catalog.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/attr_set.h"
#include "scim/schema.h"
#include "scim/text.h"

namespace scim {

using AttrNumber = uint16_t;
using TypeNumber = uint16_t;
constexpr AttrNumber no_attr = 0;      // numbers start at 1
constexpr size_t max_extensions = 31;  // of one resource type, dropped ones included

enum class IndexState : uint8_t { building, ready, conflict, dropping };
std::string_view to_string(IndexState state);

struct IndexDef {
    uint16_t number = 0;
    TypeNumber type = 0;
    AttrNumber attr = 0;
    bool unique = false;
    IndexState state = IndexState::ready;
};

struct CatalogRows {
    struct SchemaRow {
        uint16_t number = 0;
        Schema schema;
        bool declared = true;  // an undeclared one is kept: its data is hidden, not lost
    };
    struct TypeRow {
        TypeNumber number = 0;
        ResourceType type;
        // Append-only: the place of a URN here is its bit in a record's extension set.
        std::vector<std::string> extension_bits;
        bool declared = true;
    };
    struct AttrRow {
        AttrNumber number = 0;
        std::string schema;  // URN, empty for RFC 7643 3.1's common attributes
        std::string path;    // "name", "name.familyName"
        Type type = Type::string;
        bool multi_valued = false;
        bool case_exact = false;
    };

    uint32_t epoch = 0;  // grows with every change; 0: nothing declared yet
    uint32_t shape_epoch =
        0;  // the last epoch at which stored bodies stopped being presentable as they are
    uint64_t generation = 0;  // of the configuration that declared last
    std::string unicode;      // text.h unicode_version() at creation
    std::vector<SchemaRow> schemas;
    std::vector<TypeRow> types;
    std::vector<AttrRow> attrs;
    std::vector<IndexDef> indexes;
};

// An attribute as one resource type has it.
struct Attr {
    AttrNumber number = no_attr;
    const Attribute *def = nullptr;
    const Attr *parent = nullptr;  // the complex attribute it is part of
    uint16_t rank = 0;             // its place in canonical order; parents precede their parts
    int8_t extension = -1;         // its bit in the type's extension set, -1 for core attributes
    bool computed = false;  // made when sent, never stored: schemas, id, meta, groups, members, …
    bool discarded = false;  // accepted, never stored: password (this server keeps none)
    Matching matching = Matching::folded;
    const IndexDef *index = nullptr;
    std::string path;  // as a client names it: "name.familyName", "urn:…:User:department"
    std::vector<const Attr *> subs;  // of a complex attribute, in order

    // Shown to nobody, in no answer and no log (S-24, S-25): as itself or as part of what is not.
    bool never_returned() const {
        return def->returned == Returned::never || def->mutability == Mutability::write_only ||
               (parent && parent->never_returned());
    }
    // Shown to a client that asks for nothing (RFC 7643 7, "returned").
    bool shown_by_default() const {
        return !never_returned() && is_default(*def) && (!parent || is_default(*parent->def));
    }
    // Shown whatever a client asks for. A part that is always returned stays away with a complex
    // attribute that is returned on request only.
    bool shown_always() const { return def->returned == Returned::always && shown_by_default(); }
    static bool is_default(const Attribute &def) {
        return def.returned == Returned::by_default || def.returned == Returned::always;
    }
    // A multi-valued attribute of simple values. Each is its own part `value` (RFC 7643 2.4).
    bool has_simple_elements() const {
        return !parent && def->multi_valued && def->type != Type::complex;
    }
    bool stored() const { return !computed && !discarded && def->type != Type::complex; }
};

class TypeView {
  public:
    TypeNumber number = 0;
    ResourceType type;
    std::vector<std::string> extension_bits;  // URN by bit
    std::deque<Attr> attrs;                   // by rank

    // The attribute a client names by `path`, in any case:
    // "userName", "name.familyName", URN-qualified forms (RFC 7644 3.10), "tags.value" for "tags",
    // never an extension by its URN alone. nullptr if there is none.
    const Attr *find(std::string_view path) const;
    // A top-level member of a body, by name.
    const Attr *find_core(std::string_view name) const;
    // The bit of an extension by its URN in any case, -1 if the type has no such extension now.
    int find_extension(std::string_view urn) const;
    const Attr *find_in_extension(int bit, std::string_view name) const;
    // An extension's attribute, or a part of one, by its path without the URN (2.8). `several`: the
    // first of those that more than one extension has.
    struct Unprefixed {
        const Attr *attr = nullptr;
        bool several = false;
    };
    Unprefixed find_unprefixed(std::string_view path) const;
    static const Attr *find_sub(const Attr &complex, std::string_view name);
    // A part of an element of `attr`: the same, or `attr` itself for `value` if its elements are
    // simple.
    static const Attr *find_part(const Attr &attr, std::string_view name);
    // nullptr if the number is not declared for this type now.
    const Attr *by_number(AttrNumber number) const {
        return number < by_number_.size() ? by_number_[number] : nullptr;
    }
    // All attribute numbers of this type are below.
    size_t numbers_end() const { return by_number_.size(); }
    const ResourceType &resource_type() const { return type; }
    bool extension_required(int bit) const;

    // Attributes that have a role of their own; nullptr if the type lacks one.
    const Attr *schemas = nullptr, *id = nullptr, *meta = nullptr, *external_id = nullptr;
    const Attr *display_name = nullptr, *user_name = nullptr;  // what references show it by
    const Attr *members = nullptr;  // of a Group: rows of the store, never leaves of a record
    const Attr *groups = nullptr;   // of a User: made from those rows
    const Attr *manager = nullptr;  // of a User: its $ref and displayName are made when it is sent

    // By rank: what Attr says of each. A complex attribute is shown always if a part of it is.
    AttrSet shown_by_default, shown_always, stored;

  private:
    friend class Catalog;
    friend class CatalogBuilder;
    std::map<std::string, const Attr *, std::less<>> by_path_;  // lower case, qualified and not
    std::map<std::string, int, std::less<>> extension_by_urn_;  // lower case
    std::vector<const Attr *> by_number_;
};

class Catalog {
  public:
    // An error means rows that no declare() wrote: the detail says which.
    static Result<std::shared_ptr<const Catalog>> build(CatalogRows rows);

    uint32_t epoch() const { return rows_.epoch; }
    uint32_t shape_epoch() const { return rows_.shape_epoch; }
    const CatalogRows &rows() const { return rows_; }

    const std::vector<std::unique_ptr<TypeView>> &types() const { return types_; }
    const TypeView *type_by_endpoint(std::string_view segment) const;  // "Users", in this case only
    const TypeView *type_by_name(std::string_view name) const;         // "User"
    const TypeView *type_by_number(TypeNumber number) const;
    const TypeView *group_type() const { return group_type_; }  // the one with members; or nullptr
    // The declared schemas, in the order of their numbers; by URN in any case.
    const std::vector<const Schema *> &schemas() const { return schemas_; }
    const Schema *schema(std::string_view urn) const;
    // Those of one resource type, whatever their state.
    std::vector<const IndexDef *> indexes(TypeNumber type) const;

  private:
    friend class CatalogBuilder;
    CatalogRows rows_;
    std::vector<std::unique_ptr<TypeView>> types_;
    std::vector<const Schema *> schemas_;
    const TypeView *group_type_ = nullptr;
};

// The attributes of every resource, which are part of no schema
// (RFC 7643 3.1, S-32): schemas, id, externalId, meta.
const std::vector<Attribute> &common_attributes();

// What a configuration wants the directory to be: the built-in definitions and its own.
struct Declaration {
    uint64_t generation = 0;  // of the configuration; larger is newer
    std::vector<Schema> schemas;
    std::vector<ResourceType> types;
};

// The built-in definitions plus `definitions`. A Schema whose URN ends in ":<Name>" of a resource
// type and that no ResourceType names extends that type, not required (the RFC's own convention for
// extension URNs). A ResourceType of a known name adds its schemaExtensions to the known ones. The
// detail of an error quotes the URN or name.
Result<Declaration> make_declaration(uint64_t generation,
                                     const std::vector<Definition> &definitions);

// The rows after `declaration`; nothing if they are as it wants them already, or if the directory
// was declared by a newer generation. Never removes a row; what is no longer declared is marked.
// Errors: more attributes than numbers, more than 31 extensions of a type.
Result<std::optional<CatalogRows>> declare(const CatalogRows &rows, const Declaration &declaration);

}  // namespace scim
