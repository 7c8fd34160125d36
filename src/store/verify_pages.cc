// The data format of LMDB 0.9 (version 1) on 64-bit machines, in the machine's byte order:
//
//     meta     := header magic:u32 version:u32 address:8 mapsize:8 free:db main:db last:u64 txn:u64
//     header   := page:u64 pad:u16 flags:u16 (lower:u16 upper:u16 | pages:u32)
//     db       := pad:u32 flags:u16 depth:u16 branch:u64 leaf:u64 overflow:u64 entries:u64 root:u64
//     branch,
//     leaf     := header pointers:u16* … node*      pointers end at `lower`, nodes begin at `upper`
//     node     := low:u16 high:u16 flags:u16 key_size:u16 key data
//                 branch: low, high, flags are the child's page; leaf: low, high are the data size
//     free     := count:u64 page:u64*      data of a leaf of the free database; keys are txn ids
//
// The data of a leaf node is the number of the first overflow page if flag 1 is set, and a db if
// flag 2 is set.

#include "store/verify_pages.h"

#include <unistd.h>

#include <cstring>
#include <utility>

namespace scim::store {

namespace {

constexpr uint32_t magic = 0xBEEFC0DE, data_version = 1;
constexpr size_t header_size = 16, node_size = 8, db_size = 48;
constexpr uint16_t branch_page = 1, leaf_page = 2, overflow_page = 4;
constexpr uint16_t big_data = 1, sub_database = 2;
constexpr uint64_t no_page = ~uint64_t(0), first_data_page = 2;
constexpr int depth_max = 32;  // LMDB's CURSOR_STACK

template <class T>
T at(Bytes bytes, size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

class PageWalk {
  public:
    PageWalk(Env &env, size_t limit) : env_(env), limit_(limit) {}
    PageReport run();

  private:
    struct Tree {
        uint64_t root = no_page, pages = 0, entries = 0;
        int depth = 0;
    };
    static Tree tree_at(Bytes bytes);

    bool read_meta(uint64_t txn);
    bool read_page(uint64_t page, std::string &bytes);
    void walk(const std::string &name, const Tree &tree, bool is_main, bool is_free);
    void walk_page(uint64_t page, int depth);
    bool check_page(uint64_t page, Bytes bytes, int depth);
    void walk_leaf(uint64_t page, Bytes bytes, size_t node);
    void walk_overflow(uint64_t page, uint64_t first, size_t size);
    void note_free(uint64_t page, Bytes data);
    bool take(uint64_t page, const std::string &user);
    void damage(uint64_t page, const std::string &text) {
        report_.unreadable = true;
        problem(page, text);
    }
    void problem(uint64_t page, const std::string &text) {
        report_.unreadable |= !is_free_ && !trees_done_;
        report_.problem_count++;
        if (report_.problems.size() < limit_)
            report_.problems.push_back("page " + std::to_string(page) + ": " + text);
    }

    Env &env_;
    size_t limit_, page_size_ = 0;
    PageReport report_;
    uint64_t last_ = 0;  // last page of the snapshot
    Tree free_, main_;
    std::vector<bool> used_;

    // The tree being walked.
    std::string name_;
    bool is_main_ = false, is_free_ = false, trees_done_ = false;
    int depth_ = 0;
    uint64_t pages_ = 0, entries_ = 0;
    std::vector<std::pair<std::string, Tree>> databases_;
};

PageWalk::Tree PageWalk::tree_at(Bytes bytes) {
    Tree tree;
    tree.depth = at<uint16_t>(bytes, 6);
    tree.pages = at<uint64_t>(bytes, 8) + at<uint64_t>(bytes, 16) + at<uint64_t>(bytes, 24);
    tree.entries = at<uint64_t>(bytes, 32);
    tree.root = at<uint64_t>(bytes, 40);
    return tree;
}

bool PageWalk::read_page(uint64_t page, std::string &bytes) {
    bytes.resize(page_size_);
    return pread(env_.descriptor(), bytes.data(), page_size_, off_t(page * page_size_)) ==
           ssize_t(page_size_);
}

// Reads the meta page of this transaction. False if there is none: the second commit after a
// transaction overwrites its meta page.
bool PageWalk::read_meta(uint64_t txn) {
    std::string page;
    for (uint64_t number : {0, 1}) {
        if (!read_page(number, page) || at<uint32_t>(page, header_size) != magic) continue;
        if (at<uint32_t>(page, header_size + 4) != data_version) {
            report_.unknown_format = true;
            return true;
        }
        const size_t dbs = header_size + 24;
        if (at<uint64_t>(page, dbs + 2 * db_size + 8) != txn) continue;
        free_ = tree_at(Bytes(page).substr(dbs));
        main_ = tree_at(Bytes(page).substr(dbs + db_size));
        last_ = at<uint64_t>(page, dbs + 2 * db_size);
        return true;
    }
    return false;
}

PageReport PageWalk::run() {
    page_size_ = env_.info().page_size;
    Reader reader(env_);
    for (int attempt = 0; attempt < 100; attempt++) {
        ReadTxn txn(reader);
        if (!txn.good()) {
            damage(0, "the snapshot cannot be read: " + std::string(to_string(txn.error())));
            return std::move(report_);
        }
        if (!read_meta(txn.id())) continue;
        if (report_.unknown_format) return std::move(report_);
        if (last_ >= env_.info().map_size / page_size_) {
            damage(0, "the last page is " + std::to_string(last_) + ", which is beyond the map");
            return std::move(report_);
        }
        report_.pages = last_ + 1;
        used_.resize(last_ + 1);
        walk("the list of databases", main_, true, false);
        for (const auto &[name, tree] : databases_)
            walk("database \"" + name + "\"", tree, false, false);
        trees_done_ = true;
        walk("the list of free pages", free_, false, true);
        for (uint64_t page = first_data_page; page <= last_ && report_.problem_count == 0; page++)
            if (!used_[page])
                problem(page, "it is neither in a tree nor in the list of free pages");
        return std::move(report_);
    }
    damage(0, "neither meta page belongs to the snapshot");
    return std::move(report_);
}

// Marks a page as used by `user`. Reports a problem and returns false if it is not a data page or
// is used already.
bool PageWalk::take(uint64_t page, const std::string &user) {
    if (page < first_data_page || page > last_) {
        problem(page, user + " refers to it, but it is not a data page");
        return false;
    }
    if (used_[page]) {
        problem(page, user + " refers to it, but it is already in use");
        return false;
    }
    used_[page] = true;
    return true;
}

void PageWalk::walk(const std::string &name, const Tree &tree, bool is_main, bool is_free) {
    name_ = name;
    is_main_ = is_main;
    is_free_ = is_free;
    depth_ = tree.depth;
    pages_ = entries_ = 0;
    if (tree.root == no_page) return;
    const uint64_t problems = report_.problem_count;
    if (depth_ < 1 || depth_ > depth_max)
        return problem(tree.root, name_ + " has a depth of " + std::to_string(depth_));
    walk_page(tree.root, 1);
    if (report_.problem_count != problems) return;
    if (pages_ != tree.pages || entries_ != tree.entries)
        problem(tree.root, name_ + " has " + std::to_string(pages_) + " pages and " +
                               std::to_string(entries_) + " entries, but its database record has " +
                               std::to_string(tree.pages) + " and " + std::to_string(tree.entries));
}

void PageWalk::walk_page(uint64_t page, int depth) {
    if (!take(page, name_)) return;
    pages_++;
    std::string bytes;
    if (!read_page(page, bytes)) return problem(page, "it cannot be read; it is in " + name_);
    if (!check_page(page, bytes, depth)) return;
    const size_t count = (at<uint16_t>(bytes, 12) - header_size) / 2;
    for (size_t i = 0; i < count; i++) {
        const size_t node = at<uint16_t>(bytes, header_size + 2 * i);
        if (depth < depth_)
            walk_page(at<uint16_t>(bytes, node) | uint64_t(at<uint16_t>(bytes, node + 2)) << 16 |
                          uint64_t(at<uint16_t>(bytes, node + 4)) << 32,
                      depth + 1);
        else
            walk_leaf(page, bytes, node);
    }
}

// Checks the page header, that every node lies within the page, and the order of the keys.
bool PageWalk::check_page(uint64_t page, Bytes bytes, int depth) {
    auto wrong = [&](const char *what) {
        problem(page, std::string(what) + "; it is in " + name_);
        return false;
    };
    const bool leaf = depth == depth_;
    const size_t lower = at<uint16_t>(bytes, 12), upper = at<uint16_t>(bytes, 14);
    if (at<uint64_t>(bytes, 0) != page) return wrong("its header has another page number");
    if ((at<uint16_t>(bytes, 10) & 0xff) != (leaf ? leaf_page : branch_page))
        return wrong(leaf ? "it is not a leaf page" : "it is not a branch page");
    if (lower < header_size || lower % 2 != 0 || lower > upper || upper > page_size_)
        return wrong("its free space is out of bounds");
    Bytes before;
    for (size_t i = 0; i < (lower - header_size) / 2; i++) {
        const size_t node = at<uint16_t>(bytes, header_size + 2 * i);
        if (node < upper || node + node_size > page_size_) return wrong("a node is out of bounds");
        const size_t key_size = at<uint16_t>(bytes, node + 6), key = node + node_size;
        size_t size = key_size;
        if (leaf) {
            bool is_big = (at<uint16_t>(bytes, node + 4) & big_data) != 0;
            size += is_big
                        ? sizeof(uint64_t)
                        : at<uint16_t>(bytes, node) | size_t(at<uint16_t>(bytes, node + 2)) << 16;
        }
        if (size > page_size_ - key) return wrong("a node is longer than the page");
        Bytes name = bytes.substr(key, key_size);
        // Keys of the free database are numbers in the machine's byte order. LMDB does not use the
        // first key of a branch page.
        if (!is_free_ && i > (leaf ? 0 : 1) && name <= before)
            return wrong("its keys are out of order");
        before = name;
    }
    return true;
}

void PageWalk::walk_leaf(uint64_t page, Bytes bytes, size_t node) {
    entries_++;
    const uint16_t flags = at<uint16_t>(bytes, node + 4);
    const size_t size = at<uint16_t>(bytes, node) | size_t(at<uint16_t>(bytes, node + 2)) << 16;
    const size_t key_size = at<uint16_t>(bytes, node + 6), data = node + node_size + key_size;
    if ((flags & big_data) != 0) return walk_overflow(page, at<uint64_t>(bytes, data), size);
    if (is_free_) return note_free(page, bytes.substr(data, size));
    if (!is_main_) return;
    if ((flags & sub_database) == 0 || size != db_size)
        return problem(page, "an entry in the list of databases is not a database");
    databases_.emplace_back(bytes.substr(node + node_size, key_size), tree_at(bytes.substr(data)));
}

// Checks a value of `size` bytes in consecutive overflow pages; only the first has a header.
void PageWalk::walk_overflow(uint64_t page, uint64_t first, size_t size) {
    const uint64_t count = (header_size - 1 + size) / page_size_ + 1;
    if (first < first_data_page || first > last_ || count > last_ - first + 1)
        return problem(page, "the overflow pages of a value are out of bounds; it is in " + name_);
    std::string bytes;
    if (!read_page(first, bytes)) return problem(first, "it cannot be read; it is in " + name_);
    if (at<uint64_t>(bytes, 0) != first || (at<uint16_t>(bytes, 10) & 0xff) != overflow_page ||
        at<uint32_t>(bytes, 12) != count)
        return problem(first, "it is not the first overflow page of a value of " +
                                  std::to_string(size) + " bytes; it is in " + name_);
    for (uint64_t i = 0; i < count; i++) take(first + i, name_);
    pages_ += count;
    if (!is_free_) return;
    std::string data(count * page_size_, '\0');
    if (pread(env_.descriptor(), data.data(), data.size(), off_t(first * page_size_)) !=
        ssize_t(data.size()))
        return problem(first, "it cannot be read; it is in " + name_);
    note_free(first, Bytes(data).substr(header_size, size));
}

// Marks the pages of an entry of the list of free pages. The page numbers are in descending order;
// the entry may be longer than its count needs.
void PageWalk::note_free(uint64_t page, Bytes data) {
    const uint64_t count = data.size() >= 8 ? at<uint64_t>(data, 0) : no_page;
    if (count > data.size() / 8 || data.size() < 8 || count + 1 > data.size() / 8)
        return problem(page, "an entry in " + name_ + " is too short for its count");
    for (uint64_t i = 1; i <= count; i++) {
        const uint64_t free = at<uint64_t>(data, 8 * i);
        if (i > 1 && free >= at<uint64_t>(data, 8 * (i - 1)))
            return problem(page, "the numbers in an entry in " + name_ + " are out of order");
        if (take(free, name_)) report_.free_pages++;
    }
}

}  // namespace

PageReport verify_pages(Env &env, size_t limit) { return PageWalk(env, limit).run(); }

}  // namespace scim::store
