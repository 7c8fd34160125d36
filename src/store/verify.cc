#include "store/verify.h"

#include <algorithm>

#include "scim/text/json.h"
#include "scim/text/text.h"
#include "store/actors.h"
#include "store/directory.h"
#include "store/format.h"
#include "store/import_position.h"
#include "store/index_build.h"
#include "store/lockouts.h"
#include "store/row.h"
#include "store/verification.h"

namespace scim::store {

namespace {

bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

class Verifier {
  public:
    Verifier(Snapshots &snapshots, size_t limit) : v_(snapshots, limit) {}
    VerifyReport run();

  private:
    void check_catalog();
    void check_meta();
    void check_meta_row(Bytes key, Bytes value);
    void check_tenants();
    void check_tenant_number(Bytes key, Bytes value);
    void check_tenant_name(Bytes key, Bytes value);
    void check_tokens();
    void check_tenant_tokens();
    void check_actors();
    void check_local();
    void check_token_use(Bytes key, Bytes value);
    void check_index_progress(Bytes key, Bytes value);
    void check_changes();
    void check_change(Bytes key, Bytes value);
    void check_last_position();
    void check_refusals();
    void check_refusal_counter(TenantNumber tenant);

    void problem(Db db, std::string key, std::string text) {
        v_.problem(db, std::move(key), std::move(text));
    }

    Verification v_;

