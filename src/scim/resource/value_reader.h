#pragma once
// Reads the JSON value of one attribute into leaves, for POST, PUT and PATCH. Types are checked;
// null and [] mean unassigned (RFC 7643 2.5); elements that are the same are merged
// (element_index.h); at most one element is `primary` (RFC 7643 2.4); readOnly and computed
// attributes make no leaf; a required string must not be blank. Errors are 400 invalidValue and
// name the place, such as "emails[0].value".

#include <optional>
#include <string>
#include <vector>

#include "scim/resource/dialect.h"
#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"
#include "scim/text/json.h"
#include "scim/text/result.h"

namespace scim {

constexpr size_t max_elements = 10000;  // of one multi-valued attribute

class ValueReader {
  public:
    // What an object contains for the stored parts of a complex attribute, besides the leaves.
    struct Parts {
        bool named = false;    // it contains at least one of them
        bool emptied = false;  // "" for a reference such as manager: unassigns the whole attribute
        std::vector<const Attr *> unassigned;  // parts that are null or []
    };

    // Leaves are appended to those of `out`, in the order of elements and parts. All arguments must
    // outlive the reader.
    ValueReader(const TypeView &type, Dialect &dialect, Resource &out)
        : type_(type), dialect_(dialect), out_(out), parts_(type.attrs.size()) {}

    // All functions below REQUIRE: `value` is assigned (is_assigned()).

    // Reads a top-level attribute of any type. Computed and discarded attributes are ignored.
    Outcome read_attribute(const Attr &attr, const json_t *value);
    // Reads all elements of a multi-valued attribute, numbered from 0.
    Outcome read_list(const Attr &attr, const json_t *value);
    // The same for elements that describe which ones to remove: they are not merged.
    Outcome read_descriptions(const Attr &attr, const json_t *value);
    // Reads the parts of a singular complex attribute, or of one element of a multi-valued one, as
    // element 0.
    Outcome read_object(const Attr &attr, const json_t *value, Parts &parts);
    // Reads a simple attribute that is not multi-valued, or a part of a complex one, as element 0.
    Outcome read_simple(const Attr &attr, const json_t *value);

  private:
    struct Place;

    // Calls then(index in the array, index of its first leaf) after each element that has a leaf.
    template <class Then>
    Outcome each_element(const Attr &attr, const json_t *value, Then then);
    Outcome read_complex(const Attr &attr, const json_t *value, std::optional<size_t> place,
                         Parts *parts);
    Outcome collect_parts(const Attr &attr, const json_t *object);
    Result<const json_t *> unwrap(const Attr &attr, const json_t *element);
    Json read_reference(const Attr &attr);
    void report_unused(const Attr &attr);
    Outcome read_part(const Attr &attr, const json_t *value, std::optional<size_t> place);
    Outcome read_scalar(const Place &place, const json_t *value, std::string &out);
    Outcome check_string(const Place &place, std::string_view value) const;
    Outcome check_size(const Attr &attr, const Elements &elements) const;

    void add_leaf(const Attr &attr) {
        out_.leaves.push_back({attr.number, element_, out_.keep(text_)});
    }

    const TypeView &type_;
    Dialect &dialect_;
    Resource &out_;
    std::vector<const json_t *> parts_;  // the values of the parts in the current object, by rank
    uint32_t element_ = 0;               // element of the next leaf
    std::string text_;                   // text of the next leaf
};

}  // namespace scim
