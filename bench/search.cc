// Measures the CPU time of queries without nginx: the whole response of service::read().
//
//     search STORE TENANT ARGS…      each of ARGS is a query as in a URL:
//                                    'filter=title%20eq%20%22x%22&count=0'
//
// Prints, for each query, milliseconds of CPU time (the best of five), nanoseconds per resource of the
// type, totalResults, the query and its plan.

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "bench/rows.h"
#include "service/read.h"
#include "store/tenants.h"

using namespace scim;
using bench::die;

// CPU time of this process in milliseconds: other processes do not affect it.
static double cpu_time() { return double(std::clock()) * 1000 / CLOCKS_PER_SEC; }

int main(int argc, char **argv) {
    if (argc < 4) die("usage: search STORE TENANT ARGS…");
    service::Store::Options options;
    options.env.directory = argv[1];
    options.env.map_size = size_t(16) << 30;
    options.declaration = *make_declaration(1, {});
    std::string why;
    auto store = service::Store::open(std::move(options), why);
    if (store == nullptr) die(why);
    service::Session session(*store);
    service::Settings settings;
    service::Actor actor;
    actor.scopes = store::scope_read;
    uint64_t resources = 0;
    {
        service::Snapshot snapshot(session);
        auto tenant = store::find_tenant(snapshot.txn, argv[2]);
        if (!tenant) die("there is no tenant \"" + std::string(argv[2]) + "\"");
        actor.tenant = tenant->number;
        store::Directory directory(snapshot.txn, actor.tenant);
        resources = directory.count(snapshot.catalog()->type_by_name("User")->number);
    }
    for (int i = 3; i < argc; i++) {
        service::Request request;
        request.method = service::Method::get;
        request.path = "/Users";
        request.args = argv[i];
        request.base_url = "https://id.example.com/scim/v2";
        request.settings = &settings;
        request.explains = true;
        service::Response response;
        double best = 1e9;
        for (int round = 0; round < 5; round++) {
            double start = cpu_time();
            service::Snapshot snapshot(session);
            auto result = service::read(snapshot, actor, request, response);
            if (!result) die(result.error().detail);
            best = std::min(best, cpu_time() - start);
        }
        size_t at = response.body.find("totalResults\":") + 14;
        std::printf("%9.3f ms  %7.1f ns each  total %-8ld %s  %s\n", best,
                    best * 1e6 / double(resources),
                    std::strtol(response.body.c_str() + at, nullptr, 10), argv[i],
                    response.log_fields.plan.c_str());
    }
}
