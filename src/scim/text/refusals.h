#pragma once
// The catalogue of refusals: every reason for which a request, a command of scimctl or a definition
// in the configuration is refused.
//
// A row is named by its id, such as "token-expired". Ids are part of the interface: they are never
// renamed and never given another meaning. An Error (result.h) names its row, so that the HTTP
// status and the scimType of a refusal are decided here only. docs/errors.md is made from the rows.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace scim {

// RFC 7644 table 9 and, of cursors, RFC 9865 2.1; `none` if no keyword applies.
enum class ScimType : uint8_t {
    none,
    invalid_filter,
    too_many,
    uniqueness,
    mutability,
    invalid_syntax,
    invalid_path,
    no_target,
    invalid_value,
    invalid_vers,
    sensitive,
    invalid_cursor,
    expired_cursor,
    invalid_count,
};

// The keyword in the response ("invalidFilter"), empty for `none`.
std::string_view to_string(ScimType type);

// In the order of the catalogue. The id of a row has "-" for each "_".
enum class Refusal : uint8_t {
    // Authentication and rights
    token_missing,
    token_empty,
    authorization_form,
    token_pasted_text,
    token_foreign,
    token_damaged,
    token_unknown,
    token_expired,
    token_revoked,
    token_not_yet_valid,
    token_user_refused,
    tenant_disabled,
    tenant_not_configured,
    tenant_mismatch,
    scope_read_missing,
    scope_write_missing,
    location_read_only,
    // URLs
    path_outside_base_url,
    host_missing,
    host_invalid,
    base_url_invalid,
    slash_missing,
    base_url_has_endpoint,
    base_url_twice,
    endpoint_unknown,
    path_too_deep,
    version_unsupported,
    method_not_allowed,
    resource_unknown,
    discovery_unknown,
    discovery_filter,
    me_unbound,
    // Query parameters and filters
    parameter_encoding,
    parameter_type,
    paging_conflict,
    search_schemas,
    projection_conflict,
    projection_ambiguous,
    sort_attribute,
    sort_order,
    filter_empty,
    filter_encoding,
    filter_syntax,
    filter_too_long,
    filter_too_deep,
    filter_unknown_attribute,
    filter_hidden_attribute,
    filter_ambiguous,
    filter_complex_attribute,
    filter_brackets,
    filter_operator,
    filter_value,
    filter_deviation,
    scan_too_large,
    cursor_invalid,
    cursor_of_other_query,
    cursor_outdated,
    cursor_count,
    cursor_expired,
    // Bodies
    content_type,
    content_encoding,
    body_missing,
    json_syntax,
    json_truncated,
    json_encoding,
    json_duplicate_name,
    json_too_deep,
    json_too_many_values,
    json_number,
    body_too_costly,
    indexed_text_too_costly,
    schemas_form,
    scim_1,
    syntax_deviation,
    value_deviation,
    attribute_unknown,
    value_type,
    value_format,
    value_too_long,
    too_many_elements,
    primary_twice,
    required_missing,
    resource_too_large,
    uniqueness_conflict,
    attribute_read_only,
    attribute_immutable,
    required_removed,
    // Groups
    member_unknown,
    member_form,
    member_of_itself,
    member_immutable,
    member_filter,
    too_many_members,
    // PATCH
    patch_form,
    patch_op,
    patch_too_many_operations,
    patch_too_costly,
    patch_value_missing,
    patch_remove_without_path,
    patch_no_target,
    patch_extension_value,
    patch_active_removed,
    schemas_computed,
    path_syntax,
    path_too_long,
    path_unknown_attribute,
    path_ambiguous,
    path_brackets,
    path_deviation,
    // Versions
    etag_form,
    etag_unavailable,
    version_mismatch,
    version_excluded,
    // Bulk requests
    bulk_form,
    bulk_path,
    bulk_data,
    bulk_fail_on_errors,
    bulk_id_twice,
    bulk_id_unknown,
    bulk_needed_failed,
    bulk_circle_failed,
    bulk_all_failed,
    bulk_too_many_operations,
    bulk_too_large,
    bulk_too_costly,
    // State of the server
    store_starting,
    store_unavailable,
    store_newer,
    store_unreadable,
    store_unwritable,
    store_full,
    catalog_unreadable,
    queue_full,
    queue_timeout,
    read_too_slow,
    read_interrupted,
    client_gone,
    response_not_kept,
    body_not_kept,
    out_of_memory,
    internal_error,
    // Refusals of nginx itself
    http_invalid,
    http_unauthorized,
    http_forbidden,
    http_not_found,
    http_method,
    http_length_missing,
    http_body_too_large,
    http_uri_too_long,
    http_wrong_host,
    http_rate_limited,
    http_not_implemented,
    http_limited,
    http_version,
    http_refused,
    http_failed,
    // scimctl
    tenant_unknown,
    tenant_name,
    token_unnamed,
    token_label,
    token_label_taken,
    token_exists,
    token_digest,
    token_times,
    token_unusable,
    token_limit,
    user_unknown,
    user_ambiguous,
    user_exists,
    user_name_empty,
    pause_length,
    type_unknown,
    name_unknown,
    name_ambiguous,
    index_unknown,
    index_not_added,
    output_failed,
    import_input,
    import_record,
    import_exists,
    import_reference,
    import_errors_file,
    import_tenant_removed,
    import_running,
    import_other_input,
    // Configuration
    configuration_invalid,
    catalog_damaged,
};
constexpr size_t refusal_count = size_t(Refusal::catalog_damaged) + 1;

struct RefusalRow {
    Refusal refusal;
    std::string_view id;
    uint16_t status;            // of the answer
    ScimType type;              // of the answer
    std::string_view sentence;  // what happened, in general
    std::string_view cause, remedy;
    std::string_view rfc;  // "RFC 7644 3.14"; may be empty
};

// Who refuses: the server, which answers with the status; scimctl; or the check of nginx's
// configuration.
enum class RefusedBy : uint8_t { server, scimctl, configuration };

// The rows from `first` to the next section.
struct RefusalSection {
    std::string_view title;
    RefusedBy by;
    Refusal first;
};

const std::array<RefusalRow, refusal_count> &refusals();
const RefusalRow &row_of(Refusal refusal);
const RefusalSection &section_of(Refusal refusal);
// The row of an id, nullptr if there is none.
const RefusalRow *find_refusal(std::string_view id);

}  // namespace scim
