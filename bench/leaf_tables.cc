// Compares two layouts: the leaf table in the record, and in a separate database.
//
//     leaf_tables DIRECTORY [USERS]
//
// Writes the same users, index rows and changes in both layouts, and measures space, inserts,
// updates, reads by id, and a scan that examines one leaf per user. Uses LMDB directly, so that only
// the layout differs. DIRECTORY must be on a disk that does not ignore flushes. The results are in
// docs/format.md.

#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/population.h"
#include "scim/text/json.h"
#include "store/bytes.h"
#include "store/directory.h"

using namespace scim;

namespace {

constexpr store::TenantNumber tenant = 1;
constexpr size_t batch = 128;
constexpr int64_t first_time = 1700000000000;

void check(int rc, const char *what) {
    if (rc == 0) return;
    std::fprintf(stderr, "leaf_tables: %s: %s\n", what, mdb_strerror(rc));
    std::exit(1);
}

// Time since construction. On a machine with other load, CPU time varies less than wall-clock time;
// waiting for the disk is only in the latter.
class Stopwatch {
  public:
    double wall() const { return read(CLOCK_MONOTONIC) - wall_; }
    double cpu() const { return read(CLOCK_PROCESS_CPUTIME_ID) - cpu_; }

  private:
    static double read(clockid_t clock) {
        timespec t;
        clock_gettime(clock, &t);
        return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
    }
    double wall_ = read(CLOCK_MONOTONIC), cpu_ = read(CLOCK_PROCESS_CPUTIME_ID);
};

struct Cost {
    double wall = 1e9, cpu = 1e9;  // seconds
    void keep_best(const Stopwatch &watch) {
        wall = std::min(wall, watch.wall());
        cpu = std::min(cpu, watch.cpu());
    }
};

uint64_t bytes_written() {
    std::ifstream in("/proc/self/io");
    std::string name;
    uint64_t value = 0;
    while (in >> name >> value)
        if (name == "wchar:") return value;
    return 0;
}

// A user as it is stored, made before the measurement.
struct Row {
    std::string key, record, change;
    std::vector<std::string> index;
};

class Maker {
  public:
    Maker() {
        auto rows = declare(CatalogRows(), *make_declaration(1, {}));
        catalog_ = *Catalog::build(**rows);
        type_ = catalog_->type_by_endpoint("Users");
        family_name_ = type_->find("name.familyName")->number;
    }
    Row row(uint64_t number) const {
        uint64_t state = number;
        std::array<uint8_t, 10> random;
        for (uint8_t &byte : random) byte = uint8_t(bench::next_random(state));
        Id id = make_id(first_time + int64_t(number), random);
        auto json = parse_json(bench::user(number).json, JsonLimits());
        DeviationReport report;
        auto resource = read_resource(*type_, json->get(), false, report);
        if (!resource) std::fprintf(stderr, "%s\n", resource.error().detail.c_str()), std::exit(1);
        store::RecordHeader header;
        header.version = number + 1;
        header.created = header.modified = first_time + int64_t(number);
        Row row;
        row.key = store::resource_key(tenant, type_->number, id);
        row.record = store::encode_record(header, *catalog_, *type_, resource->leaves);
        for (const auto &[attr, value] : store::index_values(*catalog_, *type_, resource->leaves))
            row.index.push_back(store::index_key(tenant, type_->number, attr, value, id));
        store::Change change;
        change.time = header.created;
        change.type = type_->number;
        change.id = id;
        for (const Leaf &leaf : resource->leaves) {
            const Attr *attr = type_->by_number(leaf.attr);
            AttrNumber top = attr->parent ? attr->parent->number : attr->number;
            if (std::find(change.attrs.begin(), change.attrs.end(), top) == change.attrs.end())
                change.attrs.push_back(top);
        }
        row.change = store::encode_change(change);
        leaves += resource->leaves.size();
        return row;
    }
    AttrNumber family_name() const { return family_name_; }
    mutable uint64_t leaves = 0;

