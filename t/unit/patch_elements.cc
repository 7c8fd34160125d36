// Tests that PATCH adds, changes and removes elements of multi-valued attributes as RFC 7644 3.5.2
// says: all of them, those that a filter in the path selects, and an element that is created because
// the filter selects none.

#include "scim/patch/patch.h"

#include "patch_fixture.h"

using namespace fixture;

namespace {

const std::string acme(acme_urn);

void multi_valued() {
    rfc("", op("add", "emails", R"([{"value":"x"}])"), R"("emails":[{"value":"x"}])",
        "[S-122] add adds an element to an unassigned attribute");
    rfc(work, op("add", "emails", R"([{"value":"x"},{"value":"w","type":"work","primary":true}])"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"x"}])",
        "[S-118 S-122] add does not add an element that exists");
    rfc(work, op("add", "emails", "[]"), work, "add of [] changes nothing");
    rfc(both, op("replace", "emails", R"([{"value":"x"},{"value":"x"}])"),
        R"("emails":[{"value":"x"}])",
        "[S-128] replace of a multi-valued attribute replaces all elements");
    rfc(both, op("replace", "emails", "[]"), "",
        "replace of a multi-valued attribute by [] unassigns it");
    rfc(both, op("remove", "emails"), "", "[S-124] remove unassigns a multi-valued attribute");
    rfc("\"" + acme + R"(":{"words":["a"]})", op("add", acme + ":words", R"(["b","a"])"),
        "\"" + acme + R"(":{"words":["a","b"]})",
        "add adds only the simple values that do not exist");
    rfc("\"" + acme + R"(":{"words":["a"]})", op("replace", acme + ":words", R"(["b"])"),
        "\"" + acme + R"(":{"words":["b"]})", "replace replaces all simple values");
    rfc(work, op("add", "emails", R"([{"value":"x","primary":true}])"),
        R"("emails":[{"value":"w","type":"work","primary":false},{"value":"x","primary":true}])",
        "[S-12 S-119] add of a primary element makes the other elements not primary");
    refused(work,
            op("add", "emails", R"([{"value":"x","primary":true},{"value":"y","primary":true}])"),
            "invalidValue: Operations[0].value: \"emails[1]\" is the second",
            "[S-11] add of two primary elements");
    dialect("", op("add", "emails", R"({"value":"x"})"), R"("emails":[{"value":"x"}])",
            "single-value", "invalidValue",
            "[S-130 L-single-value] an object instead of the array");
    dialect("", op("add", "emails", R"(["x"])"), R"("emails":[{"value":"x"}])", "bare-value",
            "invalidValue", "[L-bare-value] a string instead of an element");
    rfc(both, op("replace", "emails.type", "\"other\""),
        R"("emails":[{"value":"w","type":"other","primary":true},{"value":"h","type":"other"}])",
        "replace of a sub-attribute without a filter changes all elements");
    rfc(both, op("remove", "emails.type"),
        R"("emails":[{"value":"w","primary":true},{"value":"h"}])",
        "remove of a sub-attribute without a filter changes all elements");
    rfc("", op("add", "emails.value", "\"x\""), R"("emails":[{"value":"x"}])",
        "add to a sub-attribute of an unassigned attribute adds an element");
    rfc(both,
        op("replace", "emails.value", "\"x\"") + "," + op("remove", "emails.type") + "," +
            op("remove", "emails.primary"),
        R"("emails":[{"value":"x"}])", "elements that became equal are merged");
    dialect(both, op("remove", "emails", R"([{"value":"H"}])"), work, "remove-with-value",
            "invalidValue", "[S-126 L-remove-with-value] remove with a list of elements");
    is(patched(both, op("remove", "emails",
                        R"([{"type":"work","value":"h"},{"type":"HOME","value":"h"}])")),
       work,
       "remove with a list removes the elements that equal a listed one in every sub-attribute "
       "sent");
    // Listed elements only select: they may have different sub-attributes, and several may be
    // primary.
    is(patched(both, op("remove", "emails", R"([{"value":"h","display":"D"},{"value":"h"}])")),
       work, "each listed element is compared separately");
    is(patched(both, op("remove", "emails",
                        R"([{"value":"w","primary":true},{"value":"h","primary":true}])")),
       R"("emails":[{"value":"h","type":"home"}])", "several listed elements may be primary");
    is(patched(both, op("remove", "emails", R"(["w"])")),
       R"("emails":[{"value":"h","type":"home"}])",
       "remove with a list of strings removes the elements with these values");
    is(patched(both, op("remove", "emails", "null")), both,
       "remove of a multi-valued attribute with null removes nothing");
    is(patched(both, op("remove", "emails", "[]")), both,
       "remove of a multi-valued attribute with [] removes nothing");
    is(patched(both, op("remove", "emails", "[{}]")), both,
       "remove of a multi-valued attribute with an empty element removes nothing");
    is(patched(both, op("remove", "emails.type", "\"home\"")),
       R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h"}])",
       "remove of a sub-attribute with a value removes it from the elements that have this value");
}

