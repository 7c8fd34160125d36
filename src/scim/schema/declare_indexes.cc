#include "scim/schema/declare_indexes.h"

#include <set>

namespace scim {

namespace {

Error no_attribute(const TypeView &type, const std::string &path) {
    std::string text = type.type.name + " has no attribute " + quoted(path);
    if (const Attr *meant = type.find_unprefixed(path).attr)
        text += "; expected \"" + meant->path + "\"";
    return Error{Refusal::configuration_invalid, text};
}

std::string sub_attribute_example(const Attr &complex) {
    return complex.subs.empty()
               ? std::string()
               : " such as \"" + complex.path + "." + complex.subs.front()->def->name + "\"";
}

bool is_unique(const Attr &attr) {
    return attr.stored() && attr.def->uniqueness != Uniqueness::none;
}

class IndexDeclaration {
  public:
    IndexDeclaration(const CatalogRows &before, std::vector<IndexDef> &indexes, bool retries)
        : indexes_(indexes),
          last_type_(largest_number(before.types)),
          last_attr_(largest_number(before.attrs)),
          retries_(retries) {}

    void declare(const TypeView &type, const Attr &attr, IndexKind kind, bool is_wanted);
    void declare_hidden(const TypeView &type);

  private:
    IndexDef *find(const TypeView &type, const Attr &attr, IndexKind kind);
    void change(IndexDef &index, bool unique) const;

    std::vector<IndexDef> &indexes_;
    TypeNumber last_type_;
    AttrNumber last_attr_;
    bool retries_;
};

IndexDef *IndexDeclaration::find(const TypeView &type, const Attr &attr, IndexKind kind) {
    for (IndexDef &index : indexes_)
        if (index.type == type.number && index.attr == attr.number && index.kind == kind)
            return &index;
    return nullptr;
}

void drop(IndexDef &index) {
    index.state = IndexState::dropping;
    index.declared = index.unique = false;
}

void IndexDeclaration::declare(const TypeView &type, const Attr &attr, IndexKind kind,
                               bool is_wanted) {
    const bool is_value = kind == IndexKind::value, unique = is_value && is_unique(attr);
    is_wanted |= is_value && is_indexed_always(type, attr);
    IndexDef *index = find(type, attr, kind);
    if (index != nullptr) {
        if (is_wanted)
            change(*index, unique);
        else
            drop(*index);
    } else if (is_wanted) {
        const bool may_have_values = type.number <= last_type_ && attr.number <= last_attr_;
        const auto state = may_have_values ? IndexState::building : IndexState::ready;
        indexes_.push_back(
            {next_number(indexes_), type.number, attr.number, unique, state, true, kind});
    }
}

void IndexDeclaration::change(IndexDef &index, bool unique) const {
    const bool is_new_rule = unique && !index.unique;
    index.declared = true;
    index.unique = unique;
    if (index.state == IndexState::dropping) return;
    if (index.state == IndexState::conflict && !unique) index.state = IndexState::ready;
    if (is_new_rule || (index.state == IndexState::conflict && retries_))
        index.state = IndexState::building;
}

// The indexes of attributes that are not declared now. Those of unique attributes are kept, so that
// the attributes are enforced at once when they are declared again.
void IndexDeclaration::declare_hidden(const TypeView &type) {
    for (IndexDef &index : indexes_)
        if (index.type == type.number && type.by_number(index.attr) == nullptr && !index.unique)
            drop(index);
}

}  // namespace

Result<const Attr *> attribute_of(const Catalog &catalog, const WantedIndex &wanted) {
    const TypeView *type = catalog.type_by_name(wanted.type);
    if (type == nullptr)
        return Error{Refusal::configuration_invalid,
                     "there is no resource type " + quoted(wanted.type)};
    const Attr *attr = type->find(wanted.attribute);
    if (attr == nullptr) return no_attribute(*type, wanted.attribute);
    const std::string name = quoted(wanted.attribute) + " of " + type->type.name;
    if (attr->hidden())
        return Error{Refusal::configuration_invalid,
                     name + " is never returned, so it cannot have an index"};
    if (attr->computed)
        return Error{Refusal::configuration_invalid,
                     name + " is computed by the server, so it cannot have an index"};
    if (attr->def->type == AttrType::complex)
        return Error{Refusal::configuration_invalid,
                     name + " is complex; expected one of its sub-attributes" +
                         sub_attribute_example(*attr)};
    const bool is_text =
        attr->def->type == AttrType::string || attr->def->type == AttrType::reference;
    if (wanted.kind == IndexKind::substring && !is_text)
        return Error{Refusal::configuration_invalid,
                     name + " is a " + std::string(to_string(attr->def->type)) +
                         ", which cannot have an index with type=substring"};
    // Such a leaf is an array (resource.h), which has no index rows.
    if (attr->parent != nullptr && attr->def->multi_valued)
        return Error{Refusal::configuration_invalid,
                     name + " is a multi-valued sub-attribute, which cannot have an index"};
    return attr;
}

bool is_indexed_always(const TypeView &type, const Attr &attr) {
    const bool is_key = &attr == type.external_id || &attr == type.find("emails.value");
    return is_unique(attr) || (is_key && attr.stored());
}

Result<std::vector<IndexDef>> declare_indexes(const CatalogRows &before, const Catalog &after,
                                              const std::vector<WantedIndex> &wanted,
                                              bool retries) {
    std::vector<IndexDef> indexes = before.indexes;
    std::set<std::pair<const Attr *, IndexKind>> attrs;
    for (const WantedIndex &index : wanted) {
        auto attr = attribute_of(after, index);
        RETURN_IF_ERROR(attr);
        attrs.emplace(*attr, index.kind);
    }
    IndexDeclaration declaration(before, indexes, retries);
    for (const auto &type : after.types()) {
        // Unique attributes first: messages name indexes in the order of their numbers.
        for (const bool unique : {true, false})
            for (const Attr &attr : type->attrs)
                if (is_unique(attr) == unique)
                    declaration.declare(*type, attr, IndexKind::value,
                                        attrs.count({&attr, IndexKind::value}) > 0);
        for (const Attr &attr : type->attrs)
            declaration.declare(*type, attr, IndexKind::substring,
                                attrs.count({&attr, IndexKind::substring}) > 0);
        declaration.declare_hidden(*type);
    }
    return indexes;
}

}  // namespace scim