  private:
    std::shared_ptr<const Catalog> catalog_;
    const TypeView *type_;
    AttrNumber family_name_;
};

std::string_view table_of(std::string_view record) {
    return record.substr(store::record_header_size, store::read_le(record.data() + 4, 4));
}

// The text of an attribute's first leaf, found like RecordView::first(), without verifying the
// record's checksum.
std::string_view leaf_text(std::string_view table, std::string_view body, int64_t wanted) {
    store::ByteReader in(table);
    int64_t attr = 0;
    size_t end = 0;
    while (!in.at_end()) {
        uint64_t head = in.varint() / 2, gap = in.varint(), length = in.varint();
        attr += store::unzigzag(head / 3);
        if (in.failed() || gap + length > body.size() - end) break;
        if (attr == wanted) return body.substr(end + gap, length);
        end += gap + length;
    }
    return {};
}

struct Layout {
    const char *name;
    bool beside;  // the table is in a separate database
    bool append;  // records are put with MDB_APPEND
};

class Bench {
  public:
    Bench(const std::string &parent, Layout layout, const std::vector<Row> &rows,
          const Maker &maker)
        : layout_(layout),
          rows_(rows),
          family_name_(maker.family_name()),
          directory_(parent + "/" + layout.name) {
        mkdir(directory_.c_str(), 0700);
        unlink((directory_ + "/data.mdb").c_str());
        unlink((directory_ + "/lock.mdb").c_str());
        check(mdb_env_create(&env_), "env_create");
        check(mdb_env_set_maxdbs(env_, 8), "maxdbs");
        check(mdb_env_set_mapsize(env_, size_t(64) << 30), "mapsize");
        check(mdb_env_open(env_, directory_.c_str(), MDB_NOTLS | MDB_NORDAHEAD, 0600), "env_open");
        MDB_txn *txn;
        check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
        check(mdb_dbi_open(txn, "resources", MDB_CREATE, &resources_), "dbi");
        check(mdb_dbi_open(txn, "index", MDB_CREATE, &index_), "dbi");
        check(mdb_dbi_open(txn, "changes", MDB_CREATE, &changes_), "dbi");
        check(mdb_dbi_open(txn, "leaves", MDB_CREATE, &leaves_), "dbi");
        check(mdb_txn_commit(txn), "commit");
    }
    ~Bench() {
        mdb_env_close(env_);
        unlink((directory_ + "/data.mdb").c_str());
        unlink((directory_ + "/lock.mdb").c_str());
        rmdir(directory_.c_str());
    }
    Bench(const Bench &) = delete;
    Bench &operator=(const Bench &) = delete;

    // Writes 128 users per commit. The figures without sync are of the last fifth, when the trees
    // have almost their final size.
    void insert() {
        size_t durable = std::min<size_t>(rows_.size() / 20, 20000),
               from = (rows_.size() - durable) / 5 * 4;
        mdb_env_set_flags(env_, MDB_NOSYNC, 1);
        write_rows(0, from);
        report("insert, 128 per commit, no sync", from, rows_.size() - durable);
        mdb_env_set_flags(env_, MDB_NOSYNC, 0);
        mdb_env_sync(env_, 1);
        report("insert, 128 per commit, durable", rows_.size() - durable, rows_.size());
    }

