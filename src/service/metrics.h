#pragma once
// Writes metrics as a text for Prometheus (its text format 0.0.4) or as JSON.
//
//     JSON := {"metrics": [{"name", "type", "help", "samples": [{"labels": {…}, "value"}]}]}
//
// A sample of a histogram has the label `le` or, for the sum and the count, the member `suffix`.
// A sample is written when it is added and costs no allocation but the growth of the text.

#include <cassert>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace scim::service {

struct Metric {
    std::string_view name, type, help;  // type: "counter", "gauge" or "histogram"
};

// The labels of a sample, at most `most`, as names and values. They own no text.
class Labels {
  public:
    using Label = std::pair<std::string_view, std::string_view>;
    static constexpr size_t most = 4;

    // REQUIRES: at most `most`, here and in with().
    Labels(std::initializer_list<Label> labels) {
        assert(labels.size() <= most);
        for (const Label &label : labels) labels_[count_++] = label;
    }
    // These labels and one more.
    Labels with(std::string_view name, std::string_view value) const {
        Labels labels = *this;
        assert(labels.count_ < most);
        labels.labels_[labels.count_++] = {name, value};
        return labels;
    }
    const Label *begin() const { return labels_; }
    const Label *end() const { return labels_ + count_; }

  private:
    Label labels_[most];
    size_t count_ = 0;
};

class MetricsWriter {
  public:
    virtual ~MetricsWriter() = default;
    // The samples up to the next call are of this metric.
    virtual void begin(const Metric &metric) = 0;
    // `suffix`: "_bucket", "_sum" or "_count" of a histogram.
    virtual void add(const Labels &labels, double value, std::string_view suffix = {}) = 0;
    // The whole text. REQUIRES: nothing is added afterwards.
    virtual std::string finish() = 0;
};

std::unique_ptr<MetricsWriter> prometheus_writer();
std::unique_ptr<MetricsWriter> json_writer();

}  // namespace scim::service
