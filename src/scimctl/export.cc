// scimctl export: writes all resources of a tenant to stdout.

#include "service/export.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "scimctl/commands.h"
#include "scimctl/progress.h"
#include "service/admin.h"

namespace scim::scimctl {

namespace {

class Output : public service::BodySink {
  public:
    bool write(std::string_view bytes) override {
        return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
    }
};

}  // namespace

int export_resources(const Globals &globals, const std::string &tenant) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    service::Snapshot snapshot(session);
    if (auto usable = snapshot.usable(); !usable) return fail(globals, usable.error());
    auto found = service::tenant_named(snapshot.txn, tenant);
    if (!found) return fail(globals, found.error());
    uint64_t total = 0;
    for (const auto &type : snapshot.catalog()->types())
        total += store::Directory(snapshot.txn, found->number).count(type->number);
    Output output;
    Progress progress(globals, "resources");
    auto counts = service::export_tenant(snapshot, found->number, output, [&](uint64_t done) {
        progress.show(done, double(done) / double(total));
    });
    progress.clear();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
        return fail(globals, exit_store,
                    std::string("cannot write the output: ") + std::strerror(errno));
    if (!counts) return fail(globals, counts.error());
    note(globals, with_commas(counts->resources) + " resources" +
                      (counts->deleted_values > 0 ? " and " + with_commas(counts->deleted_values) +
                                                        " names and ids of deleted users"
                                                  : "") +
                      " exported");
    return exit_ok;
}

}  // namespace scim::scimctl
