#include "scim/request/bulk.h"

#include <algorithm>
#include <unordered_map>

#include "scim/text/text.h"

namespace scim {

namespace {

constexpr std::string_view reference_prefix = "bulkId:";

Outcome read_fail_on_errors(const json_t *value, uint64_t &out, Dialect &dialect) {
    if (value == nullptr || json_is_null(value)) return Done{};
    const Json number = dialect.number(AttrType::integer, value);
    if (number) value = number.get();
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return Error{Refusal::bulk_fail_on_errors,
                     "\"failOnErrors\" must be a natural number, or 0 for no limit"};
    out = uint64_t(json_integer_value(value));
    return Done{};
}

Outcome read_text(const json_t *operation, std::string_view name, std::string &out) {
    const json_t *value = member_of(operation, name);
    if (value == nullptr || json_is_null(value)) return Done{};
    if (!json_is_string(value))
        return Error{Refusal::bulk_form, "\"" + std::string(name) +
                                             "\" of the operation must be a string, not " +
                                             std::string(kind_of(value))};
    out = text_of(value);
    return Done{};
}

bool is_method(std::string_view text) {
    return text == "POST" || text == "PUT" || text == "PATCH" || text == "DELETE";
}

Outcome check_operation(const BulkOperation &operation) {
    auto refuse = [](std::string detail) { return Error{Refusal::bulk_form, std::move(detail)}; };
    if (operation.method.empty()) return refuse("\"method\" of the operation is missing");
    if (!is_method(operation.method))
        return refuse("\"method\" of the operation is " + quoted(operation.method) +
                      ", it must be POST, PUT, PATCH or DELETE");
    if (operation.path.empty())
        return refuse("\"path\" of the operation is missing, it is a path such as /Users");
    if (operation.creates() && operation.bulk_id.empty())
        return refuse("\"bulkId\" is missing, a POST operation must have one");
    return Done{};
}

BulkOperation read_operation(json_t *value) {
    BulkOperation operation;
    auto note = [&](Outcome outcome) {
        if (operation.valid) operation.valid = std::move(outcome);
    };
    note(read_text(value, "method", operation.method));
    note(read_text(value, "path", operation.path));
    note(read_text(value, "bulkId", operation.bulk_id));
    note(read_text(value, "version", operation.version));
    note(check_operation(operation));
    // The tree is the caller's, who may change it.
    operation.data = const_cast<json_t *>(member_of(value, "data"));
    if (json_is_null(operation.data)) operation.data = nullptr;
    return operation;
}

// The POST operations by their bulkId.
using Creates = std::unordered_map<std::string_view, uint32_t>;

Result<Creates> creates_of(const BulkRequest &bulk) {
    Creates creates;
    for (size_t i = 0; i < bulk.operations.size(); i++) {
        const BulkOperation &operation = bulk.operations[i];
        if (!operation.creates() || operation.bulk_id.empty()) continue;
        const auto [at, is_new] = creates.emplace(operation.bulk_id, uint32_t(i));
        if (!is_new)
            return Error{Refusal::bulk_id_twice,
                         place_of(i) + " has the bulkId " + quoted(operation.bulk_id) + " of " +
                             place_of(at->second) + ", each POST operation must have another one"};
    }
    return creates;
}

// Resolves the references of one operation.
class Resolver {
  public:
    Resolver(BulkOperation &operation, size_t index, const Creates &creates,
             const std::vector<Id> &ids)
        : operation_(operation), index_(index), creates_(creates), ids_(ids) {}

    void run() {
        resolve_path();
        if (operation_.data != nullptr) resolve(operation_.data);
        std::vector<uint32_t> &needs = operation_.needs;
        std::sort(needs.begin(), needs.end());
        needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
    }

  private:
    // The id for a bulkId; nothing if no POST has it.
    std::optional<std::string> id_of(std::string_view bulk_id) {
        const auto at = creates_.find(bulk_id);
        if (at == creates_.end()) return std::nullopt;
        if (at->second != index_) operation_.needs.push_back(at->second);
        return to_string(ids_[at->second]);
    }

    void refuse(std::string_view where, std::string_view bulk_id) {
        if (operation_.valid)
            operation_.valid =
                Error{Refusal::bulk_id_unknown,
                      std::string(where) + " refers to the bulkId " + quoted(bulk_id) +
                          ", but no POST operation of the request has it"};
    }

