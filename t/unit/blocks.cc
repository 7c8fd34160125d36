// Tests that blocks of ids count the resources that there are, whatever was created and deleted; that
// the n-th resource is found by them; and that blocks and rows stay within their bounds.

#include "store/blocks.h"

#include <algorithm>
#include <random>
#include <set>

#include "fixture.h"
#include "store/directory.h"

using namespace scim;
using namespace scim::store;

namespace {

constexpr TypeNumber type = 1;
constexpr TenantNumber tenant = 7;

Id id_of(uint64_t n) {
    Id id{};
    for (int i = 0; i < 8; i++) id[size_t(i)] = uint8_t(n >> (56 - 8 * i));
    id[15] = 1;
    return id;
}

// The resources of one type, and the same ids in memory.
class Model {
  public:
    explicit Model(Env &env) : txn_(env) {
        // Neighbours in the database, which belong to other tenants and types.
        for (auto [t, other] :
             {std::pair(tenant - 1, type), std::pair(tenant, TypeNumber(type + 1)),
              std::pair(tenant + 1, type)})
            for (uint64_t n : {1, 2, 3}) put(t, other, id_of(n));
    }

    void create(uint64_t n) {
        if (!ids.insert(id_of(n)).second) return;
        put(tenant, type, id_of(n));
    }
    void remove(uint64_t n) { remove(id_of(n)); }
    void remove(Id id) {  // a copy: `id` may be an element of `ids`
        if (ids.erase(id) == 0) return;
        txn_.del(Db::resources, resource_key(tenant, type, id));
        remove_from_blocks(txn_, tenant, type, id);
    }

    // The blocks of all rows; `rows` is set to their number. `wrong` says what contradicts blocks.h.
    std::vector<Block> blocks(size_t &rows, std::string &wrong) {
        std::vector<Block> all;
        const Key prefix = resource_prefix(tenant, type);
        rows = 0;
        Cursor cursor(txn_, Db::blocks);
        for (bool more = cursor.seek(prefix); more && starts_with(cursor.key(), prefix);
             more = cursor.next(), rows++) {
            auto row = decode_blocks(cursor.value());
            if (!row || row->empty() || row->size() > row_most) wrong = "a row is out of bounds";
            if (!wrong.empty()) return all;
            if (row->front().first != id_at(cursor.key(), prefix.size()))
                wrong = "a row does not begin at its key";
            all.insert(all.end(), row->begin(), row->end());
        }
        return all;
    }

    // Empty if the blocks are right.
    std::string check() {
        size_t rows = 0;
        std::string wrong;
        const std::vector<Block> all = blocks(rows, wrong);
        auto at = ids.begin();
        for (size_t i = 0; i < all.size() && wrong.empty(); i++) {
            if (at == ids.end() || *at < all[i].first) wrong = "a resource is before its block";
            const auto end = i + 1 < all.size() ? ids.lower_bound(all[i + 1].first) : ids.end();
            const auto count = std::distance(at, end);
            if (count != all[i].count) wrong = "a count is wrong";
            if (count < 1 || count > block_most) wrong = "a block is out of bounds";
            at = end;
        }
        if (wrong.empty() && at != ids.end()) wrong = "resources are in no block";
        if (!txn_.good()) wrong = "the transaction has failed";
        return wrong;
    }

    // The id with the rank n, by the blocks and then by the resources.
    std::optional<Id> find(uint64_t n) {
        std::optional<Id> found;
        Directory(txn_, tenant).scan(type, n, 1, [&](const Id &id, Bytes) {
            found = id;
            return true;
        });
        return found;
    }
    // Empty if each of some ranks leads to the right id, with few resources read.
    std::string check_ranks(std::mt19937_64 &random, size_t step) {
        const std::vector<Id> all(ids.begin(), ids.end());
        for (uint64_t n = random() % step; n < all.size(); n += 1 + random() % step) {
            if (find(n) != all[n]) return "rank " + std::to_string(n) + " is another resource";
            if (find_in_blocks(txn_, tenant, type, n).skip >= block_most)
                return "rank " + std::to_string(n) + " is too far in its block";
        }
        return {};
    }

    WriteTxn &txn() { return txn_; }
    std::set<Id> ids;

  private:
    void put(TenantNumber t, TypeNumber number, const Id &id) {
        txn_.put(Db::resources, resource_key(t, number, id), "x");
        add_to_blocks(txn_, t, number, id);
    }

