#pragma once
// The stored form of a resource: a header, a table of its leaves, and its JSON body, which can be
// sent as it is.
//
//     record := header table body [hidden hidden_size:u32]          numbers little-endian
//     header := format:u8 flags:u8 reserved:u16 table_size:u32 epoch:u32 extensions:u32
//               version:u64 created:i64 modified:i64 member_epoch:u32 checksum:u32   48 bytes
//     table  := leaf*
//     leaf   := head:varint gap:varint length:varint
//     head   := (zigzag(attr_step) * 3 + element_step) * 2 + escaped
//     body   := the members of the resource's JSON object, canonical, without braces
//     hidden := the texts of leaves whose attributes are no longer declared; present if flag 4 is
//               set
//
// `attr_step` is the attribute number minus that of the previous leaf (0 before the first leaf).
// `element_step` is 0 for the same element as the previous leaf, 1 for the next element, 2 for
// element 0. `gap` is the number of bytes between the end of the previous leaf's text (for the
// first leaf, the start of the body) and this leaf's text. `escaped` is 1 if the text is a string
// with an escape. A typical leaf takes three bytes. The table can be read without the catalog:
// leaves of attributes that are no longer declared are included.
//
// `epoch` is the catalog's epoch when the record was written. `extensions` has a bit for each
// extension with a leaf. `version` is the position of the resource's last change. `created` and
// `modified` are milliseconds since 1970. `checksum` is the low half of XXH3-64 over everything
// after the header, seeded with XXH3-64 over the header's first 44 bytes.
//
// `schemas`, `id`, `meta`, `groups` and `members` are not stored; they are generated when the
// resource is sent.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"
#include "store/lmdb.h"

namespace scim::store {

constexpr uint8_t record_format = 1;
constexpr size_t record_header_size = 48;

enum RecordFlag : uint8_t {
    // A leaf is not returned by default, or has a stored `$ref` beside it, which is computed: do not
    // send the body as it is.
    record_needs_projection = 1,
    record_computed_sibling = 2,  // a leaf has a computed sibling (manager.displayName)
    record_hidden = 4,            // the record has hidden leaves
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

// Sets `flags`, `epoch` and `extensions` from the catalog and the leaves; takes the rest of the
// header from `header`. Leaves that `type` does not declare are kept as hidden leaves. REQUIRES:
// the leaves are in canonical order.
std::string encode_record(const RecordHeader &header, const Catalog &catalog, const TypeView &type,
                          const std::vector<Leaf> &leaves);

// Sets the version, the times and the member epoch of a record, and its checksum. REQUIRES: the
// record has a header.
void stamp_record(std::string &record, const RecordHeader &header);

// A copy of the record with another version and modification time, for a change that the record
// does not contain: a member of the Group was deleted. REQUIRES: the record is not damaged.
std::string restamp_record(Bytes record, uint64_t version, int64_t modified);

// Sets the checksum of a record whose other bytes are final. REQUIRES: the record has a header.
void seal_record(std::string &record);

// A record in the map. Every bound is checked: a damaged record never causes a read outside it.
class RecordView {
  public:
    // Nothing if the record is damaged: wrong format, bounds or checksum.
    static std::optional<RecordView> parse(Bytes bytes);
    // Like parse(), but does not verify the checksum: for scans of many records, which parse() the
    // records that match.
    static std::optional<RecordView> peek(Bytes bytes);

    const RecordHeader &header() const { return header_; }
    Bytes body() const { return body_; }
    Bytes bytes() const { return bytes_; }  // the whole record
    // Appends the leaves in stored order, hidden ones last; false if the table is damaged.
    bool leaves(std::vector<Leaf> &out) const;
    // Appends only the leaves of the attributes in `wanted`. The first leaf of an attribute in
    // `behind` ends the walk. REQUIRES: attributes in `behind` come after those in `wanted`.
    bool leaves(std::vector<Leaf> &out, const AttrSet &wanted, const AttrSet &behind) const;
    // The JSON text of an attribute's first leaf; empty if there is none.
    Bytes first(AttrNumber attr) const;

  private:
    RecordHeader header_;
    Bytes bytes_, table_, body_, data_;  // data_: body and hidden texts
};

}  // namespace scim::store
