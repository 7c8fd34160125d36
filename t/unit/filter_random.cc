// Parser and evaluator agree with an evaluator that could not be simpler, over the JSON of the
// resource, on tens of thousands of random filters; and no bytes, however random, crash them.
//
//     SCIM_SEED=n SCIM_CASES=n filter_random.t

#include <cstdlib>

#include "filter_naive.h"

using namespace fixture;

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
    note(std::to_string(matching) + " match");
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
                     filter.error().detail.compare(0, 11, "the filter ") == 0;
        }
    }
    is(accepted + named, cases, "damaged and random bytes are read, or refused with a sentence");
    note(std::to_string(accepted) + " were filters all the same");
}

static uint64_t setting(const char *name, uint64_t otherwise) {
    const char *value = std::getenv(name);
    return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

int main() {
    uint64_t seed = setting("SCIM_SEED", std::random_device()());
    engine.seed(seed);
    diag("SCIM_SEED=" + std::to_string(seed));
    size_t cases = setting("SCIM_CASES", 40000);
    agree(cases);
    survive(cases);
    return tap::done();
}