// A resource never has two elements of the same type and value (RFC 7643 2.4).
void same_elements() {
    const std::string mine =
        R"("emails":[{"value":"w","type":"work"},{"value":"h","type":"home","primary":true}])";
    auto add = [](const std::string &element) { return op("add", "emails", "[" + element + "]"); };
    rfc(mine, add(R"({"type":"work","value":"w","primary":true})"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","type":"home","primary":false}])",
        "add of an existing element with primary true makes it primary");
    rfc(mine, add(R"({"value":"h","type":"home","display":"D"})"),
        R"("emails":[{"value":"w","type":"work"},{"value":"h","display":"D","type":"home","primary":true}])",
        "add of an existing element with display sets its display");
    rfc(mine, add(R"({"value":"h","type":"home","primary":false})"),
        R"("emails":[{"value":"w","type":"work"},{"value":"h","type":"home","primary":false}])",
        "add of an existing element with primary false makes it not primary");
    rfc(mine, add(R"({"value":"h","type":"home"})"), mine,
        "add of an existing element without further sub-attributes changes nothing");
    for (const char *other : {R"({"value":"w","type":"home"})", R"({"value":"w"})",
                              R"({"value":"W","type":"work"})", R"({"type":"work"})"})
        rfc(mine, add(other), mine.substr(0, mine.size() - 1) + "," + other + "]",
            std::string("add of an element of another type or value adds it: ") + other);
    rfc(mine,
        add(R"({"value":"w","type":"work","display":"D"})") + "," +
            op("replace", R"(emails[display eq "D"].value)", "\"x\""),
        R"("emails":[{"value":"x","display":"D","type":"work"},{"value":"h","type":"home","primary":true}])",
        "a later operation finds one element after an add of an existing one");
    rfc("",
        op("replace", "emails",
           R"([{"value":"w","display":"A","primary":true},{"value":"h"},)"
           R"({"value":"w","display":"B","primary":false}])"),
        R"("emails":[{"value":"w","display":"B","primary":true},{"value":"h"}])",
        "of equal elements in one value the last is kept, and it is primary if one of them is");
    rfc(mine, op("replace", "emails.type", "\"x\"") + "," + op("replace", "emails.value", "\"y\""),
        R"("emails":[{"value":"y","type":"x","primary":true}])",
        "elements that get the same type and value are merged, and the result is primary");
    rfc(R"("addresses":[{"locality":"L","primary":false},{"locality":"M","primary":true}])",
        op("add", "addresses", R"([{"locality":"L","primary":true}])"),
        R"("addresses":[{"locality":"L","primary":true},{"locality":"M","primary":false}])",
        "elements without value are equal if all sub-attributes but primary are");
}

void filtered() {
    rfc(both, op("replace", R"(emails[type eq "work"].value)", "\"x\""),
        R"("emails":[{"value":"x","type":"work","primary":true},{"value":"h","type":"home"}])",
        "replace of a sub-attribute changes the selected element");
    rfc(both, op("add", R"(emails[type eq "home"].display)", "\"D\""),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","display":"D","type":"home"}])",
        "add of a sub-attribute changes the selected element");
    rfc(both, op("remove", R"(emails[type eq "WORK"])"),
        R"("emails":[{"value":"h","type":"home"}])", "remove removes the selected element");
    rfc(both, op("remove", R"(emails[type eq "other"])"), both,
        "remove with a filter that selects nothing changes nothing");
    rfc(work, op("remove", R"(emails[type eq "work"])"), "",
        "[S-124] remove of the last element unassigns the attribute");
    rfc(both, op("remove", R"(emails[type eq "work"].type)"),
        R"("emails":[{"value":"w","primary":true},{"value":"h","type":"home"}])",
        "[S-124] remove of a sub-attribute changes the selected element");
    rfc(R"("emails":[{"type":"work"}])", op("remove", R"(emails[type eq "work"].type)"), "",
        "remove of an element's last sub-attribute removes the element");
    rfc(both, op("replace", R"(emails[type eq "work"])", R"({"value":"x"})"),
        R"("emails":[{"value":"x","type":"work"},{"value":"h","type":"home"}])",
        "[S-128] replace of the selected element keeps the sub-attributes that the filter compares "
        "by eq");
    rfc(both, op("replace", R"(emails[value ew "h" and type eq "home"])", R"({"type":"other"})"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"type":"other"}])",
        "replace of the selected element sets a sub-attribute that the filter compares");
    rfc(both, op("add", R"(emails[type eq "work"])", R"({"display":"D"})"),
        R"("emails":[{"value":"w","display":"D","type":"work","primary":true},{"value":"h","type":"home"}])",
        "[S-122] add to the selected element keeps the sub-attributes that are not sent");
    rfc(both, op("replace", R"(emails[type eq "work"])", "null"),
        R"("emails":[{"value":"h","type":"home"}])",
        "replace of the selected element by null removes it");
    rfc(both, op("replace", R"(emails[type eq "work"])", "{}"), both,
        "replace of the selected element by {} changes nothing");
    rfc(both, op("replace", R"(emails[type eq "work"].type)", "null"),
        R"("emails":[{"value":"w","primary":true},{"value":"h","type":"home"}])",
        "replace of a sub-attribute of the selected element by null removes it");
    rfc(both, op("replace", R"(emails[type eq "home"].primary)", "true"),
        R"("emails":[{"value":"w","type":"work","primary":false},{"value":"h","type":"home","primary":true}])",
        "[S-12 S-119] replace of primary by true in one element makes the others not primary");
    rfc(both, op("replace", R"(emails[value pr].primary)", "true"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","type":"home","primary":false}])",
        "replace of primary by true in several elements makes the first primary");
    rfc(both, op("replace", R"(emails[type eq "work" or type eq "home"].display)", "\"D\""),
        R"("emails":[{"value":"w","display":"D","type":"work","primary":true},{"value":"h","display":"D","type":"home"}])",
        "[S-128] replace of a sub-attribute changes all selected elements");
    is(patched(both, op("remove", R"(emails[type pr])", R"([{"value":"h"}])")), work,
       "remove with a filter and a list removes the elements that are in both");
    is(patched(both, op("remove", R"(emails[type eq "home"])", "null")), work,
       "remove with a filter and null removes the selected element");
    dialect(both, op("remove", R"(emails[type eq "home"])", R"([{"value":"other"}])"), both,
            "remove-with-value", "invalidValue",
            "remove with a filter and a list of another element");
    dialect(both, op("remove", R"(emails[type eq "home"].value)", "\"other\""), both,
            "remove-with-value", "invalidValue",
            "remove of a sub-attribute of the selected element with another value");
    const std::string seats =
        "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["x","y"]},{"value":"b"}]})";
    rfc(seats, op("add", acme + R"(:seat[floor gt 2].tags)", R"(["z","x"])"),
        "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["x","y","z"]},{"value":"b"}]})",
        "add to a multi-valued sub-attribute adds the values that do not exist");
    rfc(seats, op("replace", acme + R"(:seat[floor gt 2].tags)", R"(["z"])"),
        "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["z"]},{"value":"b"}]})",
        "replace of a multi-valued sub-attribute replaces all its values");
    is(patched(seats, op("remove", acme + R"(:seat[floor gt 2].tags)", R"(["X"])")),
       "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["y"]},{"value":"b"}]})",
       "remove of a multi-valued sub-attribute with a list removes the listed values");
    is(patched(seats, op("remove", acme + R"(:seat[floor gt 2].tags)", R"(["x","y"])")),
       "\"" + acme + R"(":{"seat":[{"value":"a","floor":3},{"value":"b"}]})",
       "remove of a multi-valued sub-attribute with a list of all its values unassigns it");
    rfc(R"("roles":[{"value":"{\"a\":1}"}])",
        op("replace", R"(roles[value eq "{\"a\":1}"].type)", "\"t\""),
        R"("roles":[{"value":"{\"a\":1}","type":"t"}])",
        "a filter with escaped quotes selects the element with these quotes");
}

