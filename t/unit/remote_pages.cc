// A copy of another SCIM server: which requests it sends, what it takes from the answers, and that it
// ends whatever the server answers.

#include "service/remote_pages.h"

#include <functional>

#include "tap.h"

using namespace scim;
using namespace scim::service;

namespace {

// A page with the resources `first` to `last`; `more` are further members of the list.
std::string page(int first, int last, const std::string &more) {
    std::string text = "{" + more + (more.empty() ? "" : ",") + "\"Resources\":[";
    for (int i = first; i <= last; i++)
        text += (i > first ? ",{\"id\":\"" : "{\"id\":\"") + std::to_string(i) + "\"}";
    return text + "]}";
}

std::string total(uint64_t number) { return "\"totalResults\":" + std::to_string(number); }
std::string next(const std::string &cursor) { return R"("nextCursor":")" + cursor + "\""; }

// Takes each of the answers. Returns the requests, the number of resources, and the error or "end".
std::string walk(RemotePages &pages, const std::vector<std::string> &answers) {
    std::string text;
    std::vector<std::string> lines;
    for (const std::string &answer : answers) {
        text += pages.request().substr(pages.request().find('?') + 1) + " ";
        if (auto taken = pages.take(answer, lines); !taken)
            return text + std::to_string(lines.size()) + ": " + taken.error().detail;
        if (pages.at_end()) return text + std::to_string(lines.size()) + " end";
    }
    return text + std::to_string(lines.size());
}

std::string walk(const std::vector<std::string> &answers, bool by_cursor = false) {
    RemotePages pages({"/Users"}, {by_cursor});
    return walk(pages, answers);
}

// Asks a server without end. Returns the number of requests, and the error or "end".
std::string ask(bool by_cursor, const std::function<std::string(int)> &server) {
    RemotePages pages({"/Users"}, {by_cursor});
    std::vector<std::string> lines;
    for (int n = 1; n <= 5000; n++) {
        const auto taken = pages.take(server(n), lines);
        if (!taken) return std::to_string(n) + ": " + taken.error().detail;
        if (pages.at_end()) return std::to_string(n) + " end";
    }
    return "no end";
}

void by_index() {
    is(walk({page(1, 100, total(250)), page(101, 200, total(250)), page(201, 250, total(250))}),
       "startIndex=1&count=100 startIndex=101&count=100 startIndex=201&count=100 250 end",
       "pages by startIndex follow each other to totalResults");
    is(walk({page(1, 30, total(50)), page(31, 50, total(50))}),
       "startIndex=1&count=100 startIndex=31&count=100 50 end",
       "a page that is shorter than asked for is not the last one");
    is(walk({page(1, 120, total(121)), page(121, 121, total(121))}),
       "startIndex=1&count=100 startIndex=121&count=100 121 end",
       "a page that is longer than asked for is taken");
    is(walk({page(1, 100, total(100)), page(101, 200, total(100)), page(201, 237, total(37)),
             page(1, 0, total(0))}),
       "startIndex=1&count=100 startIndex=101&count=100 startIndex=201&count=100 "
       "startIndex=238&count=100 237 end",
       "if totalResults is the number of resources of the page, an empty page is the end");
    is(walk({page(1, 50, total(50)), page(51, 60, total(10)), page(51, 60, total(10))}),
       "startIndex=1&count=100 startIndex=51&count=100 startIndex=61&count=100 60 end",
       "so is a page without new resources");
    for (const std::string &last :
         {page(1, 0, total(5)), page(1, 0, total(0)), page(1, 5, total(5))}) {
        RemotePages pages({"/Users"}, {});
        is(walk(pages, {page(1, 5, total(5)), last}),
           "startIndex=1&count=100 startIndex=6&count=100 5 end",
           "after a page with as many resources as totalResults the next one is asked for");
        is(pages.unsent(), 0U, "and nothing is missed if it has none");
    }
    is(walk({page(1, 100, total(100)), page(101, 101, total(101))}),
       "startIndex=1&count=100 startIndex=101&count=100 101 end",
       "a resource that is created after the first page is taken");
    is(walk({page(1, 0, total(0))}), "startIndex=1&count=100 0 end", "an empty list ends at once");
    is(walk({R"({"totalResults":0})"}), "startIndex=1&count=100 0 end",
       "an empty list needs no Resources");
    is(walk({page(1, 100, total(150)), page(100, 150, total(151))}),
       "startIndex=1&count=100 startIndex=101&count=100 150 end",
       "a resource that comes twice is passed on once");
    is(walk({page(1, 100, total(150)), page(110, 150, total(141)), page(92, 150, total(141))}),
       "startIndex=1&count=100 startIndex=101&count=100 startIndex=92&count=100 150 end",
       "when totalResults falls by 9, the 9 resources before the page are asked for again");
    is(walk({page(1, 100, total(110)), page(1, 0, total(95)), page(86, 110, total(95))}),
       "startIndex=1&count=100 startIndex=101&count=100 startIndex=86&count=100 110 end",
       "so they are when the page is empty for that reason");
    RemotePages few({"/Users"}, {});
    is(walk(few, {page(1, 100, total(150)), page(1, 0, total(150))}),
       "startIndex=1&count=100 startIndex=101&count=100 100 end", "an empty page ends the list");
    is(few.unsent(), 50U, "resources that are counted and not sent are reported");
    is(walk({page(1, 100, total(250)), page(1, 100, total(250))}),
       "startIndex=1&count=100 startIndex=101&count=100 100: the server sends the same resources "
       "again: it ignores \"startIndex\"",
       "a server that ignores startIndex is refused");
    is(walk({R"({"Resources":[]})"}),
       "startIndex=1&count=100 0: \"totalResults\" must be the number of resources, not nothing",
       "a list by startIndex needs totalResults");
    is(walk({page(1, 1, "\"totalResults\":-1")}),
       "startIndex=1&count=100 1: \"totalResults\" must be the number of resources, not a number",
       "totalResults is not negative");
    is(ask(false, [](int n) { return page(1, 10, total(uint64_t(100 + n % 2 * 50))); }),
       "1002: the server sends the same resources again: it ignores \"startIndex\"",
       "a totalResults that always changes is followed for 1,000 changes");
    is(ask(false, [](int) { return page(1, 1, total(INT64_MAX)); }),
       "2: the server sends the same resources again: it ignores \"startIndex\"",
       "the largest totalResults ends");
}

