#include "scim/resource/resource.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "scim/text/secret.h"

namespace scim {

// Resource

std::string_view Resource::keep(std::string_view bytes) {
    constexpr size_t block_size = 2048;  // bytes; one block is enough for most users
    // A Resource that was moved from has no block, although used_ and size_ are not reset.
    if (blocks_.empty() || size_ - used_ < bytes.size()) {
        const size_t size = std::max(block_size, bytes.size());
        std::unique_ptr<char[]> block(new char[size]);
        blocks_.push_back(std::move(block));  // may throw: the block has an owner by then
        size_ = size;
        used_ = 0;
    }
    char *to = blocks_.back().get() + used_;
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    used_ += bytes.size();
    return {to, bytes.size()};
}

const Leaf *Resource::find(AttrNumber attr) const {
    for (const Leaf &leaf : leaves)
        if (leaf.attr == attr) return &leaf;
    return nullptr;
}

Outcome check_bytes(const std::string &what, size_t bytes) {
    if (bytes <= max_resource_bytes) return Done{};
    return Error{Refusal::resource_too_large,
                 what + " would have " + std::to_string(bytes) + " bytes; 16 MiB are allowed"};
}

// DeviationReport

namespace {

using Notes = std::vector<DeviationReport::Note>;

constexpr size_t max_names = 16;
constexpr std::string_view others = "(others)";

size_t &times_of(Notes &notes, std::string_view name) {
    auto named = [&](std::string_view text) {
        return std::find_if(notes.begin(), notes.end(),
                            [&](const DeviationReport::Note &note) { return note.name == text; });
    };
    auto note = named(name);
    if (note == notes.end() && notes.size() >= max_names) {
        name = others;
        note = named(name);
    }
    if (note != notes.end()) return note->times;
    return notes.emplace_back(DeviationReport::Note{std::string(name), 0}).times;
}

void unite_notes(Notes &mine, const Notes &more) {
    for (const DeviationReport::Note &note : more) {
        size_t &times = times_of(mine, note.name);
        times = std::max(times, note.times);
    }
}

void append_notes(std::string &out, const Notes &notes, std::string_view before) {
    for (const DeviationReport::Note &note : notes) {
        if (!out.empty()) out += ',';
        out.append(before).append(note.name);
        if (note.times > 1) out += "*" + std::to_string(note.times);
    }
}

// A name chosen by the client, made safe for a comma-separated list in a log line: at most 160
// bytes, only characters of paths and URNs. Long names keep their end, where URNs differ.
std::string log_safe(std::string_view name) {
    constexpr size_t limit = 160;  // bytes
    constexpr std::string_view dots = "...";
    std::string out;
    if (name.size() > limit) {
        out = dots;
        name.remove_prefix(name.size() - (limit - dots.size()));
    }
    for (char c : name) {
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && std::strchr("-_.:$[]", c));
        out += plain ? c : '?';
    }
    return out;
}

}  // namespace

void DeviationReport::rewrote(std::string_view what) { times_of(rewrites_, what)++; }

void DeviationReport::ignored(std::string_view attribute) {
    times_of(ignored_, log_safe(without_tokens(attribute)))++;
}

void DeviationReport::unite(const DeviationReport &other) {
    unite_notes(rewrites_, other.rewrites_);
    unite_notes(ignored_, other.ignored_);
}

std::string DeviationReport::summary() const {
    std::string out;
    append_notes(out, rewrites_, "");
    append_notes(out, ignored_, "unknown-attribute:");
    return out;
}

// Writing

namespace {

// Writes the leaves of one resource and opens and closes the arrays and objects around them.
class MembersWriter {
  public:
    MembersWriter(std::string &out, const TypeView &type)
        : out_(out), type_(type), start_(out.size()) {}

    Extent leaf(const Attr &attr, const Leaf &leaf) {
        const Attr &top = attr.top();
        if (&top != top_) {
            open(top);
        } else if (leaf.element != element_ && attr.parent) {
            out_ += "},{";
        }
        element_ = leaf.element;
        comma();
        if (attr.parent) key(attr.def->name);
        out_ += leaf.json;
        return {out_.size() - leaf.json.size(), leaf.json.size()};
    }

    void finish() {
        close_top();
        close_extension();
    }

  private:
    void open(const Attr &top) {
        close_top();
        if (top.extension != extension_) {
            close_extension();
            extension_ = top.extension;
            if (extension_ >= 0) {
                comma();
                write_string(out_, type_.extension_bits[size_t(extension_)]);
                out_ += ":{";
            }
        }
        comma();
        key(top.def->name);
        if (top.def->multi_valued) out_ += '[';
        if (top.def->type == AttrType::complex) out_ += '{';
        top_ = &top;
    }

    void close_top() {
        if (!top_) return;
        if (top_->def->type == AttrType::complex) out_ += '}';
        if (top_->def->multi_valued) out_ += ']';
        top_ = nullptr;
    }

    void close_extension() {
        if (extension_ >= 0) out_ += '}';
        extension_ = -1;
    }

    // Writes a comma if a member or element precedes this one. The last byte tells, because no
    // value ends in an opening bracket.
    void comma() {
        if (out_.size() == start_) return;
        char last = out_.back();
        if (last != '{' && last != '[' && last != ':') out_ += ',';
    }

    // The name of an attribute has no characters that are escaped.
    void key(const std::string &name) { (out_ += '"').append(name) += "\":"; }

