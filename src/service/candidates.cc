#include "service/candidates.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "store/members.h"

namespace scim::service {

namespace {

// The member epoch of a group; nothing if the group does not exist.
std::optional<uint32_t> member_epoch(const Catalog &catalog, store::Directory &directory,
                                     const Id &group) {
    for (const TypeView *groups : catalog.group_types())
        if (auto record = directory.record(groups->number, group))
            return record->header().member_epoch;
    return std::nullopt;
}

}  // namespace

// One part of an access path that is not a scan, or all its ranges of index rows: the ids that are
// read ahead, and where to go on.
class Candidates::Source {
  public:
    // REQUIRES: `parts` is one part or all are ranges.
    Source(std::vector<const Access *> parts, const Catalog &catalog, const TypeView &type,
           store::Directory &directory, const Id *after, const Chunks &chunks)
        : parts_(std::move(parts)),
          access_(*parts_.front()),
          type_(type),
          directory_(directory),
          chunks_(chunks) {
        if (after != nullptr) last_ = *after;
        has_last_ = after != nullptr;
        if (access_.kind == Access::Kind::members_of)
            epoch_ = member_epoch(catalog, directory, access_.ids[0]);
        fill();
    }

    bool empty() const { return at_ == ids_.size(); }
    const Id &id() const { return ids_[at_]; }
    void pop() {
        if (++at_ == ids_.size() && more_) fill();
    }

  private:
    void fill();
    void fill_by_index();
    void fill_by_range();
    void fill_by_substring();
    bool take_number(uint64_t number);
    const Id *after() const { return has_last_ ? &last_ : nullptr; }
    bool is_behind(const Id &id) const { return !has_last_ || id > last_; }
    bool take(const Id &id);
    void take_unordered(const Id &id);
    void keep_smallest();

