#include "store/verify.h"

#include <charconv>

#include "scim/json.h"
#include "store/bytes.h"
#include "store/directory.h"
#include "store/format.h"
#include "store/row.h"
#include "store/tenants.h"
#include "store/verify_record.h"

namespace scim::store {

namespace {

std::string hex(Bytes bytes) {
    std::string out;
    for (unsigned char byte : bytes.substr(0, 32)) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return bytes.size() > 32 ? out + "…" : out;
}

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

class Verifier {
  public:
    Verifier(Txn &txn, size_t limit) : txn_(txn), limit_(limit) {}

    VerifyReport run() {
        check_catalog();
        check_meta();
        check_tenants();
        check_tokens();
        check_tenant_tokens();
        if (catalog_ != nullptr) {
            check_resources();
            check_index();
        }
        check_members(Db::members, Db::memberships);
        check_members(Db::memberships, Db::members);
        check_changes();
        check_refusals();
        if (!txn_.good()) problem(Db::meta, "", "the check ended early: " + std::string(to_string(txn_.error())));
        return std::move(report_);
    }

  private:
    enum class Known : uint8_t { unknown, active, removing };

    void check_catalog();
    void check_meta();
    void check_meta_row(Bytes key, Bytes value);
    void check_tenants();
    void check_tenant_number(Bytes key, Bytes value);
    void check_tenant_name(Bytes key, Bytes value);
    void check_tokens();
    void check_tenant_tokens();
    void check_resources();
    void check_resource(TenantNumber tenant, TypeNumber type, const Id &id, Bytes bytes);
    void check_version(TenantNumber tenant, TypeNumber type, const Id &id, uint64_t version);
    void check_index_rows_of(TenantNumber tenant, TypeNumber type, const Id &id, const std::vector<Leaf> &leaves);
    void check_count(TenantNumber tenant, TypeNumber type, uint64_t count);
    void check_index();
    void check_index_row(Bytes key);
    void check_members(Db db, Db other);
    void check_changes();
    void check_change(Bytes key, Bytes value);
    void end_of_changes();
    void check_refusals();
    void end_of_refusals(TenantNumber tenant, uint64_t count);

    void problem(Db db, std::string key, std::string text) {
        report_.problem_count++;
        if (report_.problems.size() < limit_) report_.problems.push_back({db, std::move(key), std::move(text)});
    }
    template <class Each>
    void each_row(Db db, Each &&each) {
        Cursor cursor(txn_, db);
        for (bool more = cursor.seek(""); more; more = cursor.next()) each(cursor.key(), cursor.value());
        end_of_strangers();
    }
    // `each` for the rows of active tenants whose keys are of the right size.
    template <class Each>
    void each_tenant_row(Db db, size_t min_size, size_t max_size, Each &&each) {
        each_row(db, [&](Bytes key, Bytes value) {
            if (key.size() < min_size || key.size() > max_size)
                return problem(db, hex(key), "the key has " + std::to_string(key.size()) + " bytes");
            if (is_active(db, TenantNumber(read_be(key.data(), 4)))) each(key, value);
        });
    }

    Known known(TenantNumber tenant) {
        if (tenant == asked_ && tenant != 0) return answer_;
        auto found = find_tenant(txn_, tenant);
        asked_ = tenant;
        answer_ = !found ? Known::unknown : found->state == TenantState::active ? Known::active : Known::removing;
        return answer_;
    }
    // False for a row that is not to be looked at: counted if its tenant is being removed, a problem if there is none.
    bool is_active(Db db, TenantNumber tenant) {
        Known state = known(tenant);
        if (state == Known::removing) report_.unswept_rows++;
        if (state != Known::unknown) return state == Known::active;
        if (strangers_ != 0 && stranger_ != tenant) end_of_strangers();
        stranger_ = tenant;
        stranger_db_ = db;
        strangers_++;
        return false;
    }
    // Rows of one unknown tenant are one problem.
    void end_of_strangers() {
        if (strangers_ == 0) return;
        problem(stranger_db_, "tenant " + std::to_string(stranger_),
                std::to_string(strangers_) + (strangers_ == 1 ? " row is" : " rows are") + " of a tenant that does not exist");
        strangers_ = 0;
    }

