#pragma once
// A naive model of PATCH on JSON trees, element by element. It uses nothing of src/scim but Json
// and is_assigned(). The model reads an Op as a struct; the server reads its JSON.

#include <jansson.h>

#include <algorithm>
#include <string>
#include <vector>

#include "scim/text/json.h"

namespace model {

using scim::is_assigned;
using scim::Json;

inline Json copy(const json_t *value) { return Json(value ? json_deep_copy(value) : nullptr); }

struct Attribute {
    std::string extension;  // URN, or empty
    std::string name;
    bool multi_valued = false, complex = false;
    std::vector<std::string> parts;
    bool is_manager = false;
};

// The term "part op literal". `pr` has no literal.
struct Term {
    std::string part, op;
    Json literal;
    bool exact = false;  // compares with case
};

struct Filter {
    std::vector<Term> terms;
    bool any = false;  // the terms are joined by or, else by and
};

struct Op {
    std::string op;
    const Attribute *attr = nullptr;
    Filter filter;
    std::string part;
    Json value;  // a null pointer if absent
};

inline std::string lower(std::string text) {
    for (char &c : text)
        if (c >= 'A' && c <= 'Z') c = char(c + 32);
    return text;
}

inline bool same(const json_t *a, const json_t *b, bool exact = false) {
    if (!exact && json_is_string(a) && json_is_string(b))
        return lower(json_string_value(a)) == lower(json_string_value(b));
    return json_equal(a, b);
}

inline bool satisfies(const json_t *value, const Term &term) {
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            if (satisfies(json_array_get(value, i), term)) return true;
        return false;
    }
    if (!value) return false;
    if (term.op == "eq") return same(value, term.literal.get(), term.exact);
    if (term.op == "sw") {
        std::string text = json_string_value(value), start = json_string_value(term.literal.get());
        if (!term.exact) {
            text = lower(text);
            start = lower(start);
        }
        return text.rfind(start, 0) == 0;
    }
    return json_integer_value(value) > json_integer_value(term.literal.get());  // gt
}

inline bool matches(const json_t *element, const Term &term) {
    const json_t *value = json_object_get(element, term.part.c_str());
    const bool null = json_is_null(term.literal.get());
    if (term.op == "pr") return value && !(json_is_string(value) && !json_string_length(value));
    if (null) return (term.op == "eq") == !value;
    if (term.op == "ne") {
        Term eq{term.part, "eq", copy(term.literal.get()), term.exact};
        return !satisfies(value, eq);
    }
    return satisfies(value, term);
}

inline bool matches(const json_t *element, const Filter &filter) {
    for (const Term &term : filter.terms)
        if (matches(element, term) == filter.any) return filter.any;
    return !filter.any;
}

inline bool is_eq(const Term &term) { return term.op == "eq" && !json_is_null(term.literal.get()); }

// Returns the element that the filter describes, or a null pointer if it describes none.
inline Json described(const Attribute &attr, const Filter &filter) {
    Json element(json_object());
    if (filter.any) return Json();
    for (const Term &term : filter.terms) {
        if (term.op != "eq") return Json();
        if (!is_eq(term) || json_object_get(element.get(), term.part.c_str())) continue;
        Json value = copy(term.literal.get());
        if (attr.name == "seat" && term.part == "tags") {
            Json array(json_array());
            json_array_append(array.get(), value.get());
            value = std::move(array);
        }
        json_object_set(element.get(), term.part.c_str(), value.get());
    }
    return matches(element.get(), filter) ? std::move(element) : Json();
}

inline bool pins(const Filter &filter, const std::string &part) {
    if (filter.any) return false;
    for (const Term &term : filter.terms)
        if (is_eq(term) && term.part == part) return true;
    return false;
}

inline bool is_primary(const json_t *element) {
    return json_is_true(json_object_get(element, "primary"));
}

