#pragma once
// A store with users and groups of one tenant, and a gate that reads it.

#include "client.h"
#include "service/gate_decision.h"

namespace fixture {

struct GateStore {
    // `more`: further attributes, such as `,"active":true`.
    std::string user(const std::string &name, const std::string &more = "") {
        return client.create("/Users", R"({"userName":")" + name + "\"" + more + "}");
    }
    std::string group(const std::string &name, const std::vector<std::string> &members) {
        return client.create(
            "/Groups", R"({"displayName":")" + name + R"(","members":)" + list(members) + "}");
    }
    // The value of `members` with these ids.
    static std::string list(const std::vector<std::string> &ids) {
        std::string out;
        for (const std::string &id : ids)
            out += (out.empty() ? R"([{"value":")" : R"(,{"value":")") + id + "\"}";
        return out.empty() ? "[]" : out + ']';
    }

    TempDir dir;
    std::unique_ptr<Store> store = open_store(dir.path);
    Client client{*store};
    Session session{*store};
    Gate gate;
};

}  // namespace fixture