    // Declared or not; nullptr if there is none.
    const CatalogRows::TypeRow *type_row(TypeNumber number) const {
        if (catalog_ == nullptr) return nullptr;
        for (const auto &row : catalog_->rows().types)
            if (row.number == number) return &row;
        return nullptr;
    }
    std::string type_name(TypeNumber number) const {
        const auto *row = type_row(number);
        return row != nullptr ? row->type.name : "type " + std::to_string(number);
    }
    std::string name_of(TenantNumber tenant, TypeNumber type, const Id &id) const {
        return "tenant " + std::to_string(tenant) + " " + type_name(type) + " " + scim::to_string(id);
    }
    std::string name_of(TenantNumber tenant, const TypeView &type, const IndexDef &index, Bytes value, const Id &id) const {
        const Attr *attr = type.by_number(index.attr);
        bool text = attr->def->type == Type::string || attr->def->type == Type::reference || attr->def->type == Type::binary;
        return "tenant " + std::to_string(tenant) + " " + type.type.name + " " + attr->path + " " +
               (text ? quoted(value) : hex(value)) + " " + scim::to_string(id);
    }

    Txn &txn_;
    size_t limit_;
    VerifyReport report_;
    std::shared_ptr<const Catalog> catalog_;
    uint64_t tenant_numbers_ = 0;  // the last one given

    TenantNumber asked_ = 0, stranger_ = 0;
    Known answer_ = Known::unknown;
    Db stranger_db_ = Db::meta;
    uint64_t strangers_ = 0;

    // Of the tenant being looked at.
    uint64_t log_start_ = 0, position_ = 0;
    std::vector<Leaf> leaves_;
    std::string last_unique_;

