#include "service/export.h"

#include <algorithm>
#include <tuple>

#include "scim/resource/reference.h"
#include "service/access_text.h"
#include "service/render.h"

namespace scim::service {

namespace {

constexpr uint64_t progress_interval = 256;  // resources

void leave_out(AttrSet &shown, const Attr *attr, std::initializer_list<std::string_view> kept) {
    if (attr == nullptr) return;
    if (kept.size() == 0) shown.remove(attr->rank);
    for (const Attr *part : attr->subs)
        if (std::find(kept.begin(), kept.end(), part->def->name) == kept.end())
            shown.remove(part->rank);
}

AttrSet exported(const TypeView &type) {
    AttrSet shown(type.attrs.size());
    for (const Attr &attr : type.attrs)
        if (!attr.never_returned()) shown.add(attr.rank);
    leave_out(shown, type.groups, {});
    leave_out(shown, type.members, {"value", "type"});
    leave_out(shown, type.meta, {"resourceType", "created", "lastModified"});
    if (type.manager != nullptr)
        for (const Attr *part : type.manager->subs)
            if (part->computed) shown.remove(part->rank);
    for (const Attr &attr : type.attrs)
        if (const Attr *ref = stored_ref(attr); ref != nullptr && !refers_elsewhere(*ref))
            shown.remove(ref->rank);
    return shown;
}

// A record that is damaged fails the transaction.
class Exporter {
  public:
    Exporter(Snapshot &snapshot, store::TenantNumber tenant, BodySink &out,
             const ExportProgress &progress)
        : snapshot_(snapshot),
          progress_(progress),
          budget_({}, RunOn::thread, &snapshot.txn),
          directory_(snapshot.txn, tenant, &budget_),
          out_(out),
          body_(with_sink(out), response_, budget_) {}

    void add(const TypeView &type) {
        const Projection projection(type, exported(type));
        const Rendering rendering{*snapshot_.catalog(), type,  {},     projection,
                                  directory_,           body_, nullptr};
        directory_.scan(type.number, 0, UINT64_MAX, [&](const Id &id, store::Bytes bytes) {
            auto record = store::RecordView::parse(bytes);
            if (!record || !body_.next_resource(bytes.size()) ||
                !render_resource(rendering, id, *record, 0)) {
                if (!budget_.stopped()) snapshot_.txn.fail(store::Errc::damaged);
                return false;
            }
            if (store::has_users(type)) add_access(id);
            body_.text() += '\n';
            if (++counts_.resources % progress_interval == 0) progress_(counts_.resources);
            return true;
        });
    }

    void add_deleted_users() {
        store::Cursor cursor(snapshot_.txn, store::Db::access);
        const store::Key prefix = store::tenant_prefix(directory_.tenant());
        const store::Key end = store::access_prefix(directory_.tenant(), store::AccessKind::block);
        bool more =
            cursor.seek(store::access_prefix(directory_.tenant(), store::AccessKind::user_name));
        for (; more && store::starts_with(cursor.key(), prefix); more = cursor.next()) {
            if (store::starts_with(cursor.key(), end)) break;
            const auto state = store::decode_access(cursor.value());
            if (!state) return snapshot_.txn.fail(store::Errc::damaged);
            if (!body_.next_resource(cursor.key().size())) return;
            append_deleted_user(body_.text(), *snapshot_.catalog(), cursor.key(), *state);
            body_.text() += '\n';
            counts_.deleted_values++;
        }
    }

    Result<ExportCounts> finish() {
        RETURN_IF_ERROR(body_.finish());
        if (!snapshot_.txn.good()) return unreadable(snapshot_.txn.error());
        if (response_.in_sink == 0 && !out_.write(response_.body))
            return Error{Refusal::output_failed, "the output cannot be written"};
        return counts_;
    }

  private:
    // To the resource at the end of the text.
    void add_access(const Id &id) {
        const auto state = store::access_of(snapshot_.txn, directory_.tenant(), id);
        if (!state.empty()) append_access(body_.text(), state);
    }

    const Request &with_sink(BodySink &out) {
        request_.sink = &out;
        return request_;
    }

    Snapshot &snapshot_;
    const ExportProgress &progress_;
    ReadBudget budget_;
    store::Directory directory_;
    BodySink &out_;
    Request request_;
    Response response_;
    SpillingBody body_;
    ExportCounts counts_;
};

}  // namespace

std::vector<const TypeView *> export_order(const Catalog &catalog) {
    std::vector<const TypeView *> types;
    for (const auto &type : catalog.types()) types.push_back(type.get());
    std::sort(types.begin(), types.end(), [](const TypeView *a, const TypeView *b) {
        return std::tuple(a->members != nullptr, std::string_view(a->type.name)) <
               std::tuple(b->members != nullptr, std::string_view(b->type.name));
    });
    return types;
}

Result<ExportCounts> export_tenant(Snapshot &snapshot, store::TenantNumber tenant, BodySink &out,
                                   const ExportProgress &progress) {
    Exporter exporter(snapshot, tenant, out, progress);
    for (const TypeView *type : export_order(*snapshot.catalog())) exporter.add(*type);
    exporter.add_deleted_users();
    return exporter.finish();
}

}  // namespace scim::service
