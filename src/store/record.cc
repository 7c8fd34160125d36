#include "store/record.h"

#include <xxhash.h>

#include <array>
#include <cstring>

#include "scim/resource/reference.h"
#include "store/bytes.h"

namespace scim::store {

namespace {

constexpr size_t version_offset = 16, checksum_offset = record_header_size - 4;

uint32_t checksum_of(Bytes record) {
    XXH64_hash_t seed = XXH3_64bits(record.data(), checksum_offset);
    return uint32_t(XXH3_64bits_withSeed(record.data() + record_header_size,
                                         record.size() - record_header_size, seed));
}

// Appends the leaves that write_members() left out, because they are not declared, to a text that
// is stored after the body and not sent. Sets their extents.
std::string hide_undeclared(const std::vector<Leaf> &leaves, std::vector<Extent> &extents,
                            size_t body_size) {
    std::string hidden;
    for (size_t i = 0; i < leaves.size(); i++) {
        if (extents[i].length != 0) continue;
        extents[i] = {body_size + hidden.size(), leaves[i].json.size()};
        hidden += leaves[i].json;
    }
    return hidden;
}

std::string encode_table(const std::vector<Leaf> &leaves, const std::vector<Extent> &extents) {
    std::string table;
    table.reserve(leaves.size() * 3);
    AttrNumber attr = 0;
    uint32_t element = 0;
    size_t end = 0;
    for (size_t i = 0; i < leaves.size(); i++) {
        const Leaf &leaf = leaves[i];
        uint64_t element_step = leaf.element == element ? 0 : leaf.element == 0 ? 2 : 1;
        uint64_t step = zigzag(int64_t(leaf.attr) - attr);
        append_varint(table, (step * 3 + element_step) * 2 + has_escape(leaf.json));
        append_varint(table, extents[i].offset - end);
        append_varint(table, extents[i].length);
        attr = leaf.attr;
        element = leaf.element;
        end = extents[i].offset + extents[i].length;
    }
    return table;
}

// What a head of one byte says.
struct ShortHead {
    int8_t attr_step;
    uint8_t element_step;   // 1: the next element
    uint32_t element_mask;  // 0: element 0
};

constexpr std::array<ShortHead, 128> decode_short_heads() {
    std::array<ShortHead, 128> heads{};
    for (unsigned head = 0; head < heads.size(); head++) {
        const unsigned element_step = head / 2 % 3;
        heads[head] = {int8_t(unzigzag(head / 2 / 3)), uint8_t(element_step == 1),
                       element_step == 2 ? 0 : UINT32_MAX};
    }
    return heads;
}

constexpr std::array<ShortHead, 128> short_heads = decode_short_heads();

// Reads a leaf table. next() returns false at the end, and at the first damaged leaf; good() tells
// which.
class TableReader {
  public:
    TableReader(Bytes table, Bytes data)
        : at_(reinterpret_cast<const uint8_t *>(table.data())),
          end_(at_ + table.size()),
          data_(data) {}

    [[gnu::always_inline]] bool next(Leaf &leaf) {
        if (at_ == end_) return false;
        // Fast path: nearly all leaves have three single-byte values, and a full scan spends most
        // of its time here.
        if (end_ - at_ >= 3 && ((at_[0] | at_[1] | at_[2]) & 0x80) == 0) {
            const ShortHead &head = short_heads[at_[0]];
            const size_t begin = end_of_last_ + at_[1];
            attr_ += head.attr_step;
            element_ = (element_ + head.element_step) & head.element_mask;
            end_of_last_ = begin + at_[2];
            at_ += 3;
            if (end_of_last_ > data_.size() || uint32_t(attr_ - 1) >= UINT16_MAX)
                return good_ = false;
            leaf = {AttrNumber(attr_), element_, {data_.data() + begin, end_of_last_ - begin}};
            return true;
        }
        return next_long(leaf);
    }
    bool good() const { return good_; }

  private:
    [[gnu::noinline]] bool next_long(Leaf &leaf) {
        ByteReader in({reinterpret_cast<const char *>(at_), size_t(end_ - at_)});
        const uint64_t head = in.varint() / 2, gap = in.varint(), length = in.varint();
        at_ = end_ - in.left();
        const uint64_t element_step = head % 3, left = data_.size() - end_of_last_;
        const int64_t attr = attr_ + unzigzag(head / 3);
        if (in.failed() || attr <= 0 || attr > UINT16_MAX || gap > left || length > left - gap)
            return good_ = false;
        if (element_step != 0) element_ = element_step == 1 ? element_ + 1 : 0;
        attr_ = int32_t(attr);
        leaf = {AttrNumber(attr), element_, {data_.data() + end_of_last_ + gap, size_t(length)}};
        end_of_last_ += gap + length;
        return true;
    }