    std::string &out_;
    const TypeView &type_;
    const size_t start_;
    const Attr *top_ = nullptr;
    int8_t extension_ = -1;
    uint32_t element_ = 0;
};

}  // namespace

void write_members(std::string &out, const TypeView &type, const std::vector<Leaf> &leaves,
                   const AttrSet *shown, std::vector<Extent> *extents) {
    if (extents) extents->assign(leaves.size(), {});
    MembersWriter writer(out, type);
    for (size_t i = 0; i < leaves.size(); i++) {
        const Attr *attr = type.by_number(leaves[i].attr);
        if (!attr || (extents && !attr->stored()) || (shown && !shown->has(attr->rank))) continue;
        // Stored when the attribute was multi-valued: now its value is that of the first element.
        if (leaves[i].element != 0 && !attr->top().def->multi_valued) continue;
        const Extent extent = writer.leaf(*attr, leaves[i]);
        if (extents) (*extents)[i] = extent;
    }
    writer.finish();
}

void canonical_order(const TypeView &type, std::vector<Leaf> &leaves) {
    if (leaves.size() < 2) return;  // a filter with one attribute, for each resource of a scan
    auto key = [&](const Leaf &leaf) {
        const Attr *attr = type.by_number(leaf.attr);
        if (!attr) return UINT64_MAX;
        return uint64_t(attr->top().rank) << 48 | uint64_t(leaf.element) << 16 | attr->rank;
    };
    uint64_t last = 0;
    bool is_sorted = true;
    for (size_t i = 0; i < leaves.size() && is_sorted; i++) {
        uint64_t next = key(leaves[i]);
        is_sorted = last <= next;
        last = next;
    }
    if (is_sorted) return;  // the usual case; searches call this for every resource
    std::vector<std::pair<uint64_t, size_t>> order(leaves.size());
    for (size_t i = 0; i < leaves.size(); i++) order[i] = {key(leaves[i]), i};
    std::sort(order.begin(), order.end());
    std::vector<Leaf> sorted;
    sorted.reserve(leaves.size());
    for (const auto &o : order) sorted.push_back(leaves[o.second]);
    leaves = std::move(sorted);
}

namespace {

template <class Counts>
uint32_t extensions_of(const TypeView &type, const std::vector<Leaf> &leaves, Counts counts) {
    uint32_t bits = 0;
    for (const Leaf &leaf : leaves) {
        const Attr *attr = type.by_number(leaf.attr);
        if (attr && attr->extension >= 0 && counts(*attr)) bits |= uint32_t(1) << attr->extension;
    }
    return bits;
}

}  // namespace

uint32_t extension_set(const TypeView &type, const std::vector<Leaf> &leaves) {
    return extensions_of(type, leaves, [](const Attr &) { return true; });
}

uint32_t shown_extensions(const TypeView &type, const std::vector<Leaf> &leaves) {
    return extensions_of(type, leaves, [](const Attr &attr) { return !attr.never_returned(); });
}

// Required attributes

namespace {

// An empty string does not satisfy `required` (RFC 7643 4.1.1: userName must be non-empty).
bool satisfies(const Attr &attr, const Leaf &leaf) {
    return leaf.attr == attr.number && leaf.json != "\"\"";
}

bool has_value(const Attr &attr, const std::vector<Leaf> &leaves) {
    for (const Leaf &leaf : leaves) {
        if (satisfies(attr, leaf)) return true;
        for (const Attr *sub : attr.subs)
            if (leaf.attr == sub->number) return true;
    }
    return false;
}

// A required part must have a value in each element of its complex attribute; none is needed if the
// complex attribute is unassigned.
bool in_each_element(const Attr &part, const std::vector<Leaf> &leaves) {
    std::vector<uint32_t> all, with;
    for (const Leaf &leaf : leaves) {
        for (const Attr *sub : part.parent->subs)
            if (leaf.attr == sub->number) all.push_back(leaf.element);
        if (satisfies(part, leaf)) with.push_back(leaf.element);
    }
    std::sort(with.begin(), with.end());
    return std::all_of(all.begin(), all.end(), [&](uint32_t element) {
        return std::binary_search(with.begin(), with.end(), element);
    });
}

Error has_no_value(std::string_view path) {
    return Error{Refusal::required_missing,
                 "\"" + std::string(path) + "\" is required and has no value"};
}

}  // namespace

Outcome check_required(const TypeView &type, const Resource &resource, const Attr **missing) {
    if (missing) *missing = nullptr;
    const std::vector<Leaf> &leaves = resource.leaves;
    const uint32_t present = extension_set(type, leaves);
    auto needed = [&](int bit) {
        return bit < 0 || (present >> bit & 1) || type.extension_required(bit);
    };
    for (const Attr &attr : type.attrs) {
        if (!attr.def->required || attr.computed || attr.discarded) continue;
        if (!needed(attr.extension)) continue;
        bool good = attr.parent ? in_each_element(attr, leaves) : has_value(attr, leaves);
        if (good) continue;
        if (missing) *missing = &attr;
        return has_no_value(attr.path);
    }
    // RFC 7643 6: a required extension must be present even if none of its attributes is required.
    for (const SchemaExtension &e : type.type.extensions) {
        int bit = type.find_extension(e.schema);
        if (e.required && bit >= 0 && !(present >> bit & 1)) return has_no_value(e.schema);
    }
    return Done{};
}

}  // namespace scim