// Returns what identifies an element: its type and value, if it has a value and may have a type,
// else all of it but primary.
inline Json identity(const Attribute &attr, const json_t *element) {
    Json out = copy(element);
    if (!json_is_object(element)) return out;
    const bool pair = std::count(attr.parts.begin(), attr.parts.end(), "type") &&
                      json_object_get(element, "value");
    for (const std::string &part : attr.parts)
        if (pair ? part != "type" && part != "value" : part == "primary")
            json_object_del(out.get(), part.c_str());
    return out;
}

inline json_t *find_same(const Attribute &attr, const json_t *list, const json_t *element) {
    const Json wanted = identity(attr, element);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *one = json_array_get(list, i);
        if (json_equal(identity(attr, one).get(), wanted.get())) return one;
    }
    return nullptr;
}

inline void only_primary(json_t *list, const json_t *winner) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *element = json_array_get(list, i);
        if (element != winner && is_primary(element))
            json_object_set_new(element, "primary", json_false());
    }
}

inline bool contains(const json_t *list, const json_t *value) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), value)) return true;
    return false;
}

Json clean_list(const json_t *list);

// Returns the value without its unassigned parts, or a null pointer if nothing is left.
inline Json clean(const json_t *value) {
    if (!is_assigned(value)) return Json();
    if (json_is_array(value)) return clean_list(value);
    if (!json_is_object(value)) return copy(value);
    Json out(json_object());
    const char *key;
    json_t *part;
    json_object_foreach(const_cast<json_t *>(value), key, part) {
        Json left = clean(part);
        if (left) json_object_set(out.get(), key, left.get());
    }
    return json_object_size(out.get()) ? std::move(out) : Json();
}

// Returns the list without unassigned and repeated values.
inline Json clean_list(const json_t *list) {
    Json out(json_array());
    for (size_t i = 0; i < json_array_size(list); i++) {
        Json element = clean(json_array_get(list, i));
        if (element && !contains(out.get(), element.get()))
            json_array_append(out.get(), element.get());
    }
    return out;
}

// Merges elements of the same identity: the sub-attributes of the last win, but the result is
// primary if one of them is.
inline Json united(const Attribute &attr, const json_t *list) {
    Json out(json_array());
    for (size_t i = 0; i < json_array_size(list); i++) {
        const Json element = clean(json_array_get(list, i));
        if (!element) continue;
        json_t *same = find_same(attr, out.get(), element.get());
        if (!same) {
            json_array_append(out.get(), element.get());
            continue;
        }
        const bool primary = is_primary(same);
        json_object_update(same, element.get());
        if (primary) json_object_set_new(same, "primary", json_true());
    }
    return out;
}

// Whether `element` has all sub-attributes of `listed` with the same values.
inline bool covers(const json_t *element, const json_t *listed) {
    if (!json_is_object(element)) return same(element, listed);
    const char *key;
    json_t *part;
    json_object_foreach(const_cast<json_t *>(listed), key, part) {
        const json_t *has = json_object_get(element, key);
        if (!has || !same(has, part)) return false;
    }
    return true;
}

class Resource {
  public:
    explicit Resource(const json_t *root) : root_(copy(root)) {}

    const json_t *tree() const { return root_.get(); }

    // Returns false for noTarget.
    bool apply(const Op &op) {
        json_t *parent = root_.get();
        const std::string &urn = op.attr->extension;
        if (!urn.empty()) {
            if (!json_object_get(parent, urn.c_str()))
                json_object_set_new(parent, urn.c_str(), json_object());
            parent = json_object_get(parent, urn.c_str());
        }
        const char *name = op.attr->name.c_str();
        Json now = copy(json_object_get(parent, name));
        bool good = true;
        now = op.attr->multi_valued ? changed_list(op, std::move(now), good)
                                    : changed(op, std::move(now), good);
        Json left = json_is_array(now.get()) ? clean_list(now.get()) : clean(now.get());
        if (is_assigned(left.get()))
            json_object_set(parent, name, op.attr->multi_valued ? now.get() : left.get());
        else
            json_object_del(parent, name);
        if (!urn.empty() && json_object_size(parent) == 0)
            json_object_del(root_.get(), urn.c_str());
        return good;
    }

