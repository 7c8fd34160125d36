#include "service/content_type.h"

#include <algorithm>
#include <optional>

#include "scim/text/text.h"

namespace scim::service {

namespace {

std::string_view trim(std::string_view s) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
    return s;
}

// Removes and returns the trimmed text before the first `separator`, and removes the separator.
std::string_view take(std::string_view &rest, char separator) {
    const size_t end = rest.find(separator);
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    return trim(part);
}

// A qvalue of RFC 9110 12.4.2 in thousandths: "0.7" is 700.
std::optional<int> parse_weight(std::string_view text) {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return {};
    if (text.size() > 1 && text[1] != '.') return {};
    int weight = (text[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < text.size(); i++, unit /= 10) {
        if (text[i] < '0' || text[i] > '9') return {};
        weight += (text[i] - '0') * unit;
    }
    if (weight > 1000) return {};
    return weight;
}

// The weight among the parameters of a media range, in thousandths; 1000 if there is none.
std::optional<int> weight_of(std::string_view parameters) {
    while (!parameters.empty()) {
        std::string_view parameter = take(parameters, ';');
        if (ascii_iequals(parameter.substr(0, 2), "q=")) return parse_weight(parameter.substr(2));
    }
    return 1000;
}

}  // namespace

// 0 if the range does not contain the type.
int AcceptedTypes::specificity_of(std::string_view range, std::string_view type) {
    if (ascii_iequals(range, type)) return 3;
    if (range == "*/*") return 1;
    const std::string_view main_type = type.substr(0, type.find('/') + 1);
    return range.size() == main_type.size() + 1 && range.back() == '*' &&
                   ascii_iequals(range.substr(0, main_type.size()), main_type)
               ? 2
               : 0;
}

void AcceptedTypes::raise(Candidate &candidate, std::string_view range, int weight) {
    Quality &quality = candidate.quality;
    const int specificity = specificity_of(range, candidate.type);
    if (specificity == 0 || specificity < quality.specificity) return;
    const bool is_first = specificity > quality.specificity;
    quality = {specificity, is_first ? weight : std::max(weight, quality.weight)};
}

void AcceptedTypes::add(std::string_view field) {
    if (field == usual_.type) return raise(usual_, field, 1000);  // what most clients send
    while (!field.empty()) {
        std::string_view parameters = take(field, ',');
        const std::string_view range = take(parameters, ';');
        const auto weight = weight_of(parameters);
        if (!weight) continue;
        raise(usual_, range, *weight);
        raise(other_, range, *weight);
    }
}

std::string_view AcceptedTypes::answer_type() const {
    return other_.quality.weight > usual_.quality.weight ? other_.type : usual_.type;
}

Outcome check_content_type(const Request &request) {
    std::string_view parameters = request.content_type;
    const std::string_view media = take(parameters, ';');
    if (!media.empty() && !ascii_iequals(media, "application/scim+json") &&
        !ascii_iequals(media, "application/json"))
        return Error{Refusal::content_type,
                     "the body is " + quoted(media) + "; send Content-Type: application/scim+json"};
    std::string_view encoding = request.content_encoding;
    if (!encoding.empty() && !ascii_iequals(encoding, "identity"))
        return Error{Refusal::content_encoding, "the body is encoded as " + quoted(encoding) +
                                                    "; send it without Content-Encoding"};
    return Done{};
}

}  // namespace scim::service
