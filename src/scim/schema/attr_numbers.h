#pragma once
// Attribute numbers by definition. Used only by catalog.cc, which looks numbers up, and declare.cc,
// which assigns them.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "scim/schema/catalog.h"

namespace scim {

class AttrNumbers {
  public:
    explicit AttrNumbers(const std::vector<CatalogRows::AttrRow> &rows);

    void add(const CatalogRows::AttrRow &row);
    // `path` is relative to the schema: "name.familyName". no_attr if the definition has no number.
    AttrNumber find(std::string_view schema, std::string_view path, const Attribute &def) const;

  private:
    std::map<std::string, AttrNumber, std::less<>> by_definition_;
};

// "name" or "name.familyName".
std::string local_path(const Attribute *parent, const Attribute &def);

// The attributes of a base schema without the common attributes of RFC 7643 3.1, whose definitions
// there override any schema that lists them.
std::vector<const Attribute *> own_attributes(const Schema &base);

}  // namespace scim
