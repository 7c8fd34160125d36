// Tests random sequences of PATCH operations: a resource becomes what the naive model of
// patch_model.h computes, and the members of a group what set operations compute.
//
//     SCIM_SEED=n build/unit/patch_random.t      repeats the run of seed n

#include <algorithm>
#include <ctime>
#include <iterator>
#include <random>
#include <set>

#include "patch_fixture.h"
#include "patch_model.h"

using namespace fixture;

namespace {

constexpr size_t user_sequences = 40000, group_sequences = 15000;
constexpr double limit = 15;  // seconds; reached only by slow builds, such as those with sanitizers

double seconds() { return double(std::clock()) / CLOCKS_PER_SEC; }

const std::string ent(enterprise_user_urn);
const std::string acme(acme_urn);

std::vector<model::Attribute> make_attributes() {
    std::vector<model::Attribute> all(8);
    all[0] = {"", "title", false, false, {}, false};
    all[1] = {"", "active", false, false, {}, false};
    all[2] = {"", "name", false, true, {"familyName", "givenName"}, false};
    all[3] = {"", "emails", true, true, {"value", "display", "type", "primary"}, false};
    all[4] = {ent, "department", false, false, {}, false};
    all[5] = {ent, "manager", false, true, {"value"}, true};
    all[6] = {acme, "words", true, false, {}, false};
    all[7] = {acme, "seat", true, true, {"value", "floor", "tags"}, false};
    return all;
}

const std::vector<model::Attribute> attributes = make_attributes();

class Maker {
  public:
    explicit Maker(uint32_t seed) : random_(seed) {}

    size_t below(size_t n) { return random_() % n; }
    bool one_in(size_t n) { return below(n) == 0; }

    Json text() {
        static const char *const texts[] = {"a", "A", "b", "ab", "x\"]y", "\\", "\xc3\xa9", "c,d"};
        return Json(json_string(texts[below(std::size(texts))]));
    }

    // Returns a value of a sub-attribute or of a simple attribute.
    Json simple(const std::string &name) {
        if (name == "active" || name == "primary") return Json(json_boolean(one_in(2)));
        if (name == "floor") return Json(json_integer(json_int_t(below(3))));
        return text();
    }

    Json part(const std::string &name) {
        if (name != "tags") return simple(name);
        Json list(json_array());
        for (size_t n = 1 + below(3); n > 0; n--) json_array_append(list.get(), text().get());
        return list;
    }

    Json element(const model::Attribute &attr, bool primary) {
        if (!attr.complex) return text();
        Json out(json_object());
        for (const std::string &name : attr.parts) {
            if (one_in(2) || (name == "primary" && !primary)) continue;
            Json value = one_in(8) ? Json(json_null()) : part(name);
            json_object_set(out.get(), name.c_str(), value.get());
        }
        return out;
    }

    Json list(const model::Attribute &attr) {
        Json out(json_array());
        const size_t size = below(4), primary = below(4);
        for (size_t i = 0; i < size; i++) {
            Json one = one_in(10) ? Json(json_null()) : element(attr, i == primary);
            json_array_append(out.get(), one.get());
        }
        return out;
    }

    Json value(const model::Attribute &attr) {
        if (attr.multi_valued) return list(attr);
        return attr.complex ? element(attr, true) : simple(attr.name);
    }

    Json resource() {
        Json root(json_object());
        json_object_set_new(root.get(), "userName", json_string("u"));
        for (const model::Attribute &attr : attributes) {
            if (one_in(3)) continue;
            model::Op op;
            op.op = "replace";
            op.attr = &attr;
            op.value = value(attr);
            model::Resource with(root.get());
            with.apply(op);
            root = model::copy(with.tree());
        }
        return root;
    }

    model::Term term(const model::Attribute &attr) {
        model::Term out;
        out.exact = attr.is_manager;
        out.part = attr.parts[below(attr.parts.size())];
        out.op = one_in(4) ? (one_in(2) ? "ne" : "pr") : "eq";
        if (out.op == "eq" && one_in(8)) {
            if (out.part == "floor")
                out.op = "gt";
            else if (out.part != "primary")
                out.op = "sw";
        }
        if (out.op == "pr") return out;
        out.literal =
            out.op != "sw" && out.op != "gt" && one_in(12) ? Json(json_null()) : simple(out.part);
        return out;
    }

