// Parser and evaluator agree with an evaluator that could not be simpler, over the JSON of the
// resource, on tens of thousands of random filters; and no bytes, however random, crash them.
//
//     SCIM_SEED=n SCIM_CASES=n filter_random.t

#include <cstdlib>

#include "filter_trees.h"

using namespace fixture;

// ---- The naive evaluator ----

static std::vector<json_t *> each(json_t *value) {
    std::vector<json_t *> out;
    if (!value || json_is_null(value)) return out;
    if (!json_is_array(value)) return {value};
    for (size_t i = 0; i < json_array_size(value); i++) out.push_back(json_array_get(value, i));
    return out;
}

static std::vector<json_t *> tops(json_t *body, const char *urn, const char *top) {
    return each(json_object_get(*urn ? json_object_get(body, urn) : body, top));
}

static std::vector<json_t *> values_of(json_t *object) {
    std::vector<json_t *> out;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) for (json_t *one : each(value)) out.push_back(one);
    return out;
}

// The values that a term speaks of, in a resource or in one element.
static std::vector<json_t *> values(const Tree &term, json_t *body, json_t *element) {
    std::vector<json_t *> out;
    if (term.complex) {
        for (json_t *one : tops(body, term.complex->extension, term.complex->top))
            for (json_t *value : values_of(one)) out.push_back(value);
        return out;
    }
    if (element) return each(json_object_get(element, term.known->sub));
    for (json_t *one : tops(body, term.known->extension, term.known->top)) {
        if (!*term.known->sub)
            out.push_back(one);
        else
            for (json_t *value : each(json_object_get(one, term.known->sub))) out.push_back(value);
    }
    return out;
}

template <class T>
static bool in_order(FilterOp op, const T &a, const T &b) {
    return op == FilterOp::eq   ? a == b
           : op == FilterOp::gt ? a > b
           : op == FilterOp::ge ? a >= b
           : op == FilterOp::lt ? a < b
                                : a <= b;
}

static bool compare(const Tree &term, FilterOp op, json_t *value) {
    switch (term.known->type) {
        case Type::boolean: return json_is_true(value) == term.boolean;
        case Type::integer:
        case Type::decimal: {
            long double number = json_is_integer(value) ? (long double)json_integer_value(value)
                                                        : (long double)json_real_value(value);
            return in_order(op, number, term.number.wide());
        }
        case Type::date_time:
            for (const Time &time : times)
                if (same(time.text, json_string_value(value)))
                    return in_order(op, time.microseconds, term.time.microseconds);
            std::abort();
        default: break;
    }
    std::string a = key_of(term.known->matching, text_of(value)),
                b = key_of(term.known->matching, term.text);
    if (op == FilterOp::co) return a.find(b) != a.npos;
    if (op == FilterOp::sw) return a.find(b) == 0;
    if (op == FilterOp::ew)
        return a.size() >= b.size() && a.compare(a.size() - b.size(), a.npos, b) == 0;
    return in_order(op, a, b);
}

static bool naive(const Tree &tree, json_t *body, json_t *element) {
    switch (tree.kind) {
        case Tree::conjunction:
            for (const Tree &child : tree.children)
                if (!naive(child, body, element)) return false;
            return true;
        case Tree::disjunction:
            for (const Tree &child : tree.children)
                if (naive(child, body, element)) return true;
            return false;
        case Tree::negation: return !naive(tree.children[0], body, element);
        case Tree::element:
            for (json_t *one : tops(body, tree.complex->extension, tree.complex->top))
                if (!values_of(one).empty() && naive(tree.children[0], body, one)) return true;
            return false;
        case Tree::term: break;
    }
    std::vector<json_t *> all = values(tree, body, element);
    if (tree.null) return all.empty() == (tree.op == FilterOp::eq);
    bool negated = tree.op == FilterOp::ne;
    for (json_t *value : all) {
        if (tree.op == FilterOp::pr) {
            if (!json_is_string(value) || json_string_length(value) > 0) return true;
        } else if (compare(tree, negated ? FilterOp::eq : tree.op, value)) {
            return !negated;
        }
    }
    return negated;
}

// What the server would add to the body.
static void add_computed(json_t *body) {
    json_object_set_new(body, "id", json_string("0192f7a0-0000-7000-8000-0123456789ab"));
    json_object_set_new(
        body, "meta",
        json_pack("{s:s,s:s}", "created", "2023-11-14T22:13:20.123Z", "resourceType", "User"));
}

// ---- The properties ----

static std::string dump(const json_t *json) {
    std::string out;
    write_value(out, json);
    return out;
}

static void agree(size_t cases) {
    size_t wrong = 0, matching = 0;
    for (size_t i = 0; i < cases && wrong < 5;) {
        User user(dump(random_user().get()));
        add_computed(user.body.get());
        for (size_t k = 0; k < 16 && wrong < 5; k++, i++) {
            Tree tree = random_tree(4, nullptr);
            std::string text = blanks(0) + write_tree(tree, false) + blanks(0);
            FilterLimits limits;
            limits.length = 1 << 20;
            limits.terms = 10000;
            auto filter = parse(text, false, limits);
            bool expected = naive(tree, user.body.get(), nullptr);
            matching += expected;
            if (filter && filter->matches(user.subject) == expected) continue;
            wrong++;
            diag(text);
            diag(filter ? expected ? "should match" : "should not match" : filter.error().detail);
            diag(dump(user.body.get()));
        }
    }
    ok(wrong == 0, std::to_string(cases) + " random filters are what a naive evaluator says");
    ok(matching > cases / 5 && matching < cases * 4 / 5, "about half of them match");
    diag(std::to_string(matching) + " match");
}

// A byte here or there that makes it another filter, or none.
static std::string damaged(std::string text) {
    constexpr const char *pieces[] = {"(",    ")",    "[",    "]",    "\"",   "\\",
                                      " ",    "not(", ".",    "null", "and ", "or ",
                                      "\xff", "e",    "\xc3", "-",    "9",    "eq "};
    for (size_t n = 1 + below(4); n > 0 && !text.empty(); n--) {
        size_t at = below(text.size());
        if (chance(3))
            text.erase(at, 1 + below(8));
        else if (chance(2))
            text.insert(at, pick(pieces));
        else
            text[at] = char(engine());
    }
    return text;
}

static void survive(size_t cases) {
    User user(dump(random_user().get()));
    size_t accepted = 0, named = 0;
    for (size_t i = 0; i < cases; i++) {
        std::string text;
        if (chance(4)) {
            for (size_t n = below(200); n > 0; n--) text += char(engine());
        } else {
            text = damaged(write_tree(random_tree(4, nullptr), false));
        }
        auto filter = parse(text, chance(2));
        if (filter) {
            filter->matches(user.subject);
            accepted++;
        } else {
            named += filter.error().status == 400 &&
                     filter.error().type == ScimType::invalid_filter &&
                     filter.error().detail.compare(0, 11, "The filter ") == 0;
        }
    }
    is(accepted + named, cases, "damaged and random bytes are read, or refused with a sentence");
    diag(std::to_string(accepted) + " were filters all the same");
}

static uint64_t setting(const char *name, uint64_t otherwise) {
    const char *value = std::getenv(name);
    return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

int main() {
    uint64_t seed = setting("SCIM_SEED", std::random_device()());
    engine.seed(seed);
    diag("SCIM_SEED=" + std::to_string(seed));
    size_t cases = setting("SCIM_CASES", 24000);
    agree(cases);
    survive(cases);
    return tap::done();
}
