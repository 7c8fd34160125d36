// Tests the parser and evaluator of filters with tens of thousands of random filters: the results
// agree with the naive evaluator of filter_naive.h, and damaged filters and random bytes do not
// crash the parser.
//
//     SCIM_SEED=n SCIM_CASES=n filter_random.t

#include <cstdlib>

#include "filter_naive.h"

using namespace fixture;

// Adds the attributes that the server computes.
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
    ok(wrong == 0, std::to_string(cases) + " random filters match as the naive evaluator says");
    ok(matching > cases / 5 && matching < cases * 4 / 5,
       "between a fifth and four fifths of the random filters match");
    note(std::to_string(matching) + " match");
}

// Inserts, deletes or changes bytes at 1 to 4 places.
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
            named += filter.error().status() == 400 &&
                     filter.error().type() == ScimType::invalid_filter &&
                     filter.error().detail.compare(0, 11, "the filter ") == 0;
        }
    }
    is(accepted + named, cases,
       "damaged and random filters are accepted or refused with 400 invalidFilter");
    note(std::to_string(accepted) + " damaged or random filters were accepted");
}

int main() {
    seed_from_environment();
    size_t cases = setting("SCIM_CASES", 40000);
    agree(cases);
    survive(cases);
    return tap::done();
}