    model::Op operation() {
        static const char *const ops[] = {"add", "replace", "remove"};
        model::Op out;
        out.op = ops[below(3)];
        out.attr = &attributes[below(attributes.size())];
        const model::Attribute &attr = *out.attr;
        if (attr.complex && (attr.multi_valued || attr.is_manager) && one_in(2)) {
            for (size_t n = 1 + below(2); n > 0; n--) out.filter.terms.push_back(term(attr));
            out.filter.any = out.filter.terms.size() == 2 && one_in(4);
        }
        if (attr.complex && one_in(2)) out.part = attr.parts[below(attr.parts.size())];
        const bool selected = !out.part.empty() || !out.filter.terms.empty();
        if (out.op == "remove") {
            // patch.cc tests remove with a value of single-valued attributes.
            if (!attr.multi_valued || one_in(2)) return out;
            out.value = one_in(6)          ? Json(json_null())
                        : out.part.empty() ? list(attr)
                                           : part(out.part);
        } else if (one_in(10)) {
            out.value.reset(json_null());
        } else if (attr.is_manager && one_in(4)) {
            out.value.reset(json_string(""));
        } else if (!out.part.empty()) {
            out.value = part(out.part);
        } else {
            out.value = selected ? element(attr, true) : value(attr);
        }
        return out;
    }