    void space() {
        MDB_txn *txn;
        MDB_envinfo info;
        MDB_stat stat;
        check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn), "begin");
        mdb_env_info(env_, &info);
        double users = double(rows_.size());
        std::printf("%-8s %-34s %8.0f MiB %8.0f B per user\n", layout_.name, "file",
                    double(info.me_last_pgno + 1) * 4096 / 1048576,
                    double(info.me_last_pgno + 1) * 4096 / users);
        for (auto [name, dbi] : {std::pair("resources", resources_),
                                 {"leaves", leaves_},
                                 {"index", index_},
                                 {"changes", changes_}}) {
            check(mdb_stat(txn, dbi, &stat), "stat");
            std::printf(
                "%-8s   %-32s %8.0f MiB %8.0f B per user (%zu branch, %zu leaf, %zu overflow "
                "pages)\n",
                layout_.name, name,
                double(stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * 4096 /
                    1048576,
                double(stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * 4096 /
                    users,
                stat.ms_branch_pages, stat.ms_leaf_pages, stat.ms_overflow_pages);
        }
        mdb_txn_abort(txn);
    }

    // For each user: renew the read transaction, find the record, compute its checksum, copy the body.
    void get(size_t count) {
        std::vector<uint32_t> order(count);
        uint64_t state = 42;
        for (uint32_t &i : order) i = uint32_t(bench::next_random(state) % rows_.size());
        MDB_txn *txn = nullptr;
        char out[16384];
        uint64_t sum = 0;
        check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn), "begin");
        Cost best;
        for (int round = 0; round < 3; round++) {
            Stopwatch watch;
            for (uint32_t i : order) {
                mdb_txn_reset(txn);
                check(mdb_txn_renew(txn), "renew");
                std::string_view record = find(txn, resources_, rows_[i].key);
                sum += XXH3_64bits(record.data(), record.size());
                size_t table = layout_.beside ? 0 : table_of(record).size();
                std::string_view body = record.substr(store::record_header_size + table);
                std::memcpy(out, body.data(), std::min(body.size(), sizeof out));
                sum += uint8_t(out[body.size() / 2]);
            }
            best.keep_best(watch);
        }
        mdb_txn_abort(txn);
        print("GET by id, at random", best, count, sum == 0 ? " " : "");
    }

    void scan(const char *what, AttrNumber attr, bool checksum) {
        Cost best;
        size_t found = 0;
        for (int round = 0; round < 3; round++) {
            Stopwatch watch;
            found = scan_once(attr, checksum);
            best.keep_best(watch);
        }
        print(what, best, rows_.size(), std::to_string(found) + " found");
    }

    // Like a PATCH that changes the record but no index row.
    void update(const char *what, size_t a_commit, bool durable, size_t count) {
        mdb_env_set_flags(env_, MDB_NOSYNC, durable ? 0 : 1);
        uint64_t state = 7, before = bytes_written();
        Stopwatch watch;
        for (size_t done = 0; done < count; done += a_commit) {
            MDB_txn *txn;
            check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
            for (size_t i = 0; i < a_commit; i++) {
                const Row &row = rows_[bench::next_random(state) % rows_.size()];
                put_record(txn, row);
                put_change(txn, row);
            }
            check(mdb_txn_commit(txn), "commit");
        }
        Cost cost;
        cost.keep_best(watch);
        print(what, cost, count, written(before, count));
        mdb_env_set_flags(env_, MDB_NOSYNC, 0);
        mdb_env_sync(env_, 1);
    }

  private:
    static MDB_val val(std::string_view s) { return {s.size(), const_cast<char *>(s.data())}; }

    void print(const char *what, const Cost &cost, size_t users, const std::string &extra) {
        std::printf("%-8s %-34s %9.3f us per user, CPU %8.3f us  %s\n", layout_.name, what,
                    cost.wall * 1e6 / double(users), cost.cpu * 1e6 / double(users), extra.c_str());
        std::fflush(stdout);
    }

    static std::string written(uint64_t before, size_t users) {
        return std::to_string((bytes_written() - before) / users) + " B written";
    }

    void report(const char *what, size_t from, size_t to) {
        uint64_t before = bytes_written();
        Stopwatch watch;
        write_rows(from, to);
        Cost cost;
        cost.keep_best(watch);
        print(what, cost, to - from, written(before, to - from));
    }

    void put(MDB_txn *txn, MDB_dbi dbi, std::string_view key, std::string_view value,
             unsigned flags = 0) {
        MDB_val k = val(key), v = val(value);
        check(mdb_put(txn, dbi, &k, &v, flags), "put");
    }

    void put_record(MDB_txn *txn, const Row &row, bool is_new = false) {
        unsigned flags = is_new && layout_.append ? MDB_APPEND : 0;
        if (!layout_.beside) return put(txn, resources_, row.key, row.record, flags);
        std::string_view table = table_of(row.record);
        scratch_.assign(row.record, 0, store::record_header_size);
        scratch_.append(row.record, store::record_header_size + table.size());
        put(txn, resources_, row.key, scratch_);
        put(txn, leaves_, row.key, table);
    }

    void put_change(MDB_txn *txn, const Row &row) {
        put(txn, changes_, store::change_key(tenant, ++position_, 0), row.change);
    }

    void write_rows(size_t from, size_t to) {
        for (size_t i = from; i < to;) {
            MDB_txn *txn;
            check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
            for (size_t end = std::min(i + batch, to); i < end; i++) {
                put_record(txn, rows_[i], true);
                for (const std::string &key : rows_[i].index) put(txn, index_, key, {});
                put_change(txn, rows_[i]);
            }
            check(mdb_txn_commit(txn), "commit");
        }
    }

    static std::string_view find(MDB_txn *txn, MDB_dbi dbi, std::string_view key) {
        MDB_val k = val(key), v;
        check(mdb_get(txn, dbi, &k, &v), "get");
        return {static_cast<const char *>(v.mv_data), v.mv_size};
    }

    // `attr` 0 stands for an attribute that no user has: the tables alone give the answer.
    size_t scan_once(AttrNumber attr, bool checksum) {
        MDB_txn *txn;
        MDB_cursor *resources, *leaves;
        check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn), "begin");
        check(mdb_cursor_open(txn, resources_, &resources), "cursor");
        check(mdb_cursor_open(txn, leaves_, &leaves), "cursor");
        size_t found = 0;
        MDB_val k, v, t;
        bool need_body = attr != 0;
        MDB_cursor *leading = layout_.beside ? leaves : resources;
        for (int rc = mdb_cursor_get(leading, &k, &t, MDB_FIRST); rc == 0;
             rc = mdb_cursor_get(leading, &k, &t, MDB_NEXT)) {
            std::string_view table(static_cast<char *>(t.mv_data), t.mv_size), body;
            if (!layout_.beside) {
                std::string_view record = table;
                if (checksum && XXH3_64bits(record.data(), record.size()) == 0) continue;
                table = table_of(record);
                body = record.substr(store::record_header_size + table.size());
            } else if (need_body) {
                check(mdb_cursor_get(resources, &k, &v, found_any_ ? MDB_NEXT : MDB_FIRST), "next");
                found_any_ = true;
                std::string_view record(static_cast<char *>(v.mv_data), v.mv_size);
                if (checksum && XXH3_64bits(record.data(), record.size()) == 0) continue;
                body = record.substr(store::record_header_size);
            } else {
                body = std::string_view(nullptr, SIZE_MAX / 2);
            }
            found += leaf_text(table, body, need_body ? attr : 9999) == "\"Müller\"";
        }
        found_any_ = false;
        mdb_cursor_close(resources);
        mdb_cursor_close(leaves);
        mdb_txn_abort(txn);
        return found;
    }

    Layout layout_;
    const std::vector<Row> &rows_;
    AttrNumber family_name_;
    std::string directory_, scratch_;
    MDB_env *env_ = nullptr;
    MDB_dbi resources_ = 0, index_ = 0, changes_ = 0, leaves_ = 0;
    uint64_t position_ = 0;
    bool found_any_ = false;
};

