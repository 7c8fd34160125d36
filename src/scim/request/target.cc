// path  = *"/" [ "v2" 1*"/" ] [ endpoint [ 1*"/" rest ] ] *"/"
// query = parameter *( "&" parameter ); parameter = name [ "=" value ]

#include "scim/request/target.h"

#include <charconv>
#include <limits>
#include <vector>

#include "scim/text/nearest.h"
#include "scim/text/text.h"

namespace scim {

namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

using Segments = std::vector<std::string_view>;

Segments split_path(std::string_view path) {
    Segments all;
    all.reserve(4);  // /v2/Users/{id} and one more
    for (size_t at = 0; at < path.size();) {
        size_t end = std::min(path.find('/', at), path.size());
        if (end > at) all.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return all;
}

// Hints

// The first segments of all endpoints.
Segments known_endpoints(const Catalog &catalog) {
    Segments all;
    for (const auto &view : catalog.types())
        all.push_back(std::string_view(view->type.endpoint).substr(1));
    for (const ProtocolEndpoint &fixed : protocol_endpoints) all.push_back(fixed.segment);
    return all;
}

bool contains(const Segments &segments, std::string_view wanted) {
    for (std::string_view s : segments)
        if (s == wanted) return true;
    return false;
}

// The segment without a plural "s", to compare it with one in the singular.
std::string_view without_s(std::string_view segment) {
    bool plural = !segment.empty() && ascii_lower(segment.back()) == 's';
    return plural ? segment.substr(0, segment.size() - 1) : segment;
}

// The endpoint that differs from `segment` only by case or by a plural "s", or whose resource type
// has that name; empty if there is none.
std::string similar_endpoint(const Catalog &catalog, const Segments &known,
                             std::string_view segment) {
    for (std::string_view k : known)
        if (ascii_iequals(without_s(k), without_s(segment))) return "/" + std::string(k);
    for (const auto &view : catalog.types())
        if (ascii_iequals(view->type.name, segment)) return view->type.endpoint;
    return {};
}

// `segment` with the missing slash inserted: "/v2/Users" for "v2Users", and the same for
// "Users.search" and "Users01930f…". Empty if no slash is missing.
std::string with_slash(const Segments &known, std::string_view segment) {
    auto halves = [&](size_t left) {
        std::string text = "/";
        return text.append(segment, 0, left).append("/").append(segment, left);
    };
    if (starts_with(segment, "v2") && contains(known, segment.substr(2))) return halves(2);
    for (std::string_view k : known) {
        if (!starts_with(segment, k)) continue;
        std::string_view rest = segment.substr(k.size());
        if (rest == ".search" || parse_id(rest)) return halves(k.size());
    }
    return {};
}

std::string slash(std::string_view segment) { return "/" + std::string(segment); }

// The error for `segments[at]`, which should be an endpoint and is not.
Error unknown_endpoint(const Catalog &catalog, const Segments &segments, size_t at) {
    const Segments known = known_endpoints(catalog);
    const std::string asked = slash(segments[at]);

    if (std::string meant = with_slash(known, segments[at]); !meant.empty())
        return Error{Refusal::slash_missing,
                     "a slash is missing in " + quoted(asked) + ": " + did_you_mean(meant)};
    if (std::string meant = similar_endpoint(catalog, known, segments[at]); !meant.empty())
        return Error{Refusal::endpoint_unknown,
                     "there is no endpoint " + quoted(asked) + ": " + did_you_mean(meant)};
    for (size_t i = at + 1; i < segments.size(); i++)
        if (contains(known, segments[i]))
            return Error{Refusal::base_url_twice,
                         "there is no endpoint " + quoted(asked) +
                             "; a part of the base URL seems to be in the path twice: " +
                             did_you_mean(slash(segments[i]))};
    return Error{Refusal::endpoint_unknown,
                 "there is no endpoint " + quoted(asked) +
                     "; /ResourceTypes lists the endpoints of resources"};
}

// Endpoints

// The part of the path behind the segment of the endpoint.
struct Rest {
    std::string_view endpoint;
    Segments segments;
    std::string_view text;  // the same text in the path, without slashes at its ends
};

Error nothing_below(std::string_view path) {
    return Error{Refusal::path_too_deep, "there is nothing below " + quoted(path)};
}

// The error for an endpoint in place of an id: the base URL that the client has ends in an endpoint
// such as "/Users".
Error endpoint_as_id(const TypeView &type, std::string_view name) {
    return Error{Refusal::base_url_has_endpoint,
                 "there is no " + type.type.name + " with the id " + quoted(name) +
                     "; the base URL seems to end in " + quoted(type.type.endpoint) + ": " +
                     did_you_mean(slash(name))};
}

Result<Target> below_type(const Catalog &catalog, const TypeView *type, const Rest &rest) {
    Target target;
    target.endpoint = Endpoint::resources;
    target.type = type;
    if (rest.segments.empty()) return target;

    std::string_view name = rest.segments[0];
    target.id = parse_id(name);
    if (!target.id && name != ".search" && contains(known_endpoints(catalog), name))
        return endpoint_as_id(*type, name);
    if (rest.segments.size() > 1) return nothing_below(type->type.endpoint + slash(name));
    target.endpoint = name == ".search" ? Endpoint::search : Endpoint::resource;
    if (target.endpoint == Endpoint::search) return target;
    if (ascii_iequals(name, ".search"))
        return Error{Refusal::endpoint_unknown,
                     "there is no " + quoted(type->type.endpoint + slash(name)) + ": " +
                         did_you_mean(type->type.endpoint + "/.search")};
    target.name = name;
    return target;
}

Result<Target> below_fixed(const ProtocolEndpoint &fixed, const Rest &rest) {
    Target target;
    target.endpoint = fixed.endpoint;
    if (rest.segments.empty()) return target;

    if (fixed.endpoint == Endpoint::schemas) {
        // The URI of a schema may itself contain slashes.
        target.endpoint = Endpoint::schema;
        target.name = rest.text;
    } else if (fixed.endpoint == Endpoint::resource_types && rest.segments.size() == 1) {
        target.endpoint = Endpoint::resource_type;
        target.name = rest.text;
    } else {
        return nothing_below(slash(rest.endpoint));
    }
    return target;
}

Rest rest_of(std::string_view path, const Segments &segments, size_t at) {
    Rest rest;
    rest.endpoint = segments[at];
    rest.segments.assign(segments.begin() + long(at) + 1, segments.end());
    if (rest.segments.empty()) return rest;
    size_t begin = size_t(rest.segments.front().data() - path.data());
    size_t end = size_t(rest.segments.back().data() - path.data()) + rest.segments.back().size();
    rest.text = path.substr(begin, end - begin);
    return rest;
}

}  // namespace

Result<Target> parse_target(const Catalog &catalog, std::string_view path) {
    const Segments segments = split_path(path);
    if (segments.empty()) return Target();
    // The nginx location /scim/v2 also matches /scim/v2Users.
    if (path[0] != '/')
        return Error{Refusal::slash_missing, "a slash is missing between the base URL and " +
                                                 quoted(path) + ": " + did_you_mean(slash(path))};

    size_t at = 0;
    if (is_version(segments[0])) {
        if (segments[0] != "v2")
            return Error{Refusal::version_unsupported,
                         "version " + quoted(segments[0]) +
                             " of the protocol is not supported, expected \"v2\" or none"};
        if (segments.size() == 1) return Target();
        at = 1;
    }
    if (const TypeView *type = catalog.type_by_endpoint(segments[at]))
        return below_type(catalog, type, rest_of(path, segments, at));
    for (const ProtocolEndpoint &fixed : protocol_endpoints)
        if (fixed.segment == segments[at]) return below_fixed(fixed, rest_of(path, segments, at));
    return unknown_endpoint(catalog, segments, at);
}

// The query string

namespace {

// A query parameter: `text` or `number` is the member of Query that stores it, the other is null.
struct Parameter {
    std::string_view name;
    std::optional<std::string> Query::*text;
    std::optional<int64_t> Query::*number;
};

constexpr Parameter parameters[] = {
    {"filter", &Query::filter, nullptr},
    {"attributes", &Query::attributes, nullptr},
    {"excludedAttributes", &Query::excluded_attributes, nullptr},
    {"sortBy", &Query::sort_by, nullptr},
    {"sortOrder", &Query::sort_order, nullptr},
    {"startIndex", nullptr, &Query::start_index},
    {"count", nullptr, &Query::count},
    {"cursor", &Query::cursor, nullptr},
};

// Decodes %-escapes, and "+" as a blank: RFC 3986 does not define "+" so, but clients send it.
// Returns the first invalid escape, nullopt if there is none.
std::optional<std::string_view> decode(std::string_view raw, std::string &out) {
    const size_t start = out.size();
    out.resize(start + raw.size());  // written in place, because appending each byte takes longer
    char *to = &out[start];
    for (size_t i = 0; i < raw.size(); i++) {
        if (raw[i] != '%') {
            *to++ = raw[i] == '+' ? ' ' : raw[i];
            continue;
        }
        int high = i + 2 < raw.size() ? hex_value(ascii_lower(raw[i + 1])) : -1;
        int low = i + 2 < raw.size() ? hex_value(ascii_lower(raw[i + 2])) : -1;
        if (high < 0 || low < 0) return raw.substr(i, 3);
        *to++ = char(high * 16 + low);
        i += 2;
    }
    out.resize(size_t(to - out.data()));
    return {};
}

bool is_encoded(std::string_view raw) {
    for (char c : raw)
        if (c == '%' || c == '+') return true;
    return false;
}

const Parameter *find_parameter(std::string_view name) {
    std::string decoded;
    if (is_encoded(name)) {
        if (decode(name, decoded)) return nullptr;
        name = decoded;
    }
    for (const Parameter &p : parameters)
        if (ascii_iequals(p.name, name)) return &p;
    return nullptr;
}

bool is_filter(const Parameter &parameter) { return parameter.text == &Query::filter; }

Error bad_value(Refusal refusal, const Parameter &parameter, std::string_view what) {
    std::string detail = "query parameter \"" + std::string(parameter.name) + "\" ";
    return Error{refusal, detail.append(what)};
}

Result<std::string> decode_value(const Parameter &parameter, std::string_view raw) {
    const Refusal refusal =
        is_filter(parameter) ? Refusal::filter_encoding : Refusal::parameter_encoding;
    std::string value;
    if (auto escape = decode(raw, value))
        return bad_value(refusal, parameter,
                         "has the invalid escape " + quoted(*escape) +
                             ", expected \"%\" and two hexadecimal digits");
    if (value.find('\0') != value.npos)
        return bad_value(refusal, parameter,
                         "contains the character U+0000, expected text without it");
    if (!is_utf8(value)) return bad_value(refusal, parameter, "is not valid UTF-8, expected UTF-8");
    return value;
}

// An integer: an optional minus and digits. Values that do not fit 64 bits are clamped. nullopt for
// any other text.
std::optional<int64_t> parse_integer(std::string_view text) {
    bool negative = !text.empty() && text[0] == '-';
    std::string_view digits = text.substr(negative ? 1 : 0);
    if (digits.empty()) return {};
    for (char c : digits)
        if (!is_digit(c)) return {};
    int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc()) return value;
    using Limits = std::numeric_limits<int64_t>;
    return negative ? Limits::min() : Limits::max();
}

Outcome assign(Query &query, const Parameter &parameter, std::string_view raw, Dialect &dialect) {
    Result<std::string> value = decode_value(parameter, raw);
    RETURN_IF_ERROR(value);
    if (parameter.number && value->empty() && dialect.accepts("empty-parameter")) return Done{};
    if (parameter.number) {
        query.*parameter.number = parse_integer(*value);
        if (!(query.*parameter.number))
            return bad_value(Refusal::parameter_type, parameter,
                             "is " + quoted(*value) + ", expected an integer");
        return Done{};
    }
    if (is_filter(parameter) && value->find_first_not_of(' ') == value->npos)
        return bad_value(Refusal::filter_empty, parameter,
                         "is empty, expected a filter such as userName eq \"bjensen\"");
    query.*parameter.text = std::move(*value);
    return Done{};
}

bool is_assigned(const Query &query, const Parameter &parameter) {
    return parameter.number ? (query.*parameter.number).has_value()
                            : (query.*parameter.text).has_value();
}

}  // namespace

Result<Query> parse_query(std::string_view args, Dialect &dialect) {
    Query query;
    for (size_t at = 0; at < args.size();) {
        size_t end = std::min(args.find('&', at), args.size());
        std::string_view pair = args.substr(at, end - at);
        at = end + 1;
        size_t equals = std::min(pair.find('='), pair.size());
        const Parameter *parameter = find_parameter(pair.substr(0, equals));
        if (!parameter || is_assigned(query, *parameter)) continue;
        std::string_view raw = pair.substr(std::min(equals + 1, pair.size()));
        RETURN_IF_ERROR(assign(query, *parameter, raw, dialect));
    }
    return query;
}

}  // namespace scim