    TenantNumber change_tenant_ = 0;
    uint64_t change_position_ = 0, change_part_ = 0;
    int64_t change_time_ = 0;
};

void Verifier::check_catalog() {
    auto rows = read_catalog(txn_);
    if (!rows) return problem(Db::catalog, "", rows.error().detail);
    if (rows->epoch != catalog_epoch(txn_))
        problem(Db::catalog, "header",
                "the epoch is " + std::to_string(rows->epoch) + ", but meta says " + std::to_string(catalog_epoch(txn_)));
    auto catalog = Catalog::build(std::move(*rows));
    if (!catalog) return problem(Db::catalog, "", catalog.error().detail);
    catalog_ = std::move(*catalog);
}

void Verifier::check_meta() {
    Gate gate = read_gate(txn_);
    if (!gate.readable())
        problem(Db::meta, "min_reader", gate.code == Errc::ok ? "this build cannot read the format" : "there is no format");
    each_row(Db::meta, [&](Bytes key, Bytes value) { check_meta_row(key, value); });
}

void Verifier::check_meta_row(Bytes key, Bytes value) {
    if (key[0] > 3) {
        if (key != "min_reader" && key != "min_writer" && key != "write_format" && key != "catalog_epoch" &&
            key != "auth_epoch" && key != "tenant_number")
            return;  // a later build's own
        uint64_t number = 0;
        auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (ec != std::errc() || end != value.data() + value.size())
            problem(Db::meta, std::string(key), quoted(value) + " is no number");
        if (key == "tenant_number") tenant_numbers_ = number;
        return;
    }
    bool is_position = key[0] == 1, is_count = key[0] == 2;
    size_t key_size = is_count ? 7 : 5, value_size = is_position ? 16 : 8;
    if (key.size() != key_size || value.size() != value_size)
        return problem(Db::meta, hex(key), "the row has a key of " + std::to_string(key.size()) + " and a value of " +
                                               std::to_string(value.size()) + " bytes");
    TenantNumber tenant = TenantNumber(read_be(key.data() + 1, 4));
    if (!is_active(Db::meta, tenant) || is_position) return;
    // A counter with rows to count is compared where they are counted.
    std::string prefix(key.substr(1));
    Cursor rows(txn_, is_count ? Db::resources : Db::refusals);
    if (read_le(value.data(), 8) != 0 && !(rows.seek(prefix) && starts_with(rows.key(), prefix)))
        problem(Db::meta, "tenant " + std::to_string(tenant) + (is_count ? " resources" : " refusals"),
                "the counter is " + std::to_string(read_le(value.data(), 8)) + ", but there are none" +
                    (is_count ? " of " + type_name(TypeNumber(read_be(key.data() + 5, 2))) : ""));
}

// Tenants and tokens

void Verifier::check_tenants() {
    each_row(Db::tenants, [&](Bytes key, Bytes value) {
        if (key.size() == 5 && key[0] == 0)
            check_tenant_number(key, value);
        else if (key.size() > 1 && key[0] == 1)
            check_tenant_name(key, value);
        else
            problem(Db::tenants, hex(key), "the key is neither a number nor a name");
    });
}

void Verifier::check_tenant_number(Bytes key, Bytes value) {
    TenantNumber number = TenantNumber(read_be(key.data() + 1, 4));
    std::string name = "tenant " + std::to_string(number);
    RowReader row(value);
    if (!row) return problem(Db::tenants, name, "the row cannot be read: " + row.why());
    std::string state = row.text("state");
    (state == "removing" ? report_.removing : report_.tenants)++;
    if (state != "active" && state != "removing") problem(Db::tenants, name, "the state is " + quoted(state));
    if (!is_tenant_name(row.text("name"))) problem(Db::tenants, name, "the name is " + quoted(row.text("name")));
    if (row.text("cursorKey").size() != 64 || !is_hex(row.text("cursorKey")))
        problem(Db::tenants, name, "the cursor key is not one of 32 bytes");
    if (number == 0 || number > tenant_numbers_)
        problem(Db::tenants, name,
                "the number was never given: the last one is " + std::to_string(tenant_numbers_) + ", and may be given again");
    if (state != "active") return;
    auto named = find_tenant(txn_, row.text("name"));
    if (!named || named->number != number)
        problem(Db::tenants, name, "the name " + quoted(row.text("name")) + " does not lead to it");
}

void Verifier::check_tenant_name(Bytes key, Bytes value) {
    std::string name = "name " + quoted(key.substr(1));
    if (value.size() != 4) return problem(Db::tenants, name, "the value is no number");
    TenantNumber number = TenantNumber(read_be(value.data(), 4));
    auto tenant = find_tenant(txn_, number);
    if (!tenant)
        problem(Db::tenants, name, "it leads to tenant " + std::to_string(number) + ", which does not exist");
    else if (tenant->name != key.substr(1))
        problem(Db::tenants, name, "it leads to tenant " + std::to_string(number) + ", which has another name");
    else if (tenant->state != TenantState::active)
        problem(Db::tenants, name, "it leads to tenant " + std::to_string(number) + ", which is being removed");
}

void Verifier::check_tokens() {
    each_row(Db::tokens, [&](Bytes key, Bytes value) {
        std::string name = "sha256 " + hex(key.substr(0, 4)) + "…";
        if (key.size() != Digest().size()) return problem(Db::tokens, hex(key), "the key is no SHA-256");
        RowReader row(value);
        if (!row) return problem(Db::tokens, name, "the row cannot be read: " + row.why());
        TenantNumber tenant = TenantNumber(row.number("tenant"));
        uint32_t number = uint32_t(row.number("number"));
        if (!is_active(Db::tokens, tenant)) return;
        report_.tokens++;
        name = "tenant " + std::to_string(tenant) + " token " + std::to_string(number) + " " + name;
        if (row.number("scopes") < 1 || row.number("scopes") > (scope_read | scope_write))
            problem(Db::tokens, name, "the scopes are " + std::to_string(row.number("scopes")));
        Bytes listed;
        if (!txn_.get(Db::tenant_tokens, tenant_token_key(tenant, number), listed) || listed != key)
            problem(Db::tokens, name, "it is not in the tenant's list, where it could be revoked");
    });
}

void Verifier::check_tenant_tokens() {
    each_tenant_row(Db::tenant_tokens, 8, 8, [&](Bytes key, Bytes value) {
        TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
        uint32_t number = uint32_t(read_be(key.data() + 4, 4));
        std::string name = "tenant " + std::to_string(tenant) + " token " + std::to_string(number);
        Digest digest;
        if (value.size() != digest.size()) return problem(Db::tenant_tokens, name, "the value is no SHA-256");
        value.copy(reinterpret_cast<char *>(digest.data()), digest.size());
        auto token = find_token(txn_, digest);
        if (!token)
            problem(Db::tenant_tokens, name, "it leads to no token");
        else if (token->tenant != tenant || token->number != number)
            problem(Db::tenant_tokens, name,
                    "it leads to token " + std::to_string(token->number) + " of tenant " + std::to_string(token->tenant));
    });
}

// Resources and their index

void Verifier::check_resources() {
    TenantNumber tenant = 0;
    TypeNumber type = 0;
    uint64_t count = 0;
    auto next = [&](TenantNumber next_tenant, TypeNumber next_type) {
        if (next_tenant == tenant && next_type == type) return;
        if (count != 0) check_count(tenant, type, count);
        count = 0;
        if (next_tenant != tenant && next_tenant != 0) {
            Cursor log(txn_, Db::changes);
            std::string prefix = tenant_prefix(next_tenant);
            bool any = log.seek(prefix) && starts_with(log.key(), prefix) && log.key().size() >= 12;
            log_start_ = any ? read_be(log.key().data() + 4, 8) : UINT64_MAX;
            position_ = Directory(txn_, next_tenant).position().position;
        }
        tenant = next_tenant;
        type = next_type;
    };
    each_tenant_row(Db::resources, 6 + id_size, 6 + id_size, [&](Bytes key, Bytes value) {
        next(TenantNumber(read_be(key.data(), 4)), TypeNumber(read_be(key.data() + 4, 2)));
        report_.resources++;
        count++;
        check_resource(tenant, type, id_at(key, 6), value);
    });
    next(0, 0);
}

void Verifier::check_count(TenantNumber tenant, TypeNumber type, uint64_t count) {
    uint64_t said = Directory(txn_, tenant).count(type);
    if (said != count)
        problem(Db::meta, "tenant " + std::to_string(tenant) + " resources",
                "the counter is " + std::to_string(said) + ", but there are " + std::to_string(count) + " of " +
                    type_name(type));
}

void Verifier::check_resource(TenantNumber tenant, TypeNumber type, const Id &id, Bytes bytes) {
    auto wrong = [&](std::string text) { problem(Db::resources, name_of(tenant, type, id), std::move(text)); };
    if (type_row(type) == nullptr) return wrong("there is no such resource type");
    auto record = RecordView::parse(bytes);
    if (!record) return wrong("the record is damaged: its format, bounds or checksum");
    leaves_.clear();
    if (!record->leaves(leaves_)) return wrong("the record's leaf table is damaged");
    std::string contradiction = check_record(*catalog_, catalog_->type_by_number(type), *record, leaves_);
    if (!contradiction.empty()) wrong(std::move(contradiction));
    check_version(tenant, type, id, record->header().version);
    check_index_rows_of(tenant, type, id, leaves_);
}

void Verifier::check_version(TenantNumber tenant, TypeNumber type, const Id &id, uint64_t version) {
    auto wrong = [&](const std::string &text) {
        problem(Db::resources, name_of(tenant, type, id), "its version " + std::to_string(version) + text);
    };
    if (version == 0 || version > position_)
        return wrong(" is not one of the tenant's positions, which go to " + std::to_string(position_));
    if (version < log_start_) return;
    Bytes bytes;
    if (!txn_.get(Db::changes, change_key(tenant, version, 0), bytes)) return wrong(" has no row in the change log");
    auto change = decode_change(bytes);
    if (change && (change->type != type || change->id != id || change->operation == Operation::remove))
        wrong(" is " + std::string(to_string(change->operation)) + " of " + type_name(change->type) + " " +
              scim::to_string(change->id) + " in the change log");
}

void Verifier::check_index_rows_of(TenantNumber tenant, TypeNumber type, const Id &id, const std::vector<Leaf> &leaves) {
    const TypeView *view = catalog_->type_by_number(type);
    if (view == nullptr) return;
    for (const auto &[index, value] : index_values(*catalog_, *view, leaves)) {
        if (index->state != IndexState::ready) continue;  // the builder has not come to it yet
        Bytes bytes;
        if (!txn_.get(Db::index, index_key(tenant, type, index->attr, value, id), bytes))
            problem(Db::index, name_of(tenant, *view, *index, value, id), "the row is missing: the resource has this value");
    }
}

void Verifier::check_index() {
    each_tenant_row(Db::index, index_prefix_size + 1 + id_size, SIZE_MAX, [&](Bytes key, Bytes value) {
        report_.index_rows++;
        if (!value.empty()) problem(Db::index, hex(key), "the row has a value");
        check_index_row(key);
    });
}

void Verifier::check_index_row(Bytes key) {
    TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
    TypeNumber type = TypeNumber(read_be(key.data() + 4, 2));
    AttrNumber attr = AttrNumber(read_be(key.data() + 6, 2));
    auto tail = index_tail(key);
    if (!tail) return problem(Db::index, hex(key), "the key has no end of its value");
    const IndexDef *index = nullptr;
    for (const IndexDef &def : catalog_->rows().indexes)
        if (def.type == type && def.attr == attr) index = &def;
    if (index == nullptr)
        return problem(Db::index, hex(key), "there is no index on attribute " + std::to_string(attr) + " of " + type_name(type));
    const TypeView *view = catalog_->type_by_number(type);
    // What is dropped or not declared now is not maintained either.
    if (index->state == IndexState::dropping || view == nullptr || view->by_number(attr) == nullptr) return;
    auto wrong = [&](const char *text) {
        problem(Db::index, name_of(tenant, *view, *index, tail->value, tail->id), text);
    };
    Bytes bytes;
    if (!txn_.get(Db::resources, resource_key(tenant, type, tail->id), bytes)) return wrong("there is no such resource");
    auto record = RecordView::parse(bytes);
    leaves_.clear();
    if (!record || !record->leaves(leaves_)) return;  // has been said
    bool found = false;
    for (const auto &[def, value] : index_values(*catalog_, *view, leaves_)) found |= def == index && value == tail->value;
    if (!found) return wrong("the resource has not this value");
    if (!index->unique || index->state != IndexState::ready) return;
    // Rows of one value stand together. Two long values may share a digest.
    Bytes start = key.substr(0, key.size() - id_size);
    if (start == last_unique_ && !is_digest(tail->value)) wrong("another resource has this value, too, and it must be unique");
    last_unique_ = start;
}

void Verifier::check_members(Db db, Db other) {
    each_tenant_row(db, 4 + 2 * id_size, 4 + 2 * id_size, [&](Bytes key, Bytes) {
        TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
        Id first = id_at(key, 4), second = id_at(key, 4 + id_size);
        if (db == Db::memberships && second == Id{}) return;  // the position of the member's last change
        if (db == Db::members) report_.memberships++;
        Bytes bytes;
        if (txn_.get(other, member_key(tenant, second, first), bytes)) return;
        if (db == Db::memberships) std::swap(first, second);
        problem(db, "tenant " + std::to_string(tenant) + " group " + scim::to_string(first) + " member " + scim::to_string(second),
                "the row has no counterpart in " + std::string(database_name(other)));
    });
}

// The change log

void Verifier::check_changes() {
    each_tenant_row(Db::changes, 14, 14, [&](Bytes key, Bytes value) { check_change(key, value); });
    end_of_changes();
}

void Verifier::check_change(Bytes key, Bytes value) {
    TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
    uint64_t position = read_be(key.data() + 4, 8), part = read_be(key.data() + 12, 2);
    std::string name = "tenant " + std::to_string(tenant) + " position " + std::to_string(position) +
                       (part != 0 ? " part " + std::to_string(part) : "");
    report_.changes++;
    bool first = tenant != change_tenant_;
    if (first) {
        end_of_changes();
        change_tenant_ = tenant;
        change_time_ = INT64_MIN;
    }
    bool follows = part == 0 ? first || position == change_position_ + 1
                             : !first && position == change_position_ && part == change_part_ + 1;
    if (!follows) problem(Db::changes, name, "the change before it is missing");
    change_position_ = position;
    change_part_ = part;
    auto change = decode_change(value);
    if (!change) return problem(Db::changes, name, "the row cannot be read");
    if (change->time < change_time_) problem(Db::changes, name, "it is older than the change before it");
    if (catalog_ != nullptr && type_row(change->type) == nullptr)
        problem(Db::changes, name, "it is of " + type_name(change->type) + ", which does not exist");
    change_time_ = change->time;
}

void Verifier::end_of_changes() {
    if (change_tenant_ == 0) return;
    Position position = Directory(txn_, change_tenant_).position();
    std::string name = "tenant " + std::to_string(change_tenant_) + " position";
    if (position.position != change_position_)
        problem(Db::meta, name,
                "the counter is " + std::to_string(position.position) + ", but the last change is " +
                    std::to_string(change_position_));
    else if (position.time < change_time_)
        problem(Db::meta, name, "the last change is younger than the counter's time");
    change_tenant_ = 0;
}

void Verifier::check_refusals() {
    TenantNumber tenant = 0;
    uint64_t count = 0;
    each_tenant_row(Db::refusals, 16, 16, [&](Bytes key, Bytes value) {
        TenantNumber next = TenantNumber(read_be(key.data(), 4));
        if (next != tenant) end_of_refusals(tenant, count);
        if (next != tenant) count = 0;
        tenant = next;
        count++;
        report_.refusals++;
        RowReader row(value);
        if (!row) problem(Db::refusals, hex(key), "the row cannot be read: " + row.why());
    });
    end_of_refusals(tenant, count);
}

void Verifier::end_of_refusals(TenantNumber tenant, uint64_t count) {
    if (count == 0) return;
    Bytes bytes;
    bool there = txn_.get(Db::meta, refusal_count_key(tenant), bytes) && bytes.size() == 8;
    uint64_t said = there ? read_le(bytes.data(), 8) : 0;
    std::string name = "tenant " + std::to_string(tenant) + " refusals";
    if (said != count)
        problem(Db::meta, name, "the counter is " + std::to_string(said) + ", but there are " + std::to_string(count));
    if (count > refusals_per_tenant)
        problem(Db::refusals, name, "there are more than the " + std::to_string(refusals_per_tenant) + " that are kept");
}

}  // namespace

VerifyReport verify(Txn &txn, size_t limit) { return Verifier(txn, limit).run(); }

std::string_view database_name(Db db) {
    constexpr std::string_view names[db_count] = {"meta",    "catalog", "tenants",     "tokens",  "tenant_tokens",
                                                  "resources", "index", "members", "memberships", "changes",
                                                  "refusals",  "local", "jobs"};
    return names[size_t(db)];
}

}  // namespace scim::store
