#include "service/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "scim/text/json.h"

namespace scim::service {

namespace {

constexpr size_t expected_size = 16 << 10;

constexpr size_t value_size_most = 32;

// Writes a whole number without an exponent, any other with nine digits, which are exact for
// milliseconds and nanoseconds below a second. Returns the end of the text, which has at most
// value_size_most bytes.
char *put_value(char *at, double value) {
    char *const end = at + value_size_most;
    const bool is_whole = std::floor(value) == value && std::fabs(value) < 1e15;
    return is_whole ? std::to_chars(at, end, int64_t(value)).ptr
                    : std::to_chars(at, end, value, std::chars_format::general, 9).ptr;
}

char *put(char *at, std::string_view text) { return std::copy(text.begin(), text.end(), at); }

// Writes the value of a label; it becomes up to twice as long.
char *put_escaped(char *at, std::string_view text) {
    for (const char c : text) {
        if (c == '\\' || c == '"' || c == '\n') *at++ = '\\';
        *at++ = c == '\n' ? 'n' : c;
    }
    return at;
}

class PrometheusWriter : public MetricsWriter {
  public:
    PrometheusWriter() { out_.reserve(expected_size); }

    void begin(const Metric &metric) override {
        name_ = metric.name;
        out_.append("# HELP ").append(name_).append(" ").append(metric.help);
        out_.append("\n# TYPE ").append(name_).append(" ").append(metric.type) += '\n';
    }

    void add(const Labels &labels, double value, std::string_view suffix) override {
        constexpr size_t punctuation = 4;  // of a label, and of a sample
        size_t size_most = name_.size() + suffix.size() + value_size_most + punctuation;
        for (const auto &[name, text] : labels)
            size_most += name.size() + 2 * text.size() + punctuation;
        const size_t start = out_.size();
        out_.resize(start + size_most);

        char *at = put(put(&out_[start], name_), suffix);
        char before = '{';
        for (const auto &[name, text] : labels) {
            *at++ = before;
            at = put_escaped(put(put(at, name), "=\""), text);
            *at++ = '"';
            before = ',';
        }
        if (before == ',') *at++ = '}';
        *at++ = ' ';
        at = put_value(at, value);
        *at++ = '\n';
        out_.resize(size_t(at - out_.data()));
    }

    std::string finish() override { return std::move(out_); }

  private:
    std::string out_;
    std::string_view name_;
};

class JsonWriter : public MetricsWriter {
  public:
    JsonWriter() { out_.reserve(expected_size); }

    void begin(const Metric &metric) override {
        if (has_metric_) out_ += "]},";
        has_metric_ = true;
        has_sample_ = false;
        out_ += '{';
        append_member("name", metric.name);
        out_ += ',';
        append_member("type", metric.type);
        out_ += ',';
        append_member("help", metric.help);
        out_ += ",\"samples\":[";
    }

    void add(const Labels &labels, double value, std::string_view suffix) override {
        if (has_sample_) out_ += ',';
        has_sample_ = true;
        out_ += "{\"labels\":{";
        for (const auto &[name, text] : labels) {
            if (out_.back() != '{') out_ += ',';
            append_member(name, text);
        }
        out_ += "},";
        if (!suffix.empty()) {
            append_member("suffix", suffix.substr(1));
            out_ += ',';
        }
        out_ += "\"value\":";
        const size_t start = out_.size();
        out_.resize(start + value_size_most);
        out_.resize(size_t(put_value(&out_[start], value) - out_.data()));
        out_ += '}';
    }

    std::string finish() override {
        out_ += has_metric_ ? "]}]}" : "]}";
        return std::move(out_);
    }

  private:
    void append_member(std::string_view name, std::string_view value) {
        write_string(out_, name);
        out_ += ':';
        write_string(out_, value);
    }

    std::string out_ = "{\"metrics\":[";
    bool has_metric_ = false, has_sample_ = false;
};

}  // namespace

std::unique_ptr<MetricsWriter> prometheus_writer() { return std::make_unique<PrometheusWriter>(); }
std::unique_ptr<MetricsWriter> json_writer() { return std::make_unique<JsonWriter>(); }

}  // namespace scim::service
