#include <string>

#include "store/directory.h"
#include "store/verification.h"
#include "store/verify_record.h"

namespace scim::store {

namespace {

class ResourceVerifier {
  public:
    explicit ResourceVerifier(Verification &v) : v_(v) {}
    void check_resources();
    void check_index();

  private:
    void check_count(TenantNumber tenant, TypeNumber type, uint64_t count);
    void check_resource(TenantNumber tenant, TypeNumber type, const Id &id, Bytes bytes);
    void check_version(TenantNumber tenant, TypeNumber type, const Id &id, uint64_t version);
    void check_index_rows_of(TenantNumber tenant, TypeNumber type, const Id &id,
                             const std::vector<Leaf> &leaves);
    void check_index_row(Bytes key);

    std::string name_of(TenantNumber tenant, const TypeView &type, const IndexDef &index,
                        Bytes value, const Id &id) const {
        const Attr *attr = type.by_number(index.attr);
        bool text = attr->def->type == Type::string || attr->def->type == Type::reference ||
                    attr->def->type == Type::binary;
        return "tenant " + std::to_string(tenant) + " " + type.type.name + " " + attr->path + " " +
               (text ? quoted(value) : hex_text(value)) + " " + scim::to_string(id);
    }

    Verification &v_;
    std::vector<Leaf> leaves_;
    uint64_t log_start_ = 0, position_ = 0;  // of the tenant being looked at
    std::string last_unique_;
};

void ResourceVerifier::check_resources() {
    TenantNumber tenant = 0;
    TypeNumber type = 0;
    uint64_t count = 0;
    auto next = [&](TenantNumber next_tenant, TypeNumber next_type) {
        if (next_tenant == tenant && next_type == type) return;
        if (count != 0) check_count(tenant, type, count);
        count = 0;
        if (next_tenant != tenant && next_tenant != 0) {
            Cursor log(v_.txn, Db::changes);
            const Key prefix = tenant_prefix(next_tenant);
            bool any = log.seek(prefix) && starts_with(log.key(), prefix) && log.key().size() >= 12;
            log_start_ = any ? read_be(log.key().data() + 4, 8) : UINT64_MAX;
            position_ = Directory(v_.txn, next_tenant).position().position;
        }
        tenant = next_tenant;
        type = next_type;
    };
    v_.each_tenant_row(Db::resources, 6 + id_size, 6 + id_size, [&](Bytes key, Bytes value) {
        next(TenantNumber(read_be(key.data(), 4)), TypeNumber(read_be(key.data() + 4, 2)));
        v_.report.resources++;
        count++;
        check_resource(tenant, type, id_at(key, 6), value);
    });
    next(0, 0);
}

void ResourceVerifier::check_count(TenantNumber tenant, TypeNumber type, uint64_t count) {
    uint64_t said = Directory(v_.txn, tenant).count(type);
    if (said != count)
        v_.problem(Db::meta, "tenant " + std::to_string(tenant) + " resources",
                   "the counter is " + std::to_string(said) + ", but there are " +
                       std::to_string(count) + " of " + v_.type_name(type));
}

void ResourceVerifier::check_resource(TenantNumber tenant, TypeNumber type, const Id &id,
                                      Bytes bytes) {
    auto wrong = [&](std::string text) {
        v_.problem(Db::resources, v_.name_of(tenant, type, id), std::move(text));
    };
    if (v_.type_row(type) == nullptr) return wrong("there is no such resource type");
    auto record = RecordView::parse(bytes);
    if (!record) return wrong("the record is damaged: its format, bounds or checksum");
    leaves_.clear();
    if (!record->leaves(leaves_)) return wrong("the record's leaf table is damaged");
    std::string contradiction =
        check_record(*v_.catalog, v_.catalog->type_by_number(type), *record, leaves_);
    if (!contradiction.empty()) wrong(std::move(contradiction));
    check_version(tenant, type, id, record->header().version);
    check_index_rows_of(tenant, type, id, leaves_);
}

void ResourceVerifier::check_version(TenantNumber tenant, TypeNumber type, const Id &id,
                                     uint64_t version) {
    auto wrong = [&](const std::string &text) {
        v_.problem(Db::resources, v_.name_of(tenant, type, id),
                   "its version " + std::to_string(version) + text);
    };
    if (version == 0 || version > position_)
        return wrong(" is not one of the tenant's positions, which go to " +
                     std::to_string(position_));
    if (version < log_start_) return;
    Bytes bytes;
    if (!v_.txn.get(Db::changes, change_key(tenant, version, 0), bytes))
        return wrong(" has no row in the change log");
    // A change of a deleted member's groups has a part for each.
    std::optional<Change> first;
    for (uint16_t part = 0; v_.txn.get(Db::changes, change_key(tenant, version, part), bytes);
         part++) {
        auto change = decode_change(bytes);
        if (!change) return;  // is said elsewhere
        if (change->type == type && change->id == id && change->operation != Operation::remove)
            return;
        if (part == 0) first = std::move(change);
    }
    wrong(" is " + std::string(to_string(first->operation)) + " of " + v_.type_name(first->type) +
          " " + scim::to_string(first->id) + " in the change log");
}

void ResourceVerifier::check_index_rows_of(TenantNumber tenant, TypeNumber type, const Id &id,
                                           const std::vector<Leaf> &leaves) {
    const TypeView *view = v_.catalog->type_by_number(type);
    if (view == nullptr) return;
    for (const auto &[index, value] : index_values(*v_.catalog, *view, leaves)) {
        if (index->state != IndexState::ready) continue;  // the builder has not come to it yet
        Bytes bytes;
        if (!v_.txn.get(Db::index, index_key(tenant, type, index->attr, value, id), bytes))
            v_.problem(Db::index, name_of(tenant, *view, *index, value, id),
                       "the row is missing: the resource has this value");
    }
}

void ResourceVerifier::check_index() {
    v_.each_tenant_row(Db::index, index_prefix_size + 1 + id_size, SIZE_MAX,
                       [&](Bytes key, Bytes value) {
                           v_.report.index_rows++;
                           if (!value.empty())
                               v_.problem(Db::index, hex_text(key), "the row has a value");
                           check_index_row(key);
                       });
}

void ResourceVerifier::check_index_row(Bytes key) {
    TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
    TypeNumber type = TypeNumber(read_be(key.data() + 4, 2));
    AttrNumber attr = AttrNumber(read_be(key.data() + 6, 2));
    auto tail = index_tail(key);
    if (!tail) return v_.problem(Db::index, hex_text(key), "the key has no end of its value");
    const IndexDef *index = nullptr;
    for (const IndexDef &def : v_.catalog->rows().indexes)
        if (def.type == type && def.attr == attr) index = &def;
    if (index == nullptr)
        return v_.problem(
            Db::index, hex_text(key),
            "there is no index on attribute " + std::to_string(attr) + " of " + v_.type_name(type));
    const TypeView *view = v_.catalog->type_by_number(type);
    // What is dropped or not declared now is not maintained either.
    if (index->state == IndexState::dropping || view == nullptr || view->by_number(attr) == nullptr)
        return;
    auto wrong = [&](const char *text) {
        v_.problem(Db::index, name_of(tenant, *view, *index, tail->value, tail->id), text);
    };
    Bytes bytes;
    if (!v_.txn.get(Db::resources, resource_key(tenant, type, tail->id), bytes))
        return wrong("there is no such resource");
    auto record = RecordView::parse(bytes);
    leaves_.clear();
    if (!record || !record->leaves(leaves_)) return;  // has been said
    bool found = false;
    for (const auto &[def, value] : index_values(*v_.catalog, *view, leaves_))
        found |= def == index && value == tail->value;
    if (!found) return wrong("the resource has not this value");
    if (!index->unique || index->state != IndexState::ready) return;
    // Rows of one value stand together. Two long values may share a digest.
    Bytes start = key.substr(0, key.size() - id_size);
    if (start == last_unique_ && !is_digest(tail->value))
        wrong("another resource has this value, too, and it must be unique");
    last_unique_ = start;
}

}  // namespace

void verify_resources(Verification &v) {
    ResourceVerifier verifier(v);
    verifier.check_resources();
    verifier.check_index();
}

}  // namespace scim::store
