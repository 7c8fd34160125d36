#pragma once
// Metrics as a text for Prometheus (its text format 0.0.4) and as JSON.
//
//     JSON := {"metrics": [{"name", "type", "help", "samples": [{"labels": {…}, "value"}]}]}
//
// A sample of a histogram has the label `le` or, for the sum and the count, the member `suffix`.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace scim::service {

struct Sample {
    std::vector<std::pair<std::string_view, std::string>> labels;
    double value = 0;
    std::string_view suffix;  // "_bucket", "_sum" and "_count" of a histogram
};

struct Metric {
    std::string_view name, type, help;  // type: "counter", "gauge" or "histogram"
    std::vector<Sample> samples;

    void add(std::vector<std::pair<std::string_view, std::string>> labels, double value,
             std::string_view suffix = {}) {
        samples.push_back({std::move(labels), value, suffix});
    }
};

std::string as_prometheus(const std::vector<Metric> &metrics);
std::string as_json(const std::vector<Metric> &metrics);

}  // namespace scim::service