    const std::vector<const Access *> parts_;
    const Access &access_;  // the first part
    const TypeView &type_;
    store::Directory &directory_;
    const Chunks chunks_;
    std::vector<Id> ids_;  // ascending
    size_t at_ = 0;
    Id last_{};   // the chunk has only greater ids
    Id limit_{};  // of a range, if `more_`: greater ids are left for the next chunk
    bool has_last_ = false, more_ = false;
    std::optional<uint32_t> epoch_;  // of the group whose members are read
};

void Candidates::Source::fill() {
    if (!ids_.empty()) {
        last_ = ids_.back();
        has_last_ = true;
    }
    ids_.clear();
    at_ = 0;
    more_ = false;
    switch (access_.kind) {
        case Access::Kind::ids:
            for (const Id &id : access_.ids) take(id);
            return;
        case Access::Kind::index: return access_.one_value ? fill_by_index() : fill_by_range();
        case Access::Kind::substring: return fill_by_substring();
        case Access::Kind::groups_of:
            store::Members(directory_)
                .each_group(type_.number, access_.ids[0], after(),
                            [&](const Id &id, const store::RecordView &) { return take(id); });
            return;
        case Access::Kind::members_of:
            if (!epoch_) return;
            store::Members(directory_)
                .each_member(access_.ids[0], *epoch_, after(), [&](const Id &id, TypeNumber type) {
                    return type != type_.number || take(id);
                });
            return;
        default: return;
    }
}

void Candidates::Source::fill_by_index() {
    std::string from = access_.from;
    if (has_last_) from.append(store::bytes_of(last_));
    directory_.each_row(*access_.attr->index, from, access_.to,
                        [&](const Id &id) { return take(id); });
}

void Candidates::Source::fill_by_substring() {
    const uint64_t from = has_last_ ? store::number_of(last_) : 0;
    if (access_.numbers) {
        const store::Numbers &all = *access_.numbers;
        auto at = std::lower_bound(all.begin(), all.end(), from);
        while (at != all.end() && take_number(*at)) ++at;
        return;
    }
    store::TrigramSearch search(directory_, type_.number, access_.trigrams);
    for (bool more = search.seek(from); more && take_number(search.number());) more = search.next();
}

// Takes the ids of the resources with this number, mostly one. False if the chunk is full.
bool Candidates::Source::take_number(uint64_t number) {
    const store::Key prefix =
        store::resource_prefix(directory_.tenant(), type_.number).number(number, 8);
    store::Cursor cursor(directory_.txn(), store::Db::resources);
    for (bool more = cursor.seek(prefix); more && store::starts_with(cursor.key(), prefix);
         more = cursor.next()) {
        if (!directory_.may_walk()) return false;
        if (!take(store::id_at(cursor.key(), prefix.size() - 8))) return false;
    }
    return true;
}

void Candidates::Source::fill_by_range() {
    for (const Access *range : parts_)
        directory_.each_row(*range->attr->index, range->from, range->to, [&](const Id &id) {
            take_unordered(id);
            return true;
        });
    keep_smallest();
}

// Takes the id of a row of those in the order of ids; false if the chunk is full. `ids_` does not
// grow beyond the chunk.
bool Candidates::Source::take(const Id &id) {
    if (is_behind(id)) {
        const size_t size = ids_.size();
        if (size == ids_.capacity()) ids_.reserve(std::min(chunks_.ordered, 2 * size + 4));
        ids_.push_back(id);
    }
    more_ = ids_.size() == chunks_.ordered;
    return !more_;
}

// Takes the id of a row of a range. `ids_` grows to its maximum in one step: vector::push_back()
// would double it, and need up to three times the memory of Chunks::range ids while it copies.
void Candidates::Source::take_unordered(const Id &id) {
    if (!is_behind(id) || (more_ && id > limit_)) return;
    const size_t most = chunks_.range + (chunks_.range + 1) / 2;
    if (ids_.size() == chunks_.range / 2) ids_.reserve(most);
    ids_.push_back(id);
    if (ids_.size() == most) keep_smallest();
}

void Candidates::Source::keep_smallest() {
    std::sort(ids_.begin(), ids_.end());
    ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
    if (ids_.size() <= chunks_.range) return;
    ids_.resize(chunks_.range);
    limit_ = ids_.back();
    more_ = true;
}

namespace {

// Orders a heap so that the smallest id is at its front.
struct Greater {
    template <class S>
    bool operator()(const S &a, const S &b) const {
        return a->id() > b->id();
    }
};

// A part of an any_of may be an any_of itself.
void add_parts(const Access &access, std::vector<const Access *> &ranges,
               std::vector<const Access *> &ordered) {
    for (const Access &part : access.parts) add_parts(part, ranges, ordered);
    if (access.kind == Access::Kind::any_of) return;
    (access.is_range() ? ranges : ordered).push_back(&access);
}

}  // namespace

Candidates::Candidates(const Access &access, const Catalog &catalog, const TypeView &type,
                       store::Directory &directory, const Id *after, const Chunks &chunks)
    : type_(type), directory_(directory) {
    if (after != nullptr) id_ = *after;
    placed_ = after != nullptr;
    if (access.kind == Access::Kind::scan) {
        scan_ = std::make_unique<store::Cursor>(directory.txn(), store::Db::resources);
        return;
    }
    std::vector<const Access *> ranges, ordered;
    add_parts(access, ranges, ordered);
    Chunks shared = chunks;
    if (!ordered.empty())
        shared.ordered = std::clamp<size_t>(chunks.all_ordered / ordered.size(), 1, chunks.ordered);
    auto add = [&](std::vector<const Access *> parts) {
        auto source =
            std::make_unique<Source>(std::move(parts), catalog, type, directory, after, shared);
        if (!source->empty()) heap_.push_back(std::move(source));
    };
    // First, because most memory is used while they are read.
    if (!ranges.empty()) add(std::move(ranges));
    for (const Access *part : ordered) add({part});
    std::make_heap(heap_.begin(), heap_.end(), Greater());
}

Candidates::~Candidates() = default;
Candidates::Candidates(Candidates &&) noexcept = default;

bool Candidates::next() { return scan_ != nullptr ? next_of_scan() : next_of_sources(); }

bool Candidates::next_of_scan() {
    if (ahead_at_ == ahead_end_) read_ahead();
    if (ahead_at_ == ahead_end_) return false;
    id_ = ahead_[ahead_at_].id;
    record_ = ahead_[ahead_at_].record;
    ahead_at_++;
    return true;
}

// The start of a record, with its table and the attributes that filters often have, is fetched.
void Candidates::read_ahead() {
    constexpr size_t line = 64, fetched = 768;  // bytes
    const store::Key prefix = store::resource_prefix(directory_.tenant(), type_.number);
    ahead_at_ = ahead_end_ = 0;
    while (ahead_end_ < ahead_.size() && !scan_ended_) {
        const bool is_key = step_of_scan() &&
                            scan_->key().size() == prefix.size() + store::id_size &&
                            store::starts_with(scan_->key(), prefix);
        scan_ended_ = !is_key;
        if (scan_ended_) return;
        const store::Bytes record = scan_->value();
        ahead_[ahead_end_++] = {store::id_at(scan_->key(), prefix.size()), record};
        const size_t end = std::min(record.size(), fetched);
        for (size_t at = 0; at < end; at += line) __builtin_prefetch(record.data() + at);
    }
}

// Moves the cursor to the first record, or to the next one.
bool Candidates::step_of_scan() {
    if (std::exchange(scan_begun_, true)) return scan_->next();
    if (!placed_) return scan_->seek(store::resource_prefix(directory_.tenant(), type_.number));
    const store::Key key = store::resource_key(directory_.tenant(), type_.number, id_);
    const bool more = scan_->seek(key);
    return more && scan_->key() == key ? scan_->next() : more;
}

bool Candidates::next_of_sources() {
    while (!heap_.empty()) {
        Source &source = *heap_.front();
        const Id id = source.id();
        std::pop_heap(heap_.begin(), heap_.end(), Greater());
        heap_.back()->pop();
        if (heap_.back()->empty())
            heap_.pop_back();
        else
            std::push_heap(heap_.begin(), heap_.end(), Greater());
        if (placed_ && id == id_) continue;
        id_ = id;
        placed_ = true;
        return true;
    }
    return false;
}

}  // namespace scim::service