void created() {
    auto creates = [](const std::string &before, const std::string &operations,
                      const std::string &after, const std::string &name) {
        dialect(before, operations, after, "created-element", "noTarget", name);
    };
    creates("", op("add", R"(emails[type eq "work"].value)", "\"x\""),
            R"("emails":[{"value":"x","type":"work"}])",
            "[S-123 L-created-element] add to a path whose filter selects nothing");
    creates(work, op("replace", R"(emails[type eq "home"].value)", "\"x\""),
            R"("emails":[{"value":"w","type":"work","primary":true},{"value":"x","type":"home"}])",
            "[S-123 S-128 L-created-element] replace of a path whose filter selects nothing");
    creates("",
            op("add", R"(emails[type eq "work"].primary)", "true") + "," +
                op("add", R"(emails[type eq "work"].type)", "\"work\"") + "," +
                op("add", R"(emails[type eq "work"].value)", "\"x\""),
            R"("emails":[{"value":"x","type":"work","primary":true}])",
            "a sequence of adds to one element that the first creates");
    creates(
        work, op("add", R"(emails[type eq "home" and primary eq true])", R"({"value":"x"})"),
        R"("emails":[{"value":"w","type":"work","primary":false},{"value":"x","type":"home","primary":true}])",
        "an element created from several eq terms, which becomes primary,");
    creates("",
            op("add", R"(emails[type eq "work" and (display eq null and value eq "v")].primary)",
               "false"),
            R"("emails":[{"value":"v","type":"work","primary":false}])",
            "an element created from a filter with eq null");
    creates("", op("add", acme + R"(:seat[floor eq 3 and tags eq "a"].value)", "\"x\""),
            "\"" + acme + R"(":{"seat":[{"value":"x","floor":3,"tags":["a"]}]})",
            "an element created from an integer and a multi-valued sub-attribute");
    is(patched("", op("Add", R"(roles[primary eq "True"].value)", "\"reader\"")),
       R"("roles":[{"value":"reader","primary":true}])",
       "add creates an element from a boolean in a string in the filter");
    is(patched("", op("replace", R"(emails[type eq "work"])", "null")), "",
       "replace by null with a filter that selects nothing creates nothing");
    for (const char *filter :
         {R"(emails[type ne "work"].value)", R"(emails[type eq "work" or type eq "home"].value)",
          R"(emails[not (type eq "x")].value)", R"(emails[type eq "a" and type eq "b"].value)",
          R"(emails[type eq "a" and value sw "b"].value)"})
        refused(R"("title":"T")",
                op("replace", "title", "\"U\"") + "," + op("add", filter, "\"x\""),
                "noTarget: Operations[1]: nothing matches the path \"emails[",
                std::string("add with a filter that selects nothing and describes no element, ") +
                    filter + ",");
    refused("", op("add", acme + ":seat[floor eq 1.5].value", "\"x\""),
            "noTarget: ", "add with a filter that compares an integer with 1.5");
}

}  // namespace

int main() {
    multi_valued();
    same_elements();
    filtered();
    created();
    return tap::done();
}