    // Merges elements that became equal. To be called after the last operation.
    void finish(const std::vector<Attribute> &attributes) {
        for (const Attribute &attr : attributes) {
            json_t *parent = attr.extension.empty()
                                 ? root_.get()
                                 : json_object_get(root_.get(), attr.extension.c_str());
            const json_t *list = json_object_get(parent, attr.name.c_str());
            if (!json_is_array(list)) continue;
            Json cleaned = united(attr, list);
            json_object_set(parent, attr.name.c_str(), cleaned.get());
        }
    }

  private:
    static bool unassigns_manager(const Op &op) {
        const json_t *value = op.value.get();
        if (json_is_object(value)) value = json_object_get(value, "value");
        return op.attr->is_manager && json_is_string(value) && !json_string_length(value);
    }

    // Returns the new value of a single-valued attribute.
    static Json changed(const Op &op, Json now, bool &good) {
        bool remove = op.op == "remove";
        const json_t *value = op.value.get();
        if (!remove && !is_assigned(value)) {
            if (op.op == "add") return now;
            remove = true;
        }
        bool whole = op.part.empty();
        if (!remove && unassigns_manager(op)) remove = whole = true;
        if (!op.filter.terms.empty()) {
            if (remove && !(now && matches(now.get(), op.filter))) return now;
            if (!remove) return changed_element(op, std::move(now), good);
        }
        // `active` is never unassigned.
        if (remove && whole) return op.attr->name == "active" ? std::move(now) : Json();
        if (!op.attr->complex) return copy(value);
        if (!now) now.reset(json_object());
        if (!whole) {
            if (remove)
                json_object_del(now.get(), op.part.c_str());
            else
                json_object_set(now.get(), op.part.c_str(), copy(value).get());
            return now;
        }
        const char *key;
        json_t *part;
        json_object_foreach(const_cast<json_t *>(value), key, part) {
            if (is_assigned(part))
                json_object_set(now.get(), key, part);
            else if (op.op == "replace")
                json_object_del(now.get(), key);
        }
        return now;
    }

    // Changes the value as if it were the only element of a list.
    static Json changed_element(const Op &op, Json now, bool &good) {
        Json list(json_array());
        if (now) json_array_append(list.get(), now.get());
        std::vector<bool> target(json_array_size(list.get()));
        for (size_t i = 0; i < target.size(); i++) target[i] = matches(now.get(), op.filter);
        change_selected(op, list.get(), target, good);
        return copy(json_array_get(list.get(), 0));
    }

    static void erase(json_t *list, const std::vector<bool> &goes) {
        for (size_t i = goes.size(); i-- > 0;)
            if (goes[i] || (json_is_object(json_array_get(list, i)) &&
                            json_object_size(json_array_get(list, i)) == 0))
                json_array_remove(list, i);
    }

    static Json changed_list(const Op &op, Json now, bool &good) {
        if (!now) now.reset(json_array());
        json_t *list = now.get();
        const json_t *value = op.value.get();
        const bool selected = !op.filter.terms.empty() || !op.part.empty();
        bool remove = op.op == "remove";
        const bool listed = remove && value && (is_assigned(value) || !selected);
        if (!remove && !is_assigned(value)) {
            if (op.op == "add") return now;
            remove = true;
        }
        std::vector<bool> target(json_array_size(list));
        for (size_t i = 0; i < target.size(); i++)
            target[i] = matches(json_array_get(list, i), op.filter);
        if (remove) {
            remove_from(op, list, target, listed);
            return now;
        }
        if (!selected) return changed_whole(op, std::move(now));
        change_selected(op, list, target, good);
        return now;
    }

    static void remove_from(const Op &op, json_t *list, std::vector<bool> &target, bool listed) {
        const json_t *value = op.value.get();
        for (size_t i = 0; i < target.size(); i++) {
            if (!target[i]) continue;
            json_t *element = json_array_get(list, i);
            if (op.part.empty()) {
                bool found = !listed;
                for (size_t k = 0; listed && k < json_array_size(value); k++) {
                    Json one = clean(json_array_get(value, k));
                    found |= one && covers(element, one.get());
                }
                target[i] = found;
                continue;
            }
            target[i] = false;
            json_t *part = json_object_get(element, op.part.c_str());
            if (!part) continue;
            if (!listed || (!json_is_array(part) && same(part, value)))
                json_object_del(element, op.part.c_str());
            else if (json_is_array(part))
                subtract(element, op.part, value);
        }
        erase(list, target);
    }

