#pragma once
// Random users, random filters as trees, and random ways to write such a tree as text.

#include <cctype>
#include <cstdlib>
#include <random>
#include <vector>

#include "filter_fixture.h"
#include "scim/text/unicode.h"

namespace fixture {

// ---- Random numbers ----

inline std::mt19937_64 engine;

inline uint64_t setting(const char *name, uint64_t default_value) {
    const char *value = std::getenv(name);
    return value ? std::strtoull(value, nullptr, 10) : default_value;
}

// Seeds the random engine with SCIM_SEED, or with a random number, and prints it.
inline void seed_from_environment() {
    const uint64_t seed = setting("SCIM_SEED", std::random_device()());
    engine.seed(seed);
    diag("SCIM_SEED=" + std::to_string(seed));
}

inline size_t below(size_t n) { return size_t(engine() % n); }
inline bool chance(size_t one_in) { return below(one_in) == 0; }

template <class T, size_t n>
const T &pick(const T (&from)[n]) {
    return from[below(n)];
}

// ---- The values of resources and literals ----

inline constexpr const char *texts[] = {"",
                                        "a",
                                        "A",
                                        "ab",
                                        "AB",
                                        "b",
                                        "aab",
                                        "stra\u00dfe",
                                        "STRASSE",
                                        "\u00e5",
                                        "A\u030a",
                                        "x\"y",
                                        "x\\y",
                                        "\n\t",
                                        ",]",
                                        "[a]",
                                        "\U0001F600",
                                        "\uff21b",
                                        "a b",
                                        "abcdefghijklmnop",
                                        "ABCDEFGHIJKLMNOPQ",
                                        "and"};
inline constexpr const char *words[] = {"Work", "work", "HOME", "home", "other"};
inline constexpr const char *base64[] = {"QUJD", "qujd", "AAAA", ""};
inline constexpr int64_t integers[] = {
    0, 1, -1, 2, 1000, INT64_MAX, INT64_MIN, INT64_MAX - 1, 9007199254740992, 9007199254740993};
inline constexpr double decimals[] = {0.5, -0.5, 1.25, 1e300, -1e300, 2.5, 1e-7, 0.1};

struct Time {
    const char *text;
    int64_t microseconds;
};
inline constexpr Time times[] = {{"1970-01-01T00:00:00Z", 0},
                                 {"1970-01-01T00:00:00", 0},
                                 {"1970-01-01T02:00:00+02:00", 0},
                                 {"1970-01-01T00:00:00.000001Z", 1},
                                 {"1969-12-31T23:59:59.5Z", -500000},
                                 {"1970-01-01T00:00:01Z", 1000000},
                                 {"2023-11-14T22:13:20.123Z", 1700000000123000},
                                 {"2023-11-14T22:13:20.124Z", 1700000000124000}};

inline constexpr const char *acme = "urn:example:acme:2.0:User";

// An attribute as the tests know it, independent of the catalog.
struct Known {
    const char *extension, *top, *sub;  // "" if there is none
    AttrType type;
    Matching matching = Matching::folded;
    bool computed = false;
};
inline constexpr Known attributes[] = {
    {"", "userName", "", AttrType::string, Matching::username},
    {"", "displayName", "", AttrType::string},
    {"", "externalId", "", AttrType::string, Matching::exact},
    {"", "active", "", AttrType::boolean},
    {"", "name", "familyName", AttrType::string},
    {"", "name", "givenName", AttrType::string},
    {"", "emails", "value", AttrType::string},
    {"", "emails", "type", AttrType::string},
    {"", "emails", "primary", AttrType::boolean},
    {acme, "level", "", AttrType::integer},
    {acme, "score", "", AttrType::decimal},
    {acme, "since", "", AttrType::date_time},
    {acme, "badge", "", AttrType::binary, Matching::exact},
    {acme, "site", "", AttrType::reference, Matching::exact},
    {acme, "code", "", AttrType::string, Matching::exact},
    {acme, "ranks", "", AttrType::integer},
    {acme, "words", "", AttrType::string},
    {acme, "seat", "value", AttrType::string},
    {acme, "seat", "floor", AttrType::integer},
    {acme, "seat", "tags", AttrType::string},
    {"", "id", "", AttrType::string, Matching::exact, true},
    {"", "groups", "value", AttrType::string, Matching::exact, true},
    {"", "groups", "display", AttrType::string, Matching::folded, true},
    {"", "groups", "type", AttrType::string, Matching::folded, true},
    {"", "meta", "created", AttrType::date_time, Matching::exact, true},
    {"", "meta", "resourceType", AttrType::string, Matching::exact, true},
};
struct Complex {
    const char *extension, *top;
};
inline constexpr Complex complexes[] = {
    {"", "name"}, {"", "emails"}, {acme, "seat"}, {"", "groups"}};

// The ids that a literal may have. The last `known_groups` are those of groups.
inline std::vector<std::string> known_ids;
inline size_t known_groups = 0;

inline bool same(const char *a, const char *b) { return std::string_view(a) == b; }

// ---- Resources ----

inline json_t *random_value(AttrType type) {
    switch (type) {
        case AttrType::boolean: return json_boolean(chance(2));
        case AttrType::integer: return json_integer(pick(integers));
        case AttrType::decimal:
            return chance(2) ? json_real(pick(decimals)) : json_integer(pick(integers));
        case AttrType::date_time: return json_string(pick(times).text);
        case AttrType::binary: return json_string(pick(base64));
        default: return json_string(chance(3) ? pick(words) : pick(texts));
    }
}

inline json_t *random_list(AttrType type) {
    json_t *list = json_array();
    for (size_t n = below(4); n > 0; n--) json_array_append_new(list, random_value(type));
    return list;
}

inline bool is_list(const Known &known) {
    return same(known.top, "ranks") || same(known.top, "words") || same(known.sub, "tags");
}

inline json_t *random_parts(const Complex &complex, bool may_be_primary) {
    json_t *object = json_object();
    for (const Known &known : attributes) {
        if (!same(known.top, complex.top) || chance(3)) continue;
        if (known.type == AttrType::boolean && !may_be_primary) continue;
        json_object_set_new(object, known.sub,
                            is_list(known) ? random_list(known.type) : random_value(known.type));
    }
    return object;
}

// Appends the element unless the list has one of the same type and value: read_resource() would
// merge the two.
inline void append_element(json_t *list, json_t *element) {
    auto part = [](const json_t *of, const char *name) { return json_object_get(of, name); };
    auto alike = [](const json_t *a, const json_t *b) {
        return a == b || json_equal(a, b) != 0;  // both may be missing
    };
    size_t i;
    const json_t *other;
    json_array_foreach(list, i, other) {
        if (alike(part(other, "type"), part(element, "type")) &&
            alike(part(other, "value"), part(element, "value")))
            return json_decref(element);
    }
    json_array_append_new(list, element);
}

inline Json random_user() {
    json_t *body = json_pack("{s:[s]}", "schemas", "urn:ietf:params:scim:schemas:core:2.0:User");
    json_t *extension = json_object();
    auto container = [&](const char *urn) { return *urn ? extension : body; };
    for (const Known &known : attributes) {
        if (*known.sub || known.computed || chance(3)) continue;
        json_object_set_new(container(known.extension), known.top,
                            is_list(known) ? random_list(known.type) : random_value(known.type));
        // A userName that is blank is refused.
        if (same(known.top, "userName") &&
            is_blank(json_string_value(json_object_get(body, known.top))))
            json_object_del(body, known.top);
    }
    for (const Complex &complex : complexes) {
        if (chance(4) || same(complex.top, "groups")) continue;
        json_t *value = nullptr;
        if (same(complex.top, "name")) {
            value = random_parts(complex, false);
        } else {
            value = json_array();
            size_t n = below(4), primary = below(4);
            for (size_t i = 0; i < n; i++)
                append_element(value, random_parts(complex, i == primary));
        }
        json_object_set_new(container(complex.extension), complex.top, value);
    }
    json_object_set_new(body, acme, extension);
    return Json(body);
}

// ---- Filters ----

struct Number {
    bool is_integer = true;
    int64_t integer = 0;
    double decimal = 0;
    // A type that holds both exactly on the tested platforms.
    long double wide() const { return is_integer ? (long double)integer : (long double)decimal; }
};

struct Tree {
    enum Kind { conjunction, disjunction, negation, term, element } kind = term;
    std::vector<Tree> children;
    const Complex *complex =
        nullptr;                   // of an element, or of a term about a whole complex attribute
    const Known *known = nullptr;  // of any other term
    FilterOp op = FilterOp::pr;
    bool null = false, boolean = false;
    Number number;
    Time time{"", 0};
    std::string text;
};

inline FilterOp random_op(AttrType type) {
    constexpr FilterOp all[] = {FilterOp::pr, FilterOp::eq, FilterOp::ne, FilterOp::co,
                                FilterOp::sw, FilterOp::ew, FilterOp::gt, FilterOp::ge,
                                FilterOp::lt, FilterOp::le};
    constexpr FilterOp ordered[] = {FilterOp::pr, FilterOp::eq, FilterOp::ne, FilterOp::gt,
                                    FilterOp::ge, FilterOp::lt, FilterOp::le};
    constexpr FilterOp equal[] = {FilterOp::pr, FilterOp::eq, FilterOp::ne};
    if (type == AttrType::boolean || type == AttrType::binary || type == AttrType::complex)
        return pick(equal);
    return type == AttrType::string || type == AttrType::reference ? pick(all) : pick(ordered);
}

inline void random_literal(Tree &tree, AttrType type) {
    bool may_be_null = tree.op == FilterOp::eq || tree.op == FilterOp::ne;
    tree.null = may_be_null && (type == AttrType::complex || chance(8));
    tree.boolean = chance(2);
    tree.number.is_integer = chance(2);
    tree.number.integer = pick(integers);
    tree.number.decimal = pick(decimals);
    tree.time = pick(times);
    tree.text = type == AttrType::binary ? pick(base64) : chance(3) ? pick(words) : pick(texts);
    bool is_id = tree.known && (same(tree.known->top, "id") || same(tree.known->top, "groups"));
    if (is_id && chance(2))
        tree.text = known_ids.empty() ? "0192f7a0-0000-7000-8000-0123456789ab"
                    : same(tree.known->top, "id")
                        ? known_ids[below(known_ids.size())]
                        : known_ids[known_ids.size() - 1 - below(known_groups)];
    if (tree.known && same(tree.known->sub, "resourceType") && chance(2)) tree.text = "User";
}

// Returns a term inside an element of `complex` if it is given.
inline Tree random_term(const Complex *complex) {
    Tree tree;
    if (!complex && chance(8)) {
        tree.complex = &pick(complexes);
        tree.op = random_op(AttrType::complex);
        random_literal(tree, AttrType::complex);
        return tree;
    }
    do tree.known = &pick(attributes);
    while (complex && !same(tree.known->top, complex->top));
    tree.op = random_op(tree.known->type);
    random_literal(tree, tree.known->type);
    return tree;
}

inline Tree random_tree(size_t depth, const Complex *complex) {
    size_t kind = depth == 0 ? 9 : below(10);
    Tree tree;
    if (kind <= 4) {
        tree.kind = kind <= 1 ? Tree::conjunction : kind <= 3 ? Tree::disjunction : Tree::negation;
        size_t n = tree.kind == Tree::negation ? 1 : 2 + below(3);
        for (size_t i = 0; i < n; i++) tree.children.push_back(random_tree(depth - 1, complex));
        return tree;
    }
    if (kind > 6 || complex) return random_term(complex);
    tree.kind = Tree::element;
    tree.complex = &pick(complexes);
    tree.children.push_back(random_tree(depth - 1, tree.complex));
    return tree;
}

// ---- Writing as text ----

inline std::string any_case(std::string_view word) {
    std::string out(word);
    for (char &c : out)
        if (chance(4)) c = char(std::toupper(c));
    return out;
}

inline std::string blanks(size_t at_least) {
    std::string out(at_least, ' ');
    while (chance(6)) out += chance(4) ? '\t' : ' ';
    return out;
}

inline std::string write_text(std::string_view text) {
    std::string out;
    write_string(out, text);
    // Writes some letters as escapes if the text has no other escapes.
    if (out.find('\\') != out.npos || !chance(3)) return out;
    std::string escaped;
    for (char c : out) {
        char buffer[8];
        std::snprintf(buffer, sizeof buffer, "\\u%04x", unsigned(c));
        escaped += c >= 'A' && chance(3) ? buffer : std::string(1, c);
    }
    return escaped;
}

inline std::string write_literal(const Tree &tree) {
    if (tree.null) return any_case("null");
    switch (tree.known->type) {
        case AttrType::boolean: {
            std::string word = any_case(tree.boolean ? "true" : "false");
            return chance(4) ? "\"" + word + "\"" : word;
        }
        case AttrType::integer:
        case AttrType::decimal: {
            char buffer[64];
            if (tree.number.is_integer)
                std::snprintf(buffer, sizeof buffer, "%lld", (long long)tree.number.integer);
            else
                std::snprintf(buffer, sizeof buffer, "%.17g", tree.number.decimal);
            return buffer;
        }
        case AttrType::date_time: return write_text(tree.time.text);
        default:
            bool is_word = same(tree.text.c_str(), "ab") || same(tree.text.c_str(), "home");
            if (is_word && tree.known->type == AttrType::string && chance(2)) return tree.text;
            return write_text(tree.text);
    }
}

inline std::string path_of(const char *urn, const char *top, const char *sub) {
    std::string out;
    bool qualified = *urn && (same(top, "words") || chance(2));
    if (qualified) out = std::string(urn) + ":";
    out += top;
    if (*sub) out += std::string(".") + sub;
    return any_case(out);
}

// Writes the operator and the literal, which follow the name of the attribute.
inline std::string write_relation(const Tree &tree) {
    std::string out = blanks(1) + any_case(to_string(tree.op));
    if (tree.op == FilterOp::pr) return out;
    std::string literal = write_literal(tree);
    return out + blanks(literal[0] == '"' ? below(2) : 1) + literal;
}

inline std::string write_tree(const Tree &tree, bool inside);

inline std::string write_element(const Tree &tree) {
    const Tree &inner = tree.children[0];
    std::string out = path_of(tree.complex->extension, tree.complex->top, "") + "[" + blanks(0);
    // Writes `a[x and y].b …` instead of `a[x and y and b …]`.
    const Tree *last = inner.children.empty() ? nullptr : &inner.children.back();
    if (inner.kind == Tree::conjunction && last->kind == Tree::term && chance(2)) {
        Tree rest = inner;
        rest.children.pop_back();
        return out + write_tree(rest, true) + blanks(0) + "]." + any_case(last->known->sub) +
               write_relation(*last);
    }
    return out + write_tree(inner, true) + blanks(0) + "]";
}

inline std::string write_chain(const Tree &tree, bool inside) {
    std::string out;
    for (const Tree &child : tree.children) {
        if (!out.empty())
            out += blanks(1) + any_case(tree.kind == Tree::conjunction ? "and" : "or") + blanks(1);
        bool needs = tree.kind == Tree::conjunction && child.kind == Tree::disjunction &&
                     child.children.size() > 1;
        bool wrapped = needs || chance(5);
        out += wrapped ? "(" + blanks(0) + write_tree(child, inside) + blanks(0) + ")"
                       : write_tree(child, inside);
    }
    return out;
}

inline std::string write_tree(const Tree &tree, bool inside) {
    switch (tree.kind) {
        case Tree::conjunction:
        case Tree::disjunction: return write_chain(tree, inside);
        case Tree::negation:
            return any_case("not") + blanks(below(2)) + "(" + write_tree(tree.children[0], inside) +
                   blanks(0) + ")";
        case Tree::element: return write_element(tree);
        case Tree::term: break;
    }
    if (tree.complex)
        return path_of(tree.complex->extension, tree.complex->top, "") + write_relation(tree);
    if (inside) return any_case(tree.known->sub) + write_relation(tree);
    return path_of(tree.known->extension, tree.known->top, tree.known->sub) + write_relation(tree);
}

}  // namespace fixture