void by_cursor() {
    is(walk({page(1, 100, next("a b")), page(101, 200, next("c")), page(201, 210, "")}, true),
       "cursor=&count=100 cursor=a%20b&count=100 cursor=c&count=100 210 end",
       "pages by cursor follow nextCursor to its end");
    is(walk({page(1, 5, R"("nextCursor":"")")}, true), "cursor=&count=100 5 end",
       "an empty nextCursor is the end");
    is(walk({page(1, 5, R"("nextCursor":null)")}, true), "cursor=&count=100 5 end", "so is null");
    is(walk({page(1, 5, next("a")), page(1, 0, next("b")), page(5, 9, "")}, true),
       "cursor=&count=100 cursor=a&count=100 cursor=b&count=100 9 end",
       "an empty page by cursor is not the end");
    is(walk({page(1, 5, next("a")), page(6, 9, next("a"))}, true),
       "cursor=&count=100 cursor=a&count=100 9: the server answers with the cursor that it was "
       "sent",
       "a server that answers with the same cursor is refused");
    is(walk({page(1, 5, R"("nextCursor":7)")}, true),
       "cursor=&count=100 5: \"nextCursor\" must be a string of at most 8192 bytes",
       "nextCursor is a string");
    is(walk({page(1, 5, next(std::string(8192, 'x')))}, true), "cursor=&count=100 5",
       "a cursor of 8,192 bytes is taken");
    is(walk({page(1, 5, next(std::string(8193, 'x')))}, true),
       "cursor=&count=100 5: \"nextCursor\" must be a string of at most 8192 bytes",
       "a longer one is refused");
    is(ask(true, [](int n) { return page(1, 5, next(n % 2 == 0 ? "a" : "b")); }),
       "101: 100 pages in a row had no new resource", "cursors in a circle end after 100 pages");
    is(ask(true, [](int n) { return page(1, 0, next(n % 2 == 0 ? "a" : "b")); }),
       "100: 100 pages in a row had no new resource", "so do cursors of empty pages");
    const std::string none =
        "the answer is no ListResponse: it has neither \"Resources\" nor \"totalResults\"";
    is(walk({page(1, 5, next("a")), R"({"error":"x"})"}, true),
       "cursor=&count=100 cursor=a&count=100 5: " + none, "an answer that is no list is refused");
    RemotePages counted({"/Users"}, {true});
    is(walk(counted, {page(1, 5, total(7))}), "cursor=&count=100 5 end",
       "a page without nextCursor is the last");
    is(counted.unsent(), 2u, "resources that the server has counted and not sent are known");
    RemotePages small({"/Users"}, {true, 20});
    is(small.request(), "/Users?cursor=&count=20", "a page by cursor has at most maxPageSize");
}