    const uint8_t *at_, *end_;
    Bytes data_;
    int32_t attr_ = 0;
    uint32_t element_ = 0;
    size_t end_of_last_ = 0;
    bool good_ = true;
};

uint8_t flags_of(const TypeView &type, const std::vector<Leaf> &leaves) {
    uint8_t flags = 0;
    for (const Leaf &leaf : leaves) {
        const Attr *attr = type.by_number(leaf.attr);
        if (attr == nullptr) continue;
        for (const Attr *a = attr; a != nullptr; a = a->parent)
            if (a->def->returned == Returned::never || a->def->returned == Returned::on_request)
                flags |= record_needs_projection;
        if (attr->parent == nullptr) continue;
        if (stored_ref(*attr) != nullptr) flags |= record_needs_projection;
        for (const Attr *sibling : attr->parent->subs)
            if (sibling->computed) flags |= record_computed_sibling;
    }
    return flags;
}

}  // namespace

std::string encode_record(const RecordHeader &header, const Catalog &catalog, const TypeView &type,
                          const std::vector<Leaf> &leaves) {
    constexpr size_t around_leaf = 16;  // bytes of a name and of brackets, for most leaves
    std::string body;
    body.reserve(bytes_of(leaves) + around_leaf * leaves.size());
    std::vector<Extent> extents;
    write_members(body, type, leaves, nullptr, &extents);
    std::string hidden = hide_undeclared(leaves, extents, body.size());
    std::string table = encode_table(leaves, extents);

    std::string out;
    out.reserve(record_header_size + table.size() + body.size() + hidden.size() + 4);
    out += char(record_format);
    out += char(flags_of(type, leaves) | (hidden.empty() ? 0 : record_hidden));
    append_le(out, 0, 2);
    append_le(out, table.size(), 4);
    append_le(out, catalog.epoch(), 4);
    append_le(out, extension_set(type, leaves), 4);
    out.append(record_header_size - version_offset, '\0');
    out += table;
    out += body;
    out += hidden;
    if (!hidden.empty()) append_le(out, hidden.size(), 4);
    stamp_record(out, header);
    return out;
}

std::string restamp_record(Bytes record, uint64_t version, int64_t modified) {
    std::string out(record);
    RecordHeader header = RecordView::peek(record)->header();
    header.version = version;
    header.modified = modified;
    stamp_record(out, header);
    return out;
}

void stamp_record(std::string &record, const RecordHeader &header) {
    std::string stamp;
    append_le(stamp, header.version, 8);
    append_le(stamp, uint64_t(header.created), 8);
    append_le(stamp, uint64_t(header.modified), 8);
    append_le(stamp, header.member_epoch, 4);
    record.replace(version_offset, stamp.size(), stamp);
    seal_record(record);
}

void seal_record(std::string &record) {
    uint32_t checksum = checksum_of(record);
    for (size_t i = 0; i < 4; i++) record[checksum_offset + i] = char(checksum >> i * 8);
}

std::optional<RecordView> RecordView::parse(Bytes bytes) {
    if (bytes.size() < record_header_size ||
        read_le(bytes.data() + checksum_offset, 4) != checksum_of(bytes))
        return std::nullopt;
    return peek(bytes);
}

std::optional<RecordView> RecordView::peek(Bytes bytes) {
    if (bytes.size() < record_header_size || uint8_t(bytes[0]) != record_format)
        return std::nullopt;
    const char *header = bytes.data();
    const uint64_t table_size = read_le(header + 4, 4);
    if (table_size > bytes.size() - record_header_size) return std::nullopt;
    RecordView view;
    view.header_ = {uint8_t(header[1]),
                    uint32_t(read_le(header + 8, 4)),
                    uint32_t(read_le(header + 12, 4)),
                    read_le(header + version_offset, 8),
                    int64_t(read_le(header + 24, 8)),
                    int64_t(read_le(header + 32, 8)),
                    uint32_t(read_le(header + 40, 4))};
    view.bytes_ = bytes;
    view.table_ = bytes.substr(record_header_size, table_size);
    view.data_ = view.body_ = bytes.substr(record_header_size + table_size);
    if ((view.header_.flags & record_hidden) == 0) return view;
    if (view.data_.size() < 4) return std::nullopt;
    view.data_.remove_suffix(4);
    uint64_t hidden_size = read_le(view.data_.data() + view.data_.size(), 4);
    if (hidden_size > view.data_.size()) return std::nullopt;
    view.body_ = view.data_.substr(0, view.data_.size() - hidden_size);
    return view;
}

bool RecordView::leaves(std::vector<Leaf> &out) const {
    TableReader table(table_, data_);
    Leaf leaf;
    while (table.next(leaf)) out.push_back(leaf);
    return table.good();
}

bool RecordView::leaves(std::vector<Leaf> &out, const AttrSet &wanted,
                        const AttrSet &behind) const {
    if (wanted.empty()) return true;
    TableReader table(table_, data_);
    Leaf leaf;
    while (table.next(leaf)) {
        if (behind.includes(leaf.attr)) return true;
        if (wanted.includes(leaf.attr)) out.push_back(leaf);
    }
    return table.good();
}

Bytes RecordView::first(AttrNumber attr) const {
    TableReader table(table_, data_);
    Leaf leaf;
    while (table.next(leaf))
        if (leaf.attr == attr) return leaf.json;
    return {};
}

}  // namespace scim::store
