#pragma once
// A resource as it lies in the store:
// a header, a table of its leaves, and its body, ready to be sent.
//
//     record := header table body [hidden hidden_size:u32]          numbers little-endian
//     header := format:u8 flags:u8 reserved:u16 table_size:u32 epoch:u32 extensions:u32
//               version:u64 created:i64 modified:i64 member_epoch:u32 checksum:u32   48 bytes
//     table  := leaf*
//     leaf   := head:varint gap:varint length:varint
//     head   := (zigzag(attr_step) * 3 + element_step) * 2 + escaped
//     body   := the members of the resource's JSON object, canonical, without braces
//     hidden := the texts of leaves whose attributes are not declared now
//               (flag 4 says that it is there)
//
// `attr_step` is the attribute number less that of the leaf before (the first leaf counts from 0).
// `element_step` is 0 for the element of the leaf before, 1 for the one after it, 2 for element 0.
// `gap` counts the bytes between the end of the leaf before (the start of the body for the first)
// and this leaf's text. `escaped`: the text is a string with an escape. A typical leaf takes three
// bytes, and the table can be read without the catalog: leaves of attributes that are no longer
// declared have their place like any other.
//
// `epoch` is the catalog's when the record was written. `extensions` has a bit for each extension
// with a leaf. `version` is the position of the resource's last change; `created` and `modified`
// are milliseconds since 1970. `checksum` is the low half of XXH3-64 over table and body, seeded
// with XXH3-64 over the 44 bytes before it.
//
// `schemas`, `id`, `meta`, `groups` and `members` are not stored:
// they are made when the resource is sent.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scim/catalog.h"
#include "scim/resource.h"
#include "store/lmdb.h"

namespace scim::store {

constexpr uint8_t record_format = 1;
constexpr size_t record_header_size = 48;

enum RecordFlag : uint8_t {
    record_needs_projection = 1,  // a leaf is not returned by default: the body must not be copied
    record_computed_sibling = 2,  // a leaf has a computed sibling (manager.displayName)
    record_hidden = 4,            // there are leaves that are kept but not shown
};

struct RecordHeader {
    uint8_t flags = 0;
    uint32_t epoch = 0;
    uint32_t extensions = 0;
    uint64_t version = 0;
    int64_t created = 0;   // milliseconds
    int64_t modified = 0;  // milliseconds
    uint32_t member_epoch = 0;
};

// `flags`, `epoch` and `extensions` are set from the catalog and the leaves;
// the rest is the caller's. Leaves that `type` does not declare are kept as hidden ones.
// REQUIRES: leaves in canonical order.
std::string encode_record(RecordHeader header, const Catalog &catalog, const TypeView &type,
                          const Resource &resource);

// The same resource after a change that is not in its record: a Group that a member has left.
std::string restamp_record(Bytes record, uint64_t version, int64_t modified);

// Sets the checksum of a record whose other bytes are final.
// REQUIRES: at least a header.
void seal_record(std::string &record);

// A record in the map. Every bound is checked:
// bytes that no encode_record() wrote are refused, never followed.
class RecordView {
  public:
    // Nothing if the record is damaged: wrong format, bounds or checksum.
    static std::optional<RecordView> parse(Bytes bytes);
    // The same without a look at the checksum, for who looks at a million records and shows what it
    // finds by parse().
    static std::optional<RecordView> peek(Bytes bytes);

    const RecordHeader &header() const { return header_; }
    Bytes body() const { return body_; }
    Bytes bytes() const { return bytes_; }  // the whole record
    // The leaves in stored order, hidden ones last, appended; false if the table is damaged.
    bool leaves(std::vector<Leaf> &out) const;
    // Only those of `wanted` attributes. An attribute of `behind` ends the walk: it stands behind
    // all that are wanted. Both are sets of numbers.
    bool leaves(std::vector<Leaf> &out, const AttrSet &wanted, const AttrSet &behind) const;
    // The text of an attribute's first leaf, empty if there is none.
    Bytes first(AttrNumber attr) const;

  private:
    RecordHeader header_;
    Bytes bytes_, table_, body_, data_;  // data_: body and hidden texts
};

}  // namespace scim::store
