#include "service/import.h"

#include <xxhash.h>

namespace scim::service {

namespace {

constexpr size_t batch_records = 4096, batch_bytes = size_t(8) << 20;

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == line.npos; }

uint64_t digest_of(std::string_view line, uint64_t before) {
    return XXH3_64bits_withSeed(line.data(), line.size(), before);
}

}  // namespace

Outcome Importer::begin(std::string_view line) {
    if (std::exchange(is_begun_, true)) return Done{};
    const uint64_t way = uint64_t(options_.on_conflict) * 2 + options_.keep_ids;
    return transactions_.begin(digest_of(line, way));
}

Outcome Importer::add(std::string line) {
    if (is_blank(line)) {
        lines_++;
        return Done{};
    }
    RETURN_IF_ERROR(begin(line));
    digest_ = digest_of(line, digest_);
    ImportRecord record;
    record.line = ++lines_;
    record.digest = digest_;
    if (batch_.records.empty()) batch_.records.reserve(batch_records);
    batch_.bytes += line.size();
    record.text = std::move(line);
    batch_.records.push_back(std::move(record));
    const bool is_full = batch_.records.size() == batch_records || batch_.bytes >= batch_bytes;
    return is_full ? pass_on() : Done{};
}

Outcome Importer::finish() {
    RETURN_IF_ERROR(begin({}));
    RETURN_IF_ERROR(pass_on());
    return transactions_.finish();
}

Outcome Importer::break_off() { return is_begun_ ? transactions_.break_off() : Done{}; }

Outcome Importer::pass_on() {
    return batch_.records.empty() ? Done{} : transactions_.add(std::exchange(batch_, {}));
}

}  // namespace scim::service
