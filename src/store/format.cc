#include "store/format.h"

#include <algorithm>

#include "scim/text/json.h"
#include "scim/text/text.h"
#include "store/bytes.h"
#include "store/row.h"

namespace scim::store {

namespace {

enum CatalogKind : uint8_t {
    kind_header = 0,
    kind_schema = 1,
    kind_type = 2,
    kind_attr = 3,
    kind_index = 4
};

std::string catalog_key(uint8_t kind, uint16_t number) {
    std::string key(1, char(kind));
    append_be(key, number, 2);
    return key;
}

std::optional<uint64_t> meta_number(Txn &txn, Bytes name) {
    Bytes text;
    uint64_t number = 0;
    if (!txn.get(Db::meta, name, text) || !read_number(text, number)) return std::nullopt;
    return number;
}

void put_meta_number(WriteTxn &txn, Bytes name, uint64_t value) {
    txn.put(Db::meta, name, std::to_string(value));
}

Error damaged(uint8_t kind, uint16_t number, std::string_view why) {
    return Error{Refusal::catalog_damaged, "catalog row " + std::to_string(kind) + "/" +
                                               std::to_string(number) + ": " + std::string(why)};
}

void read_header(CatalogRows &rows, const RowReader &row) {
    rows.epoch = uint32_t(row.number("epoch"));
    rows.shape_epoch = uint32_t(row.number("shapeEpoch"));
    rows.generation = uint64_t(row.number("generation"));
    rows.unicode = row.text("unicode");
}

Outcome read_schema_row(CatalogRows &rows, uint16_t number, const RowReader &row) {
    auto schema = load_schema(row.get("schema"));
    RETURN_IF_ERROR(schema);
    rows.schemas.push_back({number, std::move(*schema), row.boolean("declared")});
    return Done{};
}

Outcome read_type_row(CatalogRows &rows, uint16_t number, const RowReader &row) {
    auto type = load_resource_type(row.get("resourceType"));
    RETURN_IF_ERROR(type);
    std::vector<std::string> bits;
    const json_t *urns = row.get("extensionBits");
    for (size_t i = 0; i < json_array_size(urns); i++)
        bits.emplace_back(text_of(json_array_get(urns, i)));
    rows.types.push_back({number, std::move(*type), std::move(bits), row.boolean("declared")});
    return Done{};
}

Outcome read_attr_row(CatalogRows &rows, uint16_t number, const RowReader &row) {
    CatalogRows::AttrRow attr;
    attr.number = number;
    attr.schema = row.text("schema");
    attr.path = row.text("path");
    attr.multi_valued = row.boolean("multiValued");
    attr.case_exact = row.boolean("caseExact");
    std::string type = row.text("type");
    for (int t = 0; t <= int(AttrType::complex); t++) {
        if (to_string(AttrType(t)) != type) continue;
        attr.type = AttrType(t);
        rows.attrs.push_back(std::move(attr));
        return Done{};
    }
    return Error{Refusal::catalog_damaged, "unknown type " + quoted(type)};
}

Outcome read_index_row(CatalogRows &rows, uint16_t number, const RowReader &row) {
    IndexDef index;
    index.number = number;
    index.type = TypeNumber(row.number("resourceType"));
    index.attr = AttrNumber(row.number("attribute"));
    index.unique = row.boolean("unique");
    index.declared = row.boolean("declared");
    const std::string kind = row.text("kind");
    if (kind == to_string(IndexKind::substring))
        index.kind = IndexKind::substring;
    else if (kind != to_string(IndexKind::value))
        return Error{Refusal::catalog_damaged, "unknown index kind " + quoted(kind)};
    std::string state = row.text("state");
    for (int s = 0; s <= int(IndexState::dropping); s++) {
        if (to_string(IndexState(s)) != state) continue;
        index.state = IndexState(s);
        rows.indexes.push_back(index);
        return Done{};
    }
    return Error{Refusal::catalog_damaged, "unknown index state " + quoted(state)};
}

Outcome read_row(CatalogRows &rows, uint8_t kind, uint16_t number, const RowReader &row) {
    switch (kind) {
        case kind_header: read_header(rows, row); return Done{};
        case kind_schema: return read_schema_row(rows, number, row);
        case kind_type: return read_type_row(rows, number, row);
        case kind_attr: return read_attr_row(rows, number, row);
        case kind_index: return read_index_row(rows, number, row);
        default: return Done{};  // of a later build; min_reader tells whether it may be ignored
    }
}

void put_row(WriteTxn &txn, uint8_t kind, uint16_t number, const RowWriter &row) {
    txn.put(Db::catalog, catalog_key(kind, number), row.done());
}

// An index has no row any more when it has been dropped.
void delete_old_indexes(WriteTxn &txn, const std::vector<IndexDef> &indexes) {
    Cursor cursor(txn, Db::catalog);
    for (bool more = cursor.seek(catalog_key(kind_index, 0)); more; more = cursor.next()) {
        const Bytes key = cursor.key();
        if (key.size() != 3 || key[0] != char(kind_index)) return;
        const auto number = uint16_t(read_be(key.data() + 1, 2));
        const auto is_it = [&](const IndexDef &index) { return index.number == number; };
        if (std::none_of(indexes.begin(), indexes.end(), is_it)) cursor.del();
    }
}

}  // namespace

FormatCheck check_format(Txn &txn) {
    FormatCheck check;
    Bytes text;
    if (!txn.get(Db::meta, "min_reader", text)) {
        check.code = txn.good() ? Errc::not_found : txn.error();
        return check;
    }
    auto reader = meta_number(txn, "min_reader"), writer = meta_number(txn, "min_writer"),
         format = meta_number(txn, "write_format");
    if (!reader || !writer || !format) {
        check.code = Errc::damaged;
        return check;
    }
    check.min_reader = unsigned(*reader);
    check.min_writer = unsigned(*writer);
    check.write_format = unsigned(*format);
    return check;
}

std::string format_problem(const FormatCheck &check, const std::string &directory) {
    std::string store = "store \"" + directory + "\" ";
    if (check.code == Errc::not_found) return store + "is empty";
    if (check.code != Errc::ok)
        return store + "cannot be read: " + std::string(to_string(check.code));
    if (check.is_old())
        return store + "has format " + std::to_string(check.write_format) +
               " of a version before 0.1.0, which this one does not read: remove the directory and "
               "provision again";
    unsigned needed = check.readable() ? check.min_writer : check.min_reader;
    return store + "has format " + std::to_string(check.write_format) +
           ", which needs a version that knows format " + std::to_string(needed) +
           "; this one knows format " + std::to_string(format_version) +
           (check.readable() ? ": it is served read-only" : ": upgrade the module");
}

void mark_format(WriteTxn &txn) {
    put_meta_number(txn, "min_reader", format_version);
    put_meta_number(txn, "min_writer", format_version);
    put_meta_number(txn, "write_format", format_version);
}

// The epoch is stored in `meta` in addition to the catalog's header: reading it needs no JSON
// parser.
uint32_t catalog_epoch(Txn &txn) { return uint32_t(meta_number(txn, "catalog_epoch").value_or(0)); }

Result<CatalogRows> read_catalog(Txn &txn) {
    CatalogRows rows;
    Cursor cursor(txn, Db::catalog);
    for (bool more = cursor.seek(""); more; more = cursor.next()) {
        Bytes key = cursor.key();
        if (key.size() != 3)
            return damaged(0, 0,
                           "the key has " + std::to_string(key.size()) + " bytes, expected 3");
        uint8_t kind = uint8_t(key[0]);
        uint16_t number = uint16_t(read_be(key.data() + 1, 2));
        RowReader row(cursor.value());
        if (!row) return damaged(kind, number, row.why());
        auto outcome = read_row(rows, kind, number, row);
        if (!outcome) return damaged(kind, number, outcome.error().detail);
    }
    if (!txn.good())
        return Error{Refusal::store_unreadable, "catalog: " + std::string(to_string(txn.error())),
                     1};
    return rows;
}

void write_catalog(WriteTxn &txn, const CatalogRows &rows) {
    auto put = [&](uint8_t kind, uint16_t number, const RowWriter &row) {
        put_row(txn, kind, number, row);
    };
    for (const auto &row : rows.schemas) {
        RowWriter out;
        write_schema(out.boolean("declared", row.declared).member("schema"), row.schema);
        put(kind_schema, row.number, out.close());
    }
    for (const auto &row : rows.types) {
        RowWriter out;
        out.boolean("declared", row.declared).texts("extensionBits", row.extension_bits);
        write_resource_type(out.member("resourceType"), row.type);
        put(kind_type, row.number, out.close());
    }
    for (const auto &row : rows.attrs) {
        RowWriter out;
        out.text("schema", row.schema).text("path", row.path).text("type", to_string(row.type));
        put(kind_attr, row.number,
            out.boolean("multiValued", row.multi_valued).boolean("caseExact", row.case_exact));
    }
    write_indexes(txn, rows);
}

void write_indexes(WriteTxn &txn, const CatalogRows &rows) {
    RowWriter header;
    header.number("epoch", rows.epoch)
        .number("shapeEpoch", rows.shape_epoch)
        .number("generation", rows.generation);
    put_row(txn, kind_header, 0, header.text("unicode", rows.unicode));
    delete_old_indexes(txn, rows.indexes);
    for (const auto &row : rows.indexes) {
        RowWriter out;
        out.number("resourceType", row.type)
            .number("attribute", row.attr)
            .boolean("unique", row.unique)
            .boolean("declared", row.declared)
            .text("kind", to_string(row.kind));
        put_row(txn, kind_index, row.number, out.text("state", to_string(row.state)));
    }
    put_meta_number(txn, "catalog_epoch", rows.epoch);
}

uint64_t auth_epoch(Txn &txn) { return meta_number(txn, "auth_epoch").value_or(0); }

void bump_auth_epoch(WriteTxn &txn) { put_meta_number(txn, "auth_epoch", auth_epoch(txn) + 1); }

uint32_t next_tenant_number(WriteTxn &txn) {
    uint64_t number = meta_number(txn, "tenant_number").value_or(0) + 1;
    put_meta_number(txn, "tenant_number", number);
    return uint32_t(number);
}

}  // namespace scim::store