    void resolve_path() {
        std::string &path = operation_.path;
        while (!path.empty() && path.back() == '/') path.pop_back();
        const size_t slash = path.find("/" + std::string(reference_prefix));
        if (slash == path.npos) return;
        const std::string bulk_id = path.substr(slash + 1 + reference_prefix.size());
        const auto id = id_of(bulk_id);
        if (!id) return refuse("\"path\"", bulk_id);
        path.replace(slash + 1, path.npos, *id);
    }

    // The depth of the tree is limited by parse_json(). `is_path`: the value may be the path of a
    // PATCH operation.
    void resolve(json_t *value, bool is_path = false) {
        if (json_is_string(value)) return resolve_string(value, is_path);
        for (size_t i = 0; i < json_array_size(value); i++) resolve(json_array_get(value, i));
        for (void *at = json_object_iter(value); at != nullptr;
             at = json_object_iter_next(value, at))
            resolve(json_object_iter_value(at), ascii_iequals(json_object_iter_key(at), "path"));
    }

    void resolve_string(json_t *value, bool is_path) {
        const std::string_view text = text_of(value);
        if (text.find(reference_prefix) == text.npos) return;
        std::string resolved(text);
        if (text.substr(0, reference_prefix.size()) == reference_prefix) {
            const std::string_view bulk_id = text.substr(reference_prefix.size());
            const auto id = id_of(bulk_id);
            if (!id) return refuse("\"data\"", bulk_id);
            resolved = *id;
        } else if (is_path) {
            resolve_quoted(resolved);
        } else {
            resolve_tail(resolved);
        }
        if (json_string_setn_nocheck(value, resolved.data(), resolved.size()) != 0)
            throw std::bad_alloc();
    }

    // "…/Users/bulkId:x"
    void resolve_tail(std::string &text) {
        const size_t slash = text.rfind("/" + std::string(reference_prefix));
        if (slash == text.npos) return;
        const size_t begin = slash + 1;
        if (auto id = id_of(std::string_view(text).substr(begin + reference_prefix.size())))
            text.replace(begin, text.npos, *id);
    }

    // members[value eq "bulkId:x"]
    void resolve_quoted(std::string &text) {
        const std::string opening = "\"" + std::string(reference_prefix);
        size_t done = 0;
        std::string out;
        for (size_t at = text.find(opening); at != text.npos; at = text.find(opening, at + 1)) {
            const size_t begin = at + opening.size(), end = text.find('"', begin);
            if (end == text.npos) break;
            const std::string_view bulk_id = std::string_view(text).substr(begin, end - begin);
            const auto id = id_of(bulk_id);
            if (!id) return refuse("\"path\" of the data", bulk_id);
            out.append(text, done, at + 1 - done).append(*id);
            done = end;
            at = end - 1;
        }
        text = out.append(text, done);
    }

    BulkOperation &operation_;
    size_t index_;
    const Creates &creates_;
    const std::vector<Id> &ids_;
};

// For each node the nodes that it must come after.
using Graph = std::vector<std::vector<uint32_t>>;

Graph graph_of(const BulkRequest &bulk) {
    Graph graph;
    graph.reserve(bulk.operations.size());
    std::unordered_map<std::string_view, uint32_t> last;  // operation on a resource, by its path
    for (const BulkOperation &operation : bulk.operations) {
        const auto index = uint32_t(graph.size());
        graph.push_back(operation.needs);
        if (operation.creates()) continue;
        const auto [at, is_new] = last.emplace(operation.path, index);
        if (is_new) continue;
        graph.back().push_back(at->second);
        at->second = index;
    }
    return graph;
}

// The strongly connected components of a graph: Tarjan's algorithm with a stack of its own.
class Components {
  public:
    explicit Components(const Graph &graph)
        : graph_(graph), found_(graph.size(), 0), low_(graph.size(), 0), of_(graph.size(), none) {
        for (size_t node = 0; node < graph.size(); node++)
            if (found_[node] == 0) search(uint32_t(node));
    }

    uint32_t of(uint32_t node) const { return of_[node]; }
    size_t count() const { return count_; }

  private:
    static constexpr uint32_t none = UINT32_MAX;
    struct Visit {
        uint32_t node;
        size_t next = 0;  // index of the next edge
    };

    void enter(uint32_t node) {
        found_[node] = low_[node] = ++time_;
        open_.push_back(node);
        visits_.push_back({node});
    }