    // The previous change row.
    TenantNumber change_tenant_ = 0;
    uint64_t change_position_ = 0, change_part_ = 0, change_snapshot_ = 0;
    int64_t change_time_ = 0;
};

VerifyReport Verifier::run() {
    check_catalog();
    check_meta();
    check_tenants();
    check_tokens();
    check_tenant_tokens();
    check_actors();
    check_local();
    if (v_.catalog != nullptr) {
        verify_index(v_);
        verify_trigrams(v_);
        verify_blocks(v_);
        verify_members(v_);
        verify_access(v_);
    }
    check_changes();
    verify_names(v_);
    check_refusals();
    if (!v_.txn().good())
        problem(Db::meta, "",
                "the check could not be completed: " + std::string(to_string(v_.txn().error())));
    return std::move(v_.report);
}

void Verifier::check_catalog() {
    auto rows = read_catalog(v_.txn());
    if (!rows) return problem(Db::catalog, "", rows.error().detail);
    if (rows->epoch != catalog_epoch(v_.txn()))
        problem(Db::catalog, "header",
                "the epoch is " + std::to_string(rows->epoch) + ", but meta says " +
                    std::to_string(catalog_epoch(v_.txn())));
    auto catalog = Catalog::build(std::move(*rows));
    if (!catalog) return problem(Db::catalog, "", catalog.error().detail);
    v_.catalog = std::move(*catalog);
}

void Verifier::check_meta() {
    FormatCheck check = check_format(v_.txn());
    if (!check.readable())
        problem(Db::meta, "min_reader",
                check.code == Errc::ok ? "this build cannot read the format"
                                       : "the format numbers are missing or malformed");
    v_.each_row(Db::meta, [&](Bytes key, Bytes value) { check_meta_row(key, value); });
}

void Verifier::check_meta_row(Bytes key, Bytes value) {
    if (key[0] > 5) {
        if (key != "min_reader" && key != "min_writer" && key != "write_format" &&
            key != "catalog_epoch" && key != "auth_epoch" && key != "tenant_number")
            return;  // written by a later build
        uint64_t number = 0;
        if (!read_number(value, number))
            problem(Db::meta, std::string(key), quoted(value) + " is not a number");
        return;
    }
    bool is_position = key[0] == 1, is_count = key[0] == 2, has_rows = is_count || key[0] == 3;
    size_t key_size = is_count ? 7 : 5;
    size_t value_size = is_position ? 16 : key[0] == 5 ? lockouts_size : 8;
    if (key.size() != key_size || value.size() != value_size)
        return problem(Db::meta, hex_text(key),
                       "the row has a key of " + std::to_string(key.size()) + " and a value of " +
                           std::to_string(value.size()) + " bytes");
    TenantNumber tenant = TenantNumber(read_be(key.data() + 1, 4));
    if (!v_.is_active(Db::meta, tenant) || !has_rows) return;
    // A counter that has rows is compared where they are counted; here only that it has rows.
    const uint64_t count = read_le(value.data(), 8);
    auto check_any = [&](Db db, const std::string &what) {
        const Bytes prefix = key.substr(1);
        Cursor rows(v_.txn(), db);
        if (count == 0 || (rows.seek(prefix) && starts_with(rows.key(), prefix))) return true;
        problem(Db::meta,
                "tenant " + std::to_string(tenant) + (is_count ? " resources" : " refusals"),
                "the counter is " + std::to_string(count) + ", but there are " + what);
        return false;
    };
    if (!is_count) {
        check_any(Db::refusals, "none");
        return;
    }
    const std::string type = v_.type_name(TypeNumber(read_be(key.data() + 5, 2)));
    if (check_any(Db::resources, "none of " + type)) check_any(Db::blocks, "no blocks of " + type);
}

// Tenants and tokens

void Verifier::check_tenants() {
    v_.each_row(Db::tenants, [&](Bytes key, Bytes value) {
        if (key.size() == 5 && key[0] == 0)
            check_tenant_number(key, value);
        else if (key.size() > 1 && key[0] == 1)
            check_tenant_name(key, value);
        else
            problem(Db::tenants, hex_text(key), "the key is neither a number nor a name");
    });
}

void Verifier::check_tenant_number(Bytes key, Bytes value) {
    TenantNumber number = TenantNumber(read_be(key.data() + 1, 4));
    std::string name = "tenant " + std::to_string(number);
    RowReader row(value);
    if (!row) return problem(Db::tenants, name, "the row cannot be read: " + row.why());
    std::string state = row.text("state");
    (state == "removing" ? v_.report.removing : v_.report.tenants)++;
    if (state != "active" && state != "removing")
        problem(Db::tenants, name, "the state is " + quoted(state));
    if (!is_tenant_name(row.text("name")))
        problem(Db::tenants, name, "the name is " + quoted(row.text("name")));
    if (row.text("cursorKey").size() != 64 || !is_hex(row.text("cursorKey")))
        problem(Db::tenants, name, "the cursor key is not 64 hexadecimal digits");
    uint64_t last = 0;
    Bytes given;
    if (v_.txn().get(Db::meta, "tenant_number", given)) read_number(given, last);
    if (number == 0 || number > last)
        problem(Db::tenants, name,
                "the number is above the last assigned one, " + std::to_string(last) +
                    ", and may be assigned again");
    if (state != "active") return;
    auto named = find_tenant(v_.txn(), row.text("name"));
    if (!named || named->number != number)
        problem(Db::tenants, name,
                "the name " + quoted(row.text("name")) + " does not refer to this tenant");
}

void Verifier::check_tenant_name(Bytes key, Bytes value) {
    std::string name = "name " + quoted(key.substr(1));
    if (value.size() != 4) return problem(Db::tenants, name, "the value is not a number");
    TenantNumber number = TenantNumber(read_be(value.data(), 4));
    auto tenant = find_tenant(v_.txn(), number);
    if (!tenant)
        problem(Db::tenants, name,
                "it refers to tenant " + std::to_string(number) + ", which does not exist");
    else if (tenant->name != key.substr(1))
        problem(Db::tenants, name,
                "it refers to tenant " + std::to_string(number) + ", which has another name");
    else if (tenant->state != TenantState::active)
        problem(Db::tenants, name,
                "it refers to tenant " + std::to_string(number) + ", which is being removed");
}

void Verifier::check_tokens() {
    v_.each_row(Db::tokens, [&](Bytes key, Bytes value) {
        std::string name = "sha256 " + hex_text(key.substr(0, 4)) + "…";
        if (key.size() != Digest().size())
            return problem(Db::tokens, hex_text(key), "the key is not a SHA-256");
        RowReader row(value);
        if (!row) return problem(Db::tokens, name, "the row cannot be read: " + row.why());
        TenantNumber tenant = TenantNumber(row.number("tenant"));
        uint32_t number = uint32_t(row.number("number"));
        if (!v_.is_active(Db::tokens, tenant)) return;
        v_.report.tokens++;
        name = "tenant " + std::to_string(tenant) + " token " + std::to_string(number) + " " + name;
        if (row.number("scopes") < 1 || row.number("scopes") > (scope_read | scope_write))
            problem(Db::tokens, name, "the scopes are " + std::to_string(row.number("scopes")));
        Bytes listed;
        if (!v_.txn().get(Db::tenant_tokens, tenant_token_key(tenant, number), listed) ||
            listed != key)
            problem(Db::tokens, name, "it is missing in tenant_tokens, so it cannot be revoked");
        auto actor = find_actor_row(v_.txn(), tenant, uint32_t(row.number("actor")));
        if (!actor || actor->token != number)
            problem(Db::tokens, name,
                    "its actor " + std::to_string(row.number("actor")) +
                        (actor ? " is another token" : " is missing"));
    });
}

void Verifier::check_tenant_tokens() {
    v_.each_tenant_row(Db::tenant_tokens, 8, 8, [&](Bytes key, Bytes value) {
        TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
        uint32_t number = uint32_t(read_be(key.data() + 4, 4));
        std::string name = "tenant " + std::to_string(tenant) + " token " + std::to_string(number);
        Digest digest;
        if (value.size() != digest.size())
            return problem(Db::tenant_tokens, name, "the value is not a SHA-256");
        value.copy(reinterpret_cast<char *>(digest.data()), digest.size());
        auto token = find_token(v_.txn(), digest);
        if (!token)
            problem(Db::tenant_tokens, name, "it refers to a token that does not exist");
        else if (token->tenant != tenant || token->number != number)
            problem(Db::tenant_tokens, name,
                    "it refers to token " + std::to_string(token->number) + " of tenant " +
                        std::to_string(token->tenant));
    });
}

void Verifier::check_actors() {
    v_.each_tenant_row(Db::actors, 8, 8, [&](Bytes key, Bytes) {
        TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
        uint32_t number = uint32_t(read_be(key.data() + 4, 4));
        if (!find_actor_row(v_.txn(), tenant, number))
            problem(Db::actors,
                    "tenant " + std::to_string(tenant) + " actor " + std::to_string(number),
                    "the row cannot be read");
    });
}

void Verifier::check_local() {
    v_.each_row(Db::local, [&](Bytes key, Bytes value) {
        switch (key[0]) {
            case 1: return check_token_use(key, value);
            case 2:
            case 4: return check_index_progress(key, value);
            case 3:
                if (key.size() != 5 || !decode_import_position(value))
                    problem(Db::local, hex_text(key), "the row cannot be read");
                return;
            default: return;  // written by a later build
        }
    });
}

void Verifier::check_token_use(Bytes key, Bytes value) {
    if (key.size() != 9 || value.size() != 8)
        return problem(Db::local, hex_text(key), "the row cannot be read");
    TenantNumber tenant = TenantNumber(read_be(key.data() + 1, 4));
    uint32_t number = uint32_t(read_be(key.data() + 5, 4));
    if (!v_.is_active(Db::local, tenant)) return;
    Bytes digest;
    if (!v_.txn().get(Db::tenant_tokens, tenant_token_key(tenant, number), digest))
        problem(Db::local, "tenant " + std::to_string(tenant) + " token " + std::to_string(number),
                "a use is recorded, but the token does not exist");
}

// How far an index is built or dropped. A damaged row of a drop or of a build of values begins it
// again; that of a substring index makes the build begin with a drop.
void Verifier::check_index_progress(Bytes key, Bytes value) {
    const bool of_substrings = key[0] == 4;
    const bool is_sound =
        of_substrings ? is_progress_of_substrings(value) : is_progress_of_values(value);
    if (key.size() != 3 || !is_sound)
        return problem(Db::local, hex_text(key), "the row cannot be read");
    if (v_.catalog == nullptr) return;
    const auto number = uint16_t(read_be(key.data() + 1, 2));
    const std::string name = "index " + std::to_string(number);
    const auto &indexes = v_.catalog->rows().indexes;
    const auto index = std::find_if(indexes.begin(), indexes.end(),
                                    [&](const IndexDef &row) { return row.number == number; });
    if (index == indexes.end())
        return problem(Db::local, name, "its progress is recorded, but it does not exist");
    const bool is_substring = index->kind == IndexKind::substring;
    const bool is_built = index->state == IndexState::building && is_substring == of_substrings;
    const bool is_dropped =
        index->state == IndexState::dropping && (is_substring || !of_substrings);
    if (!is_built && !is_dropped)
        problem(Db::local, name,
                "its progress is in a row of kind " + std::to_string(int(key[0])) +
                    ", but it is a " + (is_substring ? "substring" : "value") + " index that is " +
                    std::string(to_string(index->state)));
}

// The change log

void Verifier::check_changes() {
    v_.each_tenant_row(Db::changes, change_key_size, change_key_size,
                       [&](Bytes key, Bytes value) { check_change(key, value); });
    check_last_position();
}

void Verifier::check_change(Bytes key, Bytes value) {
    TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
    uint64_t position = read_be(key.data() + 4, 8), part = read_be(key.data() + 12, 2);
    std::string name = "tenant " + std::to_string(tenant) + " position " +
                       std::to_string(position) +
                       (part != 0 ? " part " + std::to_string(part) : "");
    v_.report.changes++;
    bool first = tenant != change_tenant_;
    if (first) {
        check_last_position();
        change_tenant_ = tenant;
        change_time_ = INT64_MIN;
    } else if (v_.snapshot() != change_snapshot_) {
        // The log may have been trimmed up to this row since the last snapshot.
        Bytes before;
        first = !v_.txn().get(Db::changes,
                              change_key(tenant, change_position_, uint16_t(change_part_)), before);
    }
    change_snapshot_ = v_.snapshot();
    bool follows = part == 0 ? first || position == change_position_ + 1
                             : !first && position == change_position_ && part == change_part_ + 1;
    if (!follows) problem(Db::changes, name, "the change before it is missing");
    change_position_ = position;
    change_part_ = part;
    auto change = decode_change(value);
    if (!change) return problem(Db::changes, name, "the row cannot be read");
    if (change->time < change_time_)
        problem(Db::changes, name, "it is older than the change before it");
    const bool has_type = change->type != 0 || !is_administrative(change->operation);
    if (v_.catalog != nullptr && has_type && v_.type_row(change->type) == nullptr)
        problem(Db::changes, name,
                "it is of " + v_.type_name(change->type) + ", which does not exist");
    change_time_ = change->time;
}

// Compares the tenant's position in `meta` with its last change. Reads both in the current
// snapshot, because changes may have been added since the last row was read.
void Verifier::check_last_position() {
    const TenantNumber tenant = change_tenant_;
    change_tenant_ = 0;
    if (tenant == 0 || !v_.exists(tenant)) return;
    Cursor last(v_.txn(), Db::changes);
    bool found = last.seek_before(tenant_prefix(tenant + 1)) &&
                 starts_with(last.key(), tenant_prefix(tenant)) &&
                 last.key().size() == change_key_size;
    if (!found) return;  // the log has been trimmed in the meantime
    uint64_t last_position = read_be(last.key().data() + 4, 8);
    auto change = decode_change(last.value());
    Position position = Directory(v_.txn(), tenant).position();
    std::string name = "tenant " + std::to_string(tenant) + " position";
    if (position.position != last_position)
        problem(Db::meta, name,
                "the counter is " + std::to_string(position.position) +
                    ", but the last change is " + std::to_string(last_position));
    else if (change && position.time < change->time)
        problem(Db::meta, name, "the last change is later than the time beside the counter");
}

void Verifier::check_refusals() {
    TenantNumber tenant = 0;
    v_.each_tenant_row(Db::refusals, 16, 16, [&](Bytes key, Bytes value) {
        TenantNumber next = TenantNumber(read_be(key.data(), 4));
        if (next != tenant) check_refusal_counter(tenant);
        tenant = next;
        v_.report.refusals++;
        RowReader row(value);
        if (!row) problem(Db::refusals, hex_text(key), "the row cannot be read: " + row.why());
    });
    check_refusal_counter(tenant);
}

// Counts a tenant's refusals in the snapshot in which it reads their counter; the rows are few.
void Verifier::check_refusal_counter(TenantNumber tenant) {
    if (tenant == 0 || !v_.exists(tenant)) return;
    const Key prefix = tenant_prefix(tenant);
    uint64_t count = 0;
    Cursor rows(v_.txn(), Db::refusals);
    for (bool more = rows.seek(prefix); more && starts_with(rows.key(), prefix); more = rows.next())
        count += rows.key().size() == 16;
    Bytes bytes;
    bool there = v_.txn().get(Db::meta, refusal_count_key(tenant), bytes) && bytes.size() == 8;
    uint64_t said = there ? read_le(bytes.data(), 8) : 0;
    std::string name = "tenant " + std::to_string(tenant) + " refusals";
    if (said != count)
        problem(
            Db::meta, name,
            "the counter is " + std::to_string(said) + ", but there are " + std::to_string(count));
    if (count > refusals_per_tenant)
        problem(Db::refusals, name,
                "there are more than the maximum of " + std::to_string(refusals_per_tenant));
}

}  // namespace

std::string hex_text(Bytes bytes) {
    std::string out;
    constexpr size_t most = 32;
    append_hex(out, reinterpret_cast<const uint8_t *>(bytes.data()), std::min(bytes.size(), most));
    return bytes.size() > most ? out + "…" : out;
}

bool ShortSnapshots::is_due(size_t bytes) {
    constexpr size_t most_rows = 10000, most_bytes = size_t(16) << 20;
    return ++rows_ >= most_rows || (bytes_ += bytes) >= most_bytes;
}

void ShortSnapshots::renew() {
    rows_ = bytes_ = 0;
    txn_.reset();
    txn_.emplace(reader_);
}

VerifyReport verify(Snapshots &snapshots, size_t limit) { return Verifier(snapshots, limit).run(); }

}  // namespace scim::store