  private:
    std::minstd_rand random_;
};

std::string path_of(const model::Op &op) {
    std::string out = (op.attr->extension.empty() ? "" : op.attr->extension + ":") + op.attr->name;
    if (!op.filter.terms.empty()) {
        out += '[';
        for (const model::Term &term : op.filter.terms) {
            if (out.back() != '[') out += op.filter.any ? " or " : " and ";
            out += term.part + " " + term.op;
            if (!term.literal) continue;
            out += ' ';
            write_value(out, term.literal.get());
        }
        out += ']';
    }
    return op.part.empty() ? out : out + "." + op.part;
}

// Returns the operation with a path, or without one and with the path as a member of the value.
Json to_json(const model::Op &op, Maker &maker) {
    Json out(json_object());
    json_object_set_new(out.get(), "op", json_string(op.op.c_str()));
    const std::string path = path_of(op);
    if (op.op == "remove" || maker.one_in(2)) {
        json_object_set_new(out.get(), "path", json_string(path.c_str()));
        if (op.value) json_object_set(out.get(), "value", op.value.get());
        return out;
    }
    Json object(json_object());
    const bool plain = op.filter.terms.empty() && op.part.empty();
    if (plain && !op.attr->extension.empty() && maker.one_in(2)) {
        Json extension(json_object());
        json_object_set(extension.get(), op.attr->name.c_str(), op.value.get());
        json_object_set(object.get(), op.attr->extension.c_str(), extension.get());
    } else {
        json_object_set(object.get(), path.c_str(), op.value.get());
    }
    json_object_set(out.get(), "value", object.get());
    return out;
}

Json message() {
    Json body(json_object());
    json_object_set_new(body.get(), "schemas", json_array());
    json_array_append_new(json_object_get(body.get(), "schemas"),
                          json_string(std::string(patch_op_urn).c_str()));
    json_object_set_new(body.get(), "Operations", json_array());
    return body;
}

std::string text(const json_t *json) {
    std::string out;
    write_value(out, json);
    return out;
}

Resource leaves_of(const json_t *tree) {
    DeviationReport report;
    return must(read_resource(user(), tree, false, report));
}

Json tree_of(const Resource &resource) {
    std::string out = "{";
    write_members(out, user(), resource.leaves, nullptr, nullptr);
    return must(parse_json(out + "}", JsonLimits()));
}

// Returns a description of the difference from the model, or "". Counts sequences that end in
// noTarget in `errors`.
std::string user_sequence(uint32_t seed, size_t &errors) {
    Maker maker(seed);
    Json before = maker.resource();
    Resource resource = leaves_of(before.get());
    before = tree_of(resource);
    model::Resource model(before.get());
    Json body = message();
    bool good = true;
    for (size_t n = 1 + maker.below(6); n > 0; n--) {
        model::Op op = maker.operation();
        json_array_append(json_object_get(body.get(), "Operations"), to_json(op, maker).get());
        good = good && model.apply(op);
    }
    if (good) model.finish(attributes);
    errors += !good;

    const std::string what = "seed " + std::to_string(seed) + ": " + text(before.get()) + " by " +
                             text(body.get()) + "\n#   gives    ";
    DeviationReport report;
    auto patch = Patch::parse(user(), body.get(), PatchLimits(), false, report);
    if (!patch) return what + error_text(patch.error());
    Work work;
    auto done = patch->apply(user(), resource, report, work);
    Json after = tree_of(resource);
    const json_t *expected = good ? model.tree() : before.get();
    if (bool(done) != good || (!done && done.error().type() != ScimType::no_target))
        return what + (done ? text(after.get()) : error_text(done.error())) + "\n#   expected " +
               (good ? text(expected) : "noTarget");
    if (!json_equal(after.get(), expected))
        return what + text(after.get()) + "\n#   expected " + text(expected);
    // Reading the result again gives the same leaves: their texts and order are canonical.
    Resource again = leaves_of(after.get());
    bool same = again.leaves.size() == resource.leaves.size();
    for (size_t i = 0; same && i < again.leaves.size(); i++)
        same = again.leaves[i].attr == resource.leaves[i].attr &&
               again.leaves[i].element == resource.leaves[i].element &&
               again.leaves[i].json == resource.leaves[i].json;
    return same ? "" : what + "leaves that are not canonical";
}

Json ids(const std::vector<char> &some) {
    Json list(json_array());
    for (char c : some) {
        Json one(json_object());
        json_object_set_new(one.get(), "value", json_string(id_text(c).c_str()));
        json_array_append(list.get(), one.get());
    }
    return list;
}

enum class Edit : uint8_t { add, replace, remove, remove_one, remove_all };

std::string group_sequence(uint32_t seed) {
    Maker maker(seed);
    auto some = [&] {
        std::vector<char> out;
        for (size_t n = maker.below(4); n > 0; n--)
            out.push_back("0123456789abcdef"[maker.below(8)]);
        return out;
    };
    std::set<Id> model;
    for (char c : some()) model.insert(id_of(c));
    std::set<Id> patched = model;
    Json body = message();
    for (size_t n = 1 + maker.below(6); n > 0; n--) {
        const std::vector<char> chosen = some();
        const Edit what = Edit(maker.below(5));
        Json op(json_object());
        std::string path = "members";
        if (what == Edit::replace || what == Edit::remove_all) model.clear();
        if (what == Edit::remove_one) {
            const char c = chosen.empty() ? '7' : chosen[0];
            path += "[value eq \"" + id_text(c) + "\"]";
            model.erase(id_of(c));
        } else if (what != Edit::remove_all) {
            json_object_set(op.get(), "value", ids(chosen).get());
            for (char c : chosen)
                what == Edit::remove ? void(model.erase(id_of(c))) : void(model.insert(id_of(c)));
        }
        static const char *const names[] = {"add", "replace", "remove", "remove", "remove"};
        json_object_set_new(op.get(), "op", json_string(names[size_t(what)]));
        json_object_set_new(op.get(), "path", json_string(path.c_str()));
        json_array_append(json_object_get(body.get(), "Operations"), op.get());
    }
    const std::string what = "seed " + std::to_string(seed) + ": " + text(body.get());
    DeviationReport report;
    auto patch = Patch::parse(group(), body.get(), PatchLimits(), false, report);
    if (!patch) return what + error_text(patch.error());
    const MemberEdits &edits = patch->members();
    if (edits.clear) patched.clear();
    for (const Id &id : edits.remove) patched.erase(id);
    for (const Id &id : edits.add) patched.insert(id);
    std::vector<Id> both;
    std::set_intersection(edits.add.begin(), edits.add.end(), edits.remove.begin(),
                          edits.remove.end(), std::back_inserter(both));
    const bool sorted = std::is_sorted(edits.add.begin(), edits.add.end()) &&
                        std::is_sorted(edits.remove.begin(), edits.remove.end());
    if (!both.empty() || !sorted || (edits.clear && !edits.remove.empty()))
        return what + ": edits are not sorted, not disjoint or remove after a clear";
    return patched == model ? "" : what;
}

}  // namespace

int main() {
    const char *given = std::getenv("SCIM_SEED");
    const uint32_t seed =
        given ? uint32_t(std::strtoul(given, nullptr, 10)) : std::random_device()();
    diag("SCIM_SEED=" + std::to_string(seed));
    size_t done = 0, errors = 0;
    std::string wrong;
    for (; done < user_sequences && wrong.empty() && seconds() < limit; done++)
        wrong = user_sequence(seed + uint32_t(done), errors);
    if (wrong.empty() && done < user_sequences)
        diag("only " + std::to_string(done) + " of " + std::to_string(user_sequences) +
             " sequences for users: the time limit is reached");
    if (!ok(wrong.empty(), "random PATCH operations change users as the model does")) diag(wrong);
    ok(errors > done / 50 && errors < done / 2,
       "between a fiftieth and a half of the sequences end in noTarget: " + std::to_string(errors));
    for (wrong.clear(); done < user_sequences + group_sequences && wrong.empty(); done++)
        wrong = group_sequence(seed + uint32_t(done));
    if (!ok(wrong.empty(), "random PATCH operations change members as set operations do"))
        diag(wrong);
    note(std::to_string(done) + " sequences in " + std::to_string(seconds()) + " s");
    return tap::done();
}
