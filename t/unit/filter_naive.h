#pragma once
// A naive evaluator of filters over the JSON of a resource, with which the results of Filter are
// compared.

#include "filter_trees.h"

namespace fixture {

// ---- The naive evaluator ----

inline std::vector<json_t *> each(json_t *value) {
    std::vector<json_t *> out;
    if (!value || json_is_null(value)) return out;
    if (!json_is_array(value)) return {value};
    for (size_t i = 0; i < json_array_size(value); i++) out.push_back(json_array_get(value, i));
    return out;
}

inline std::vector<json_t *> tops(json_t *body, const char *urn, const char *top) {
    return each(json_object_get(*urn ? json_object_get(body, urn) : body, top));
}

inline std::vector<json_t *> values_of(json_t *object) {
    std::vector<json_t *> out;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) for (json_t *one : each(value)) out.push_back(one);
    return out;
}

// Returns the values that a term reads, in the resource or, if given, in one element.
inline std::vector<json_t *> values(const Tree &term, json_t *body, json_t *element) {
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
inline bool in_order(FilterOp op, const T &a, const T &b) {
    return op == FilterOp::eq   ? a == b
           : op == FilterOp::gt ? a > b
           : op == FilterOp::ge ? a >= b
           : op == FilterOp::lt ? a < b
                                : a <= b;
}

inline bool compare(const Tree &term, FilterOp op, json_t *value) {
    switch (term.known->type) {
        case AttrType::boolean: return json_is_true(value) == term.boolean;
        case AttrType::integer:
        case AttrType::decimal: {
            long double number = json_is_integer(value) ? (long double)json_integer_value(value)
                                                        : (long double)json_real_value(value);
            return in_order(op, number, term.number.wide());
        }
        case AttrType::date_time:
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

inline bool naive(const Tree &tree, json_t *body, json_t *element) {
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

}  // namespace fixture