void counts() {
    RemotePages groups({"/Groups", true}, {});
    is(groups.request(), "/Groups?startIndex=1&count=10", "groups are asked for in tens");
    std::vector<std::string> lines;
    ok(bool(groups.take(page(1, 10, total(30)), lines)) && groups.ask_for_fewer(),
       "after an answer that was too long");
    is(groups.request(), "/Groups?startIndex=11&count=1",
       "fewer are asked for, from the same place");
    ok(!groups.ask_for_fewer(), "fewer than one resource cannot be asked for");
    RemotePages users({"/Users"}, {true});
    ok(bool(users.take(page(1, 100, next("a")), lines)) && users.ask_for_fewer(), "by cursor");
    is(users.request(), "/Users?cursor=&count=10", "the walk begins again");
    lines.clear();
    is(walk(users, {page(1, 10, next("b")), page(11, 20, next("c"))}),
       "cursor=&count=10 cursor=b&count=10 0", "and passes no resource on twice");
}

void bodies() {
    std::vector<std::string> lines;
    RemotePages pages({"/Users"}, {});
    const std::string list = R"({"TotalResults": 3, "resources": [ {"id": "1", "a": [1.5, null]},)"
                             "\n {\"b\": true}, {\"b\": true} ] }";
    ok(bool(pages.take(list, lines)), "names of members match in any case");
    is(lines.size(), 2U, "a resource without id is known by its text");
    is(lines[0], R"({"id":"1","a":[1.5,null]})", "a resource is one line of JSON");
    for (const auto &[body, why] :
         {std::pair(R"({"totalResults":1,"Resources":{}})", "must be an array, not an object"),
          std::pair(R"({"totalResults":1,"Resources":[7]})", "it contains a number"),
          std::pair(R"({"totalResults":1,"Resources":[{]})", "JSON"), std::pair("", "JSON"),
          std::pair("<html>", "JSON")}) {
        const auto taken = RemotePages({"/Users"}, {}).take(body, lines);
        ok(!taken && taken.error().detail.find(why) != std::string::npos,
           std::string("refused is ") + body);
        if (!taken) note(taken.error().detail);
    }
}

// The endpoints of the types, or the error.
std::string types(const std::string &resources) {
    const auto read = read_types(R"({"Resources":[)" + resources + "]}", "https://h/scim/v2");
    if (!read) return read.error().detail;
    std::string text;
    for (const RemoteType &type : *read) text += type.endpoint + (type.has_members ? "+ " : " ");
    return text;
}

std::string type(const std::string &endpoint, const std::string &schema = "x") {
    return R"({"endpoint":")" + endpoint + R"(","schema":")" + schema + "\"}";
}

void server() {
    const std::string core = "urn:ietf:params:scim:schemas:core:2.0:";
    is(types(type("/Groups", core + "Group") + "," + type("/Devices") + "," + type("/Apps") + "," +
             type("/People", core + "User")),
       "/People /Devices /Apps /Groups+ ", "users are first and groups are last");
    is(types(type("Users") + "," + type("https://h/scim/v2/Groups") + "," + type("/Users")),
       "/Users /Groups+ ", "an endpoint may have no slash, or be a whole URL");
    for (const char *other : {"https://other/scim/v2/Users", "https://h/scim/v2",
                              "https://h/scim/v22/Users", "/Users?a=b", "", "/", "/a b", "/a@b"})
        ok(types(type(other)).find("not below the URL of the server") != std::string::npos,
           std::string("refused is the endpoint ") + other);
    is(types("{}").substr(0, 32), "a resource type has the endpoint", "so is a type without one");
    is(types(""), "\"Resources\" must be an array of 1 to 1000 resource types",
       "a server has types");
    std::string many = type("/T");
    for (int i = 1; i < 1000; i++) many += "," + type("/T" + std::to_string(i));
    ok(types(many).find("/T999") != std::string::npos, "1,000 types are read");
    is(types(many + "," + type("/more")), types(""), "1,001 are refused");
    is(usual_types().size(), 2U, "without ResourceTypes there are users and groups");

    auto paging = read_paging(R"({"pagination":{"cursor":true,"maxPageSize":50}})");
    ok(paging && paging->by_cursor && paging->most == 50,
       "pagination.cursor and maxPageSize are read");
    for (const char *text :
         {"{}", R"({"pagination":{"cursor":false}})", R"({"pagination":{"cursor":"true"}})"}) {
        paging = read_paging(text);
        ok(paging && !paging->by_cursor, std::string("paged by startIndex is ") + text);
    }
    ok(!read_paging("<html>"), "a ServiceProviderConfig that is no JSON is refused");
}

}  // namespace

int main() {
    by_index();
    by_cursor();
    counts();
    bodies();
    server();
    return tap::done();
}