    static void subtract(json_t *element, const std::string &part, const json_t *listed) {
        json_t *values = json_object_get(element, part.c_str());
        for (size_t i = json_array_size(values); i-- > 0;)
            for (size_t k = 0; k < json_array_size(listed); k++)
                if (same(json_array_get(values, i), json_array_get(listed, k))) {
                    json_array_remove(values, i);
                    break;
                }
        if (json_array_size(values) == 0) json_object_del(element, part.c_str());
    }

    static Json changed_whole(const Op &op, Json now) {
        Json sent = united(*op.attr, op.value.get());
        if (op.op == "replace") return sent;
        for (size_t i = 0; i < json_array_size(sent.get()); i++) {
            json_t *element = json_array_get(sent.get(), i);
            json_t *same = find_same(*op.attr, now.get(), element);
            if (!same) {
                same = element;
                json_array_append(now.get(), element);
            }
            const char *key;
            json_t *part;
            json_object_foreach(element, key, part) if (same != element)
                set_part(same, key, part, true);
            if (is_primary(element)) only_primary(now.get(), same);
        }
        return now;
    }

    static void set_part(json_t *element, const std::string &part, const json_t *value, bool add) {
        json_t *old = json_object_get(element, part.c_str());
        Json fresh = json_is_array(value) ? clean_list(value) : copy(value);
        if (add && json_is_array(old) && json_is_array(value)) {
            for (size_t i = 0; i < json_array_size(fresh.get()); i++)
                if (!contains(old, json_array_get(fresh.get(), i)))
                    json_array_append(old, json_array_get(fresh.get(), i));
        } else {
            json_object_set(element, part.c_str(), fresh.get());
        }
    }

    static void set_parts(const Op &op, json_t *element) {
        const bool add = op.op == "add";
        if (!op.part.empty()) return set_part(element, op.part, op.value.get(), add);
        const char *key;
        json_t *part;
        json_object_foreach(op.value.get(), key, part) if (is_assigned(part))
            set_part(element, key, part, add);
    }

    static void change_selected(const Op &op, json_t *list, const std::vector<bool> &target,
                                bool &good) {
        const bool whole = op.part.empty();
        const Json sent = whole ? clean(op.value.get()) : copy(op.value.get());
        const bool empty = whole && json_object_size(op.value.get()) == 0;
        if (empty || (!sent && op.op == "add")) return;
        json_t *first = nullptr;
        for (size_t i = 0; i < target.size(); i++) {
            if (!target[i]) continue;
            json_t *element = json_array_get(list, i);
            if (!first) first = element;
            if (whole && op.op == "replace") {
                Json before = copy(element);
                const char *key;
                json_t *part;
                json_object_foreach(before.get(), key, part) if (!pins(op.filter, key))
                    json_object_del(element, key);
            }
            set_parts(op, element);
        }
        if (!first) return create(op, list, bool(sent), good);
        const json_t *primary = whole ? json_object_get(op.value.get(), "primary")
                                      : (op.part == "primary" ? op.value.get() : nullptr);
        if (json_is_true(primary)) only_primary(list, first);
        erase(list, std::vector<bool>(target.size()));
    }

    static void create(const Op &op, json_t *list, bool something, bool &good) {
        Json element(json_object());
        if (!op.filter.terms.empty()) element = described(*op.attr, op.filter);
        good = element && (op.attr->multi_valued || json_array_size(list) == 0);
        if (!good || !something) return;
        set_parts(op, element.get());
        json_array_append(list, element.get());
        if (is_primary(element.get())) only_primary(list, element.get());
    }

    Json root_;
};

}  // namespace model