// Prints how many records share a page of 4 KB, in a database with keys of 22 bytes: a page has a
// header of 16 bytes, a node takes 2 + 8 + 22 bytes and the value; a node of more than 2,038 bytes has
// its value on overflow pages.
void print_sizes(const char *what, const std::vector<Row> &rows, int64_t extra, int table_factor) {
    size_t classes[6] = {};
    double total = 0;
    for (const Row &row : rows) {
        int64_t table = int64_t(table_of(row.record).size());
        size_t size = size_t(int64_t(row.record.size()) + extra + table * (table_factor - 1));
        total += double(size);
        classes[size <= 784    ? 0
                : size <= 988  ? 1
                : size <= 1328 ? 2
                : size <= 2008 ? 3
                : size <= 4080 ? 4
                               : 5]++;
    }
    double n = double(rows.size()) / 100;
    std::printf(
        "%-40s mean %5.0f B   5 per page %4.1f %%  4: %4.1f %%  3: %4.1f %%  2: %4.1f %%  "
        "overflow: "
        "%4.1f %%  more: %4.1f %%\n",
        what, total / double(rows.size()), double(classes[0]) / n, double(classes[1]) / n,
        double(classes[2]) / n, double(classes[3]) / n, double(classes[4]) / n,
        double(classes[5]) / n);
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 2) return std::fprintf(stderr, "usage: leaf_tables DIRECTORY [USERS]\n"), 2;
    size_t users = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100000;
    mkdir(argv[1], 0700);
    Maker maker;
    std::vector<Row> rows;
    rows.reserve(users);
    Stopwatch watch;
    for (uint64_t i = 0; i < users; i++) rows.push_back(maker.row(i));
    double tables = 0;
    for (const Row &row : rows) tables += double(table_of(row.record).size());
    std::printf("%zu users, %.1f leaves each, %.2f bytes per leaf, made with %.1f us of CPU each\n",
                users, double(maker.leaves) / double(users), tables / double(maker.leaves),
                watch.cpu() * 1e6 / double(users));
    print_sizes("inside, 48-byte header", rows, 0, 1);
    print_sizes("inside, 32-byte header", rows, -16, 1);
    print_sizes("inside, 48-byte header, 4x (12 B a leaf)", rows, 0, 4);
    print_sizes("beside, 48-byte header", rows, 0, 0);
    for (Layout layout : {Layout{"inside", false, false}, Layout{"beside", true, false},
                          Layout{"append", false, true}}) {
        Bench bench(argv[1], layout, rows, maker);
        bench.insert();
        bench.space();
        bench.get(std::min<size_t>(users * 2, 1000000));
        bench.scan("scan, familyName eq", maker.family_name(), false);
        bench.scan("scan, familyName eq, checksum", maker.family_name(), true);
        bench.scan("scan, an attribute that no user has", 0, false);
        bench.update("update, 128 per commit, no sync", 128, false, 25600);
        bench.update("update, 128 per commit, durable", 128, true, 25600);
        bench.update("update, 1 per commit, durable", 1, true, 2000);
    }
}
