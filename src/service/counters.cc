#include "service/counters.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "scim/text/text.h"

namespace scim::service {

// The rows of the table in docs/deviations.md, which a test compares; "other" for all others.
const std::array<std::string_view, rewrites_most> rewrites = {"other",
                                                              "active-kept",
                                                              "array-of-one",
                                                              "bare-token",
                                                              "bare-value",
                                                              "bare-word",
                                                              "core-urn",
                                                              "created-element",
                                                              "duplicate-schema",
                                                              "empty-parameter",
                                                              "empty-path",
                                                              "empty-reference",
                                                              "invalid-uri",
                                                              "json-text",
                                                              "filter-in-attributes",
                                                              "extension-not-in-schemas",
                                                              "member-type",
                                                              "filter-on-singular",
                                                              "op-case",
                                                              "operations-case",
                                                              "operations-empty",
                                                              "path-in-value",
                                                              "read-only-value",
                                                              "remove-with-value",
                                                              "schemas-incomplete",
                                                              "schemas-missing",
                                                              "single-value",
                                                              "string-boolean",
                                                              "string-number",
                                                              "unknown-attribute",
                                                              "unknown-schema",
                                                              "value-object",
                                                              "unprefixed-extension",
                                                              "value-path"};

namespace {

template <class Values, class Value>
size_t index_or_first(const Values &values, const Value &value) {
    const auto found = std::find(values.begin(), values.end(), value);
    return found == values.end() ? 0 : size_t(found - values.begin());
}

// Copies the text, cut off, with a terminating zero.
template <size_t size>
void set(char (&to)[size], std::string_view text) {
    const size_t length = std::min(text.size(), size - 1);
    std::memcpy(to, text.data(), length);
    to[length] = '\0';
}

template <size_t size>
bool is(const char (&stored)[size], std::string_view text) {
    return text.substr(0, size - 1) == stored;
}

// The number behind "*" in an entry of the summary, such as "op-case*2"; 1 if there is none.
uint64_t times_of(std::string_view entry) {
    uint32_t times = 0;
    const size_t star = entry.rfind('*');
    return star != entry.npos && read_number(entry.substr(star + 1), times) ? times : 1;
}

}  // namespace

Counters *Counters::create(void *memory, size_t size) {
    if (size < size_least()) return nullptr;
    auto *counters = new (memory) Counters();
    counters->layout = counters_layout;
    counters->tenants = uint32_t((size - sizeof(Counters)) / sizeof(TenantCounters));
    for (uint32_t i = 0; i < counters->tenants; i++) new (&counters->tenant(i)) TenantCounters();
    counters->used = 1;
    return counters;
}

TenantCounters &Counters::find_or_add(std::string_view store, std::string_view name) {
    if (name.empty()) return tenant(0);
    const uint32_t count = used.load();
    for (uint32_t i = 1; i < count; i++)
        if (is(tenant(i).store, store) && is(tenant(i).tenant, name)) return tenant(i);
    if (count == tenants) return tenant(0);
    set(tenant(count).store, store);
    set(tenant(count).tenant, name);
    used.store(count + 1);  // after the names, because readers have no lock
    return tenant(count);
}

void Counters::count_rewrites(std::string_view summary) {
    while (!summary.empty()) {
        const size_t comma = std::min(summary.find(','), summary.size());
        const std::string_view entry = summary.substr(0, comma);
        summary.remove_prefix(std::min(comma + 1, summary.size()));
        const std::string_view name = entry.substr(0, entry.find_first_of("*:"));
        add_to(rewrites[index_or_first(service::rewrites, name)], times_of(entry));
    }
}

void count_refused_token(TenantCounters &tenant, std::string_view error_id) {
    for (size_t i = 0; i < token_refusals.size(); i++)
        if (row_of(token_refusals[i]).id == error_id) add_to(tenant.refused_tokens[i]);
}

void count_request(TenantCounters &tenant, std::string_view operation, uint16_t status) {
    add_to(tenant.requests[index_or_first(operations, operation)][index_or_first(codes, status)]);
}

}  // namespace scim::service