    void search(uint32_t root) {
        enter(root);
        while (!visits_.empty()) {
            Visit &visit = visits_.back();
            const uint32_t node = visit.node;
            if (visit.next < graph_[node].size()) {
                const uint32_t to = graph_[node][visit.next++];
                if (found_[to] == 0)
                    enter(to);
                else if (of_[to] == none)
                    low_[node] = std::min(low_[node], found_[to]);
                continue;
            }
            visits_.pop_back();
            if (!visits_.empty())
                low_[visits_.back().node] = std::min(low_[visits_.back().node], low_[node]);
            if (low_[node] == found_[node]) close(node);
        }
    }

    void close(uint32_t root) {
        uint32_t node = none;
        do {
            node = open_.back();
            open_.pop_back();
            of_[node] = count_;
        } while (node != root);
        count_++;
    }

    const Graph &graph_;
    std::vector<uint32_t> found_, low_;  // times; 0: not found
    std::vector<uint32_t> of_, open_;
    std::vector<Visit> visits_;
    uint32_t time_ = 0, count_ = 0;
};

}  // namespace

std::string place_of(size_t index) { return "Operations[" + std::to_string(index) + "]"; }

Result<BulkRequest> read_bulk(json_t *body, size_t max_operations, Dialect &dialect) {
    BulkRequest bulk;
    RETURN_IF_ERROR(dialect.message_schemas(bulk_request_urn, member_of(body, "schemas")));
    RETURN_IF_ERROR(
        read_fail_on_errors(member_of(body, "failOnErrors"), bulk.fail_on_errors, dialect));
    const json_t *operations = member_of(body, "Operations");
    const bool has_some = json_is_array(operations) || json_is_object(operations);
    const auto elements = has_some ? dialect.elements(operations) : std::nullopt;
    if (!elements)
        return Error{Refusal::bulk_form,
                     "\"Operations\" of a BulkRequest must be an array of operations"};
    if (elements->size() > max_operations)
        return Error{Refusal::bulk_too_many_operations,
                     "the request has " + std::to_string(elements->size()) +
                         " operations, at most " + std::to_string(max_operations) +
                         " are possible (bulk.maxOperations, scim_bulk_max_operations)"};
    bulk.operations.reserve(elements->size());
    for (size_t i = 0; i < elements->size(); i++) {
        // The tree is the caller's, who may change it.
        auto *one = const_cast<json_t *>((*elements)[i]);
        if (!json_is_object(one))
            return Error{Refusal::bulk_form,
                         place_of(i) + " must be an object, not " + std::string(kind_of(one))};
        bulk.operations.push_back(read_operation(one));
    }
    RETURN_IF_ERROR(creates_of(bulk));
    return bulk;
}

void resolve_references(BulkRequest &bulk, const std::vector<Id> &ids) {
    const auto creates = creates_of(bulk);
    for (size_t i = 0; i < bulk.operations.size(); i++)
        Resolver(bulk.operations[i], i, *creates, ids).run();
}

std::vector<std::vector<uint32_t>> order_of_work(const BulkRequest &bulk) {
    const Graph graph = graph_of(bulk);
    const Components components(graph);
    std::vector<std::vector<uint32_t>> members(components.count()), dependents(components.count());
    std::vector<size_t> waits(components.count(), 0);
    for (uint32_t node = 0; node < graph.size(); node++) {
        const uint32_t mine = components.of(node);
        members[mine].push_back(node);
        for (uint32_t to : graph[node])
            if (components.of(to) != mine) {
                dependents[components.of(to)].push_back(mine);
                waits[mine]++;
            }
    }
    // A component that waits for nothing is due when the last of its operations is.
    auto is_later = [&](uint32_t a, uint32_t b) { return members[a].back() > members[b].back(); };
    std::vector<uint32_t> due;
    for (uint32_t c = 0; c < components.count(); c++)
        if (waits[c] == 0) due.push_back(c);
    std::make_heap(due.begin(), due.end(), is_later);
    std::vector<std::vector<uint32_t>> order;
    order.reserve(components.count());
    while (!due.empty()) {
        std::pop_heap(due.begin(), due.end(), is_later);
        const uint32_t c = due.back();
        due.pop_back();
        for (uint32_t dependent : dependents[c])
            if (--waits[dependent] == 0) {
                due.push_back(dependent);
                std::push_heap(due.begin(), due.end(), is_later);
            }
        order.push_back(members[c]);
    }
    return order;
}

}  // namespace scim
