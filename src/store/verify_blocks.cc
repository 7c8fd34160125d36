#include "store/blocks.h"
#include "store/verification.h"

namespace scim::store {

namespace {

// Counts the resources of each block again. A row is checked within one snapshot.
class BlockVerifier {
  public:
    explicit BlockVerifier(Verification &v) : v_(v) {}
    void check_row(Bytes key, Bytes value);

  private:
    void check_before(const Id &first);
    void check_counts(const std::vector<Block> &blocks, const std::optional<Id> &end);
    void check_count(Cursor &resources, bool &more, const Block &block,
                     const std::optional<Id> &end);
    std::optional<Id> next_row(Bytes key);
    void wrong(const Id &first, std::string text) {
        v_.problem(Db::blocks, v_.name_of(tenant_, type_, first), std::move(text));
    }

    Verification &v_;
    TenantNumber tenant_ = 0;
    TypeNumber type_ = 0;
    std::string prefix_;  // tenant and type of the row, and of its resources
};

// The id at which the next row of the type begins; nothing if there is none.
std::optional<Id> BlockVerifier::next_row(Bytes key) {
    Cursor rows(v_.txn(), Db::blocks);
    if (!rows.seek(key) || !rows.next() || !starts_with(rows.key(), prefix_)) return std::nullopt;
    return id_at(rows.key(), prefix_.size());
}

void BlockVerifier::check_row(Bytes key, Bytes value) {
    const bool is_first = prefix_.empty() || !starts_with(key, prefix_);
    tenant_ = TenantNumber(read_be(key.data(), 4));
    type_ = TypeNumber(read_be(key.data() + 4, 2));
    prefix_ = key.substr(0, key.size() - id_size);
    const Id first = id_at(key, prefix_.size());
    const auto blocks = decode_blocks(value);
    if (!blocks) return wrong(first, "the row cannot be read");
    if (blocks->size() > row_most)
        wrong(first, "the row has " + std::to_string(blocks->size()) + " blocks, more than " +
                         std::to_string(row_most));
    if (blocks->front().first != first)
        return wrong(first, "the first block of the row begins at another id");
    if (is_first) check_before(first);
    check_counts(*blocks, next_row(key));
}

// Every resource is in a block.
void BlockVerifier::check_before(const Id &first) {
    Cursor resources(v_.txn(), Db::resources);
    if (resources.seek(prefix_) && starts_with(resources.key(), prefix_) &&
        id_at(resources.key(), prefix_.size()) < first)
        wrong(first, "there are resources before this first block");
}

void BlockVerifier::check_counts(const std::vector<Block> &blocks, const std::optional<Id> &end) {
    Cursor resources(v_.txn(), Db::resources);
    bool more = resources.seek(prefix_ + std::string(bytes_of(blocks.front().first)));
    for (size_t i = 0; i < blocks.size(); i++) {
        const auto next = i + 1 < blocks.size() ? std::optional(blocks[i + 1].first) : end;
        if (next && *next <= blocks[i].first)
            return wrong(blocks[i].first, "the next block begins at or before this one");
        check_count(resources, more, blocks[i], next);
    }
}

void BlockVerifier::check_count(Cursor &resources, bool &more, const Block &block,
                                const std::optional<Id> &end) {
    uint64_t count = 0;
    for (; more && starts_with(resources.key(), prefix_); more = resources.next(), count++) {
        if (end && id_at(resources.key(), prefix_.size()) >= *end) break;
        v_.note_read(resources.value().size());
    }
    if (count != block.count)
        wrong(block.first, "the block has " + std::to_string(count) + " resources, but counts " +
                               std::to_string(unsigned(block.count)));
    else if (count == 0 || count > block_most)
        wrong(block.first, "the block has " + std::to_string(count) + " resources, not 1 to " +
                               std::to_string(block_most));
}

}  // namespace

void verify_blocks(Verification &v) {
    BlockVerifier verifier(v);
    constexpr size_t key_size = 6 + id_size;
    v.each_tenant_row(Db::blocks, key_size, key_size,
                      [&](Bytes key, Bytes value) { verifier.check_row(key, value); });
}

}  // namespace scim::store
