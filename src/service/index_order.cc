#include "service/index_order.h"

#include <algorithm>
#include <functional>

namespace scim::service {

namespace {

// What a record costs whose value is looked for, in index rows.
constexpr int rows_of_record = 4;

// The first key after all keys that begin with `prefix`. REQUIRES: not all bytes are 0xff.
std::string behind(std::string prefix) {
    while (uint8_t(prefix.back()) == 0xff) prefix.pop_back();
    prefix.back() = char(uint8_t(prefix.back()) + 1);
    return prefix;
}

}  // namespace

IndexOrder::IndexOrder(const Catalog &catalog, const TypeView &type, const Attr &attr,
                       store::Directory &directory, const Options &options)
    : attr_(attr),
      directory_(directory),
      descending_(options.descending),
      prefix_(store::index_prefix(directory.tenant(), type.number, attr.number)),
      low_(prefix_ + std::string(options.range.from)),
      high_(options.range.to.empty() ? behind(prefix_) : prefix_ + std::string(options.range.to)),
      scan_(AccessPath::scan(catalog, type, directory)),
      cursor_(directory.txn(), store::Db::index) {
    const Place *after = options.after;
    const bool is_absent = after != nullptr && !after->has_value;
    // Resources without a value come first in descending order and last in ascending order.
    if (options.with_absent && (after == nullptr || is_absent || !descending_))
        absent_.emplace(scan_.candidates(is_absent ? &after->hit.id : nullptr));
    if (is_absent && !descending_) has_rows_ = false;
    if (after == nullptr || is_absent) return;
    key_ = after->key;
    in_group_ = true;
    enter_group(&after->hit.id);
}

bool IndexOrder::next() {
    if (descending_ && absent_ && next_absent()) return true;
    if (has_rows_ && next_row()) return true;
    return !descending_ && absent_ && next_absent();
}

bool IndexOrder::next_absent() {
    while (absent_->next()) {
        for (int i = 0; i < rows_of_record; i++)
            if (!directory_.may_walk()) return false;
        auto record = store::RecordView::peek(absent_->record());
        if (!record) {
            directory_.txn().fail(store::Errc::damaged);
            return false;
        }
        if (!record->first(attr_.number).empty()) continue;
        id_ = absent_->id();
        has_value_ = false;
        key_.clear();
        return true;
    }
    absent_.reset();
    return false;
}

bool IndexOrder::next_row() {
    do {
        if (in_group_ && next_of_group()) {
            has_value_ = true;
            return true;
        }
        in_group_ = has_rows_ && find_group();
    } while (in_group_);
    has_rows_ = false;
    return false;
}

// Reads the row at the cursor into `row_`. False if it is not in [low_, high_).
bool IndexOrder::read_row() {
    if (cursor_.key() < low_ || cursor_.key() >= high_) return false;
    auto row = store::index_tail(cursor_.key());
    if (!row) {
        directory_.txn().fail(store::Errc::damaged);
        return false;
    }
    row_ = *row;
    return true;
}

// Moves to the rows of the next key.
bool IndexOrder::find_group() {
    const bool found = descending_ ? cursor_.seek_before(high_) : is_placed_ || cursor_.seek(low_);
    if (!found || !read_row()) return false;
    is_placed_ = true;
    key_ = row_.value.substr(0, store::index_digest_prefix);
    enter_group(nullptr);
    return true;
}

// Moves to the rows with the key `key_`, behind the id `*after`; those behind these rows in the
// order remain. REQUIRES: if `after` is nullptr, the cursor is at one of the rows, in ascending order
// at the first.
void IndexOrder::enter_group(const Id *after) {
    const std::string rows = prefix_ + key_;
    const std::string start = is_long() ? rows : rows + '\0';
    const std::string end = is_long() ? behind(rows) : rows + '\x01';
    if (after != nullptr && !is_long())
        is_placed_ = seek_behind(start + std::string(store::bytes_of(*after)));
    else if (after != nullptr || descending_)
        is_placed_ = cursor_.seek(std::max(start, low_));
    ids_.clear();
    for (; is_long() && is_placed_ && cursor_.key() < end && may_walk() && read_row();
         is_placed_ = cursor_.next())
        if (after == nullptr || row_.id > *after) ids_.push_back(row_.id);
    std::sort(ids_.begin(), ids_.end(), std::greater<>());
    (descending_ ? high_ : low_) = descending_ ? start : end;
}

// False if the budget refuses a row: the walk ends.
bool IndexOrder::may_walk() {
    has_rows_ = directory_.may_walk();
    return has_rows_;
}

bool IndexOrder::seek_behind(const std::string &key) {
    return cursor_.seek(key) && (cursor_.key() != key || cursor_.next());
}

bool IndexOrder::next_of_group() {
    if (is_long()) {
        if (ids_.empty()) return false;
        id_ = ids_.back();
        ids_.pop_back();
        return true;
    }
    if (!is_placed_ || !store::starts_with(cursor_.key(), prefix_)) return false;
    auto row = store::index_tail(cursor_.key());
    if (!row || row->value != key_ || !may_walk()) return false;
    id_ = row->id;
    is_placed_ = cursor_.next();
    return true;
}

}  // namespace scim::service
