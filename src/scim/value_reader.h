#pragma once
// A client's JSON value of one attribute as leaves: what POST, PUT and PATCH share. Types are
// checked, null and [] are unassigned (S-17), elements that are the same are one (S-13,
// same_element.h), a `primary` occurs once (S-11), and what only the server writes makes no leaf
// (S-24). A required string is not blank. Errors are 400 invalidValue and name the place: "emails[0].value".

#include <optional>
#include <string>
#include <vector>

#include "scim/catalog.h"
#include "scim/dialect.h"
#include "scim/json.h"
#include "scim/resource.h"
#include "scim/result.h"

namespace scim {

constexpr size_t max_elements = 10000;  // of one multi-valued attribute

class ValueReader {
  public:
    // What an object said about the stored parts of a complex attribute, beyond its leaves.
    struct Parts {
        bool named = false;    // it named one
        bool emptied = false;  // "" as a reference such as manager: the whole attribute goes
        std::vector<const Attr *> unassigned;  // those it gave as null or []
    };

    // Leaves are appended to those of `out`, by element and part. All three must outlive the reader.
    ValueReader(const TypeView &type, Dialect &dialect, Resource &out)
        : type_(type), dialect_(dialect), out_(out), parts_(type.attrs.size()) {}

    // REQUIRES below: `value` is assigned.

    // A top-level attribute of any kind; nothing of one that is computed or discarded.
    Outcome attribute(const Attr &attr, const json_t *value);
    // All elements of a multi-valued one, counted from 0.
    Outcome list(const Attr &attr, const json_t *value);
    // The same as what elements are known by: none is made one with another.
    Outcome descriptions(const Attr &attr, const json_t *value);
    // The parts of a singular complex attribute, or of one element of a multi-valued one, as element
    // 0.
    Outcome object(const Attr &attr, const json_t *value, Parts &parts);
    // A simple attribute that is not multi-valued, or a part of a complex one, as element 0.
    Outcome simple(const Attr &attr, const json_t *value);

  private:
    struct Place;

    // then(its place in the array, its first leaf) after each that has a leaf.
    template <class Then>
    Outcome each_element(const Attr &attr, const json_t *value, Then then);
    Outcome complex(const Attr &attr, const json_t *value, std::optional<size_t> place,
                    Parts *parts);
    Outcome collect_parts(const Attr &attr, const json_t *object);
    Result<const json_t *> unwrapped(const Attr &attr, const json_t *element);
    Json read_reference(const Attr &attr);
    void report_unused(const Attr &attr);
    Outcome part(const Attr &attr, const json_t *value, std::optional<size_t> place);
    Outcome scalar(const Place &place, const json_t *value, std::string &out);
    Outcome string(const Place &place, std::string_view value) const;
    Outcome check_size(const Attr &attr, const Elements &elements) const;

    void add_leaf(const Attr &attr) {
        out_.leaves.push_back({attr.number, element_, out_.keep(text_)});
    }

    const TypeView &type_;
    Dialect &dialect_;
    Resource &out_;
    std::vector<const json_t *> parts_;  // what an object has for a part, by rank
    uint32_t element_ = 0;               // of the leaf being made
    std::string text_;                   // of the leaf being made
};

}  // namespace scim
