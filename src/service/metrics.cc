#include "service/metrics.h"

#include <cmath>
#include <cstdio>

#include "scim/text/json.h"

namespace scim::service {

namespace {

// A whole number without an exponent, any other with nine digits, which are exact for milliseconds
// and nanoseconds below a second.
void append_value(std::string &out, double value) {
    char text[40];
    const bool is_whole = std::floor(value) == value && std::fabs(value) < 1e15;
    std::snprintf(text, sizeof text, is_whole ? "%.0f" : "%.9g", value);
    out += text;
}

void append_labels(std::string &out, const Sample &sample) {
    if (sample.labels.empty()) return;
    out += '{';
    for (const auto &[name, value] : sample.labels) {
        if (out.back() != '{') out += ',';
        out.append(name).append("=\"");
        for (char c : value) {
            if (c == '\\' || c == '"') out += '\\';
            if (c == '\n')
                out += "\\n";
            else
                out += c;
        }
        out += '"';
    }
    out += '}';
}

}  // namespace

std::string as_prometheus(const std::vector<Metric> &metrics) {
    std::string out;
    for (const Metric &metric : metrics) {
        out.append("# HELP ").append(metric.name).append(" ").append(metric.help);
        out.append("\n# TYPE ").append(metric.name).append(" ").append(metric.type) += '\n';
        for (const Sample &sample : metric.samples) {
            out.append(metric.name).append(sample.suffix);
            append_labels(out, sample);
            out += ' ';
            append_value(out, sample.value);
            out += '\n';
        }
    }
    return out;
}

std::string as_json(const std::vector<Metric> &metrics) {
    std::string out = "{\"metrics\":[";
    auto member = [&](std::string_view name, std::string_view value) {
        write_string(out, name);
        out += ':';
        write_string(out, value);
    };
    for (const Metric &metric : metrics) {
        if (out.back() != '[') out += ',';
        out += '{';
        member("name", metric.name);
        out += ',';
        member("type", metric.type);
        out += ',';
        member("help", metric.help);
        out += ",\"samples\":[";
        for (const Sample &sample : metric.samples) {
            if (out.back() != '[') out += ',';
            out += "{\"labels\":{";
            for (const auto &[name, value] : sample.labels) {
                if (out.back() != '{') out += ',';
                member(name, value);
            }
            out += "},";
            if (!sample.suffix.empty()) {
                member("suffix", sample.suffix.substr(1));
                out += ',';
            }
            out += "\"value\":";
            append_value(out, sample.value);
            out += '}';
        }
        out += "]}";
    }
    return out + "]}";
}

}  // namespace scim::service
