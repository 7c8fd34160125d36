#pragma once
// Bulk requests for a Client, and what is read from their responses.

#include <string>
#include <vector>

#include "client.h"

namespace fixture {

inline std::string bulk_text(const std::vector<std::string> &operations,
                             const std::string &more = "") {
    std::string text = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],)" +
                       more + R"("Operations":[)";
    for (size_t i = 0; i < operations.size(); i++) text += (i ? "," : "") + operations[i];
    return text + "]}";
}

// An operation. `more` is further members, such as R"(,"version":"W/\"1\"")".
inline std::string operation(const std::string &method, const std::string &path,
                             const std::string &data = "", const std::string &bulk_id = "",
                             const std::string &more = "") {
    return R"({"method":")" + method + R"(","path":")" + path + '"' +
           (bulk_id.empty() ? "" : R"(,"bulkId":")" + bulk_id + '"') +
           (data.empty() ? "" : R"(,"data":)" + data) + more + "}";
}

inline std::string post_user(const std::string &name, const std::string &bulk_id,
                             const std::string &more = "") {
    return operation("POST", "/Users", R"({"userName":")" + name + '"' + more + "}", bulk_id);
}

// `members` is a list of references, such as {"bulkId:a", id}.
inline std::string post_group(const std::string &name, const std::string &bulk_id,
                              const std::vector<std::string> &members = {}) {
    std::string list;
    for (const std::string &one : members)
        list += (list.empty() ? "" : ",") + (R"({"value":")" + one + "\"}");
    return operation("POST", "/Groups",
                     R"({"displayName":")" + name + R"(","members":[)" + list + "]}", bulk_id);
}

// Runs the job alone until all of it is done. Returns the number of batches.
inline int run_bulk(Client &client, Job &job) {
    int batches = 1;
    for (client.run({&job}); job.is_left(); client.run({&job})) batches++;
    if (job.unfinished) client.finish(job);
    return batches;
}

inline Response send_bulk(Client &client, const std::vector<std::string> &operations,
                          const std::string &more = "") {
    Job *job = client.job(Method::post, "/Bulk", bulk_text(operations, more));
    run_bulk(client, *job);
    return std::move(job->response);
}

inline scim::Json tree_of(const Response &response) {
    auto tree = scim::parse_json(response.body, scim::JsonLimits());
    if (!tree) {
        diag("not JSON: " + response.body);
        std::abort();
    }
    return std::move(*tree);
}

// The text at a path such as "Operations.0.response.detail"; "" if there is none.
inline std::string at(const json_t *value, std::string_view path) {
    while (value != nullptr && !path.empty()) {
        const std::string step(path.substr(0, path.find('.')));
        path.remove_prefix(std::min(path.size(), step.size() + 1));
        value = json_is_array(value) ? json_array_get(value, std::stoul(step))
                                     : json_object_get(value, step.c_str());
    }
    return json_is_string(value) ? std::string(scim::text_of(value)) : "";
}

// The statuses of the operations, such as "201 409 201", or "413" of the whole request.
inline std::string statuses(const Response &response) {
    if (response.status != 200) return std::to_string(response.status);
    const scim::Json tree = tree_of(response);
    const json_t *operations = json_object_get(tree.get(), "Operations");
    std::string text;
    for (size_t i = 0; i < json_array_size(operations); i++)
        text += (i ? " " : "") + at(json_array_get(operations, i), "status");
    return text;
}

// The detail of the error of an operation, without the id of the request.
inline std::string detail(const Response &response, size_t index) {
    const scim::Json tree = tree_of(response);
    const std::string text =
        at(tree.get(), "Operations." + std::to_string(index) + ".response.detail");
    return text.substr(0, text.find(" (request "));
}

// The id at the end of the location of an operation.
inline std::string id_at(const Response &response, size_t index) {
    const scim::Json tree = tree_of(response);
    const std::string url = at(tree.get(), "Operations." + std::to_string(index) + ".location");
    return url.substr(url.rfind('/') + 1);
}

}  // namespace fixture