    WriteTxn txn_;
};

void in_order(Env &env) {
    Model model(env);
    const uint64_t count = 30000;
    for (uint64_t n = 1; n <= count; n++) model.create(n);
    size_t rows = 0;
    std::string wrong;
    auto blocks = model.blocks(rows, wrong);
    is(model.check(), "", "resources created in the order of their ids are counted");
    is(blocks.size(), size_t(count + block_most - 1) / block_most,
       "blocks are full, except the last, if ids ascend");
    is(rows, (blocks.size() + row_most - 1) / row_most, "rows are full, except the last");
    std::mt19937_64 random(1);
    is(model.check_ranks(random, 50), "", "each rank leads to its resource");
    ok(model.find(count - 1) == id_of(count), "the last rank is the last resource");

    for (uint64_t n = 1; n <= count; n++)
        if (n % 100 != 0) model.remove(n);
    is(model.check(), "", "blocks are right after 99 of 100 resources were deleted, scattered");
    is(model.check_ranks(random, 3), "", "each rank of the others leads to its resource");
    blocks = model.blocks(rows, wrong);
    ok(blocks.size() <= 2 * model.ids.size() / (block_most / 2) + rows,
       "small blocks are merged: " + std::to_string(blocks.size()) + " for " +
           std::to_string(model.ids.size()) + " resources");
    while (!model.ids.empty()) model.remove(*model.ids.rbegin());
    model.blocks(rows, wrong);
    is(rows, 0u, "a type without resources has no rows");
    model.create(5);
    model.create(4);
    is(model.check(), "", "resources are counted again after all were deleted");
}

// Ids in descending order, as an import that keeps ids may send them.
void in_reverse(Env &env) {
    Model model(env);
    for (uint64_t n = 20000; n > 0; n--) model.create(n);
    is(model.check(), "", "resources created in reverse order are counted");
    std::mt19937_64 random(2);
    is(model.check_ranks(random, 50), "", "each rank leads to its resource after that");
}

void at_random(Env &env, uint64_t seed) {
    std::mt19937_64 random(seed);
    Model model(env);
    std::string wrong;
    for (int round = 0; round < 12 && wrong.empty(); round++) {
        // Mostly creates, then mostly deletes, of a range that is wide, or narrow and dense.
        const uint64_t range = random() % 2 != 0 ? 1 << 20 : 4000, first = random() % (1 << 20);
        const uint64_t creates = round % 3 == 2 ? 1 : 4;
        for (int i = 0; i < 4000; i++) {
            const uint64_t n = first + random() % range;
            if (random() % 5 < creates) {
                model.create(n);
            } else if (auto at = model.ids.lower_bound(id_of(n)); at != model.ids.end()) {
                model.remove(*at);
            }
        }
        wrong = model.check();
        if (wrong.empty()) wrong = model.check_ranks(random, 100);
    }
    is(wrong, "", "random creates and deletes, seed " + std::to_string(seed));
}

void splits(Env &env) {
    Model model(env);
    for (uint64_t n = 1; n <= block_most; n++) model.create(2 * n);
    size_t rows = 0;
    std::string wrong;
    is(model.blocks(rows, wrong).size(), 1u, "128 resources are in one block");
    model.create(2 * block_most + 1);
    auto blocks = model.blocks(rows, wrong);
    ok(blocks.size() == 2 && blocks[0].count == block_most && blocks[1].count == 1,
       "one more at the end begins a block");
    model.create(1);
    blocks = model.blocks(rows, wrong);
    ok(blocks.size() == 3 && blocks[0].count == 64 && blocks[1].count == 65,
       "one more in a full block splits it in the middle");
    is(model.check(), "", "the halves of a block are counted");
}

void damage(Env &env) {
    Model model(env);
    for (uint64_t n = 1; n <= 300; n++) model.create(2 * n);
    auto put = [&](const std::vector<Block> &blocks) {
        model.txn().put(Db::blocks, resource_key(tenant, type, Id{}), encode_blocks(blocks));
    };
    size_t rows = 0;
    std::string wrong;
    put({{Id{}, block_most}, {id_of(100), 50}});
    model.create(5);
    is(int(model.blocks(rows, wrong)[0].count), 50,
       "a count that is too high is corrected when the block is full");
    put({{Id{}, block_most}});
    model.create(601);
    is(model.blocks(rows, wrong).size(), 2u, "a block with too many resources is split when full");
    put({{Id{}, 0}});
    model.remove(8);
    ok(model.txn().good(), "a resource that is not counted can be deleted");
    ok(!model.find(200) && model.txn().error() == Errc::damaged,
       "a rank beyond the counted resources fails the transaction");
}

void values() {
    const std::string good = encode_blocks({{id_of(1), 3}, {id_of(2), 4}});
    is(good.size(), 38u, "two blocks take 38 bytes");
    ok(decode_blocks(good) && decode_blocks(good)->back().count == 4, "blocks are read as written");
    ok(!decode_blocks(""), "an empty value is refused");
    ok(!decode_blocks(good.substr(0, 37)), "a value that ends within a block is refused");
    ok(!decode_blocks(std::string(4, '\0')), "a value without blocks is refused");
    std::string wrong = good;
    wrong[0]++;
    ok(!decode_blocks(wrong), "a value with a wrong total is refused");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(256) << 20);
    Env &env = store->env();
    values();
    splits(env);
    in_order(env);
    in_reverse(env);
    for (uint64_t seed = 1; seed <= 6; seed++) at_random(env, seed);
    damage(env);
    return tap::done();
}
