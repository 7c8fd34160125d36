#include "nginx/request_headers.h"

#include <new>

#include "scim/text/text.h"

namespace scim::nginx {

namespace {

char form_of(char c) { return is_letter(c) || is_digit(c) ? ascii_lower(c) : '-'; }

ngx_table_elt_t *fields_of(ngx_list_part_t *part) {
    return static_cast<ngx_table_elt_t *>(part->elts);
}

// Unlinks an empty part: nginx's loops over headers expect that only the first part of a list can
// be empty, and only if it is the last one, too.
void drop_part(ngx_list_t &list, ngx_list_part_t *before, ngx_list_part_t *part) {
    if (before != NULL) {
        before->next = part->next;
        if (list.last == part) {
            list.last = before;
            list.nalloc = before->nelts;
        }
    } else if (part->next != NULL) {
        ngx_list_part_t *next = part->next;
        *part = *next;
        if (list.last == next) list.last = part;
    }
}

// Removes the field `i` of a part. Returns the part that the next field is in, or NULL if an
// allocation fails.
ngx_list_part_t *remove_field(ngx_pool_t *pool, ngx_list_t &list, ngx_list_part_t *part,
                              ngx_uint_t i) {
    if (i == part->nelts - 1) {
        part->nelts--;
        return part;
    }
    const bool is_last = list.last == part;
    if (i == 0) {
        part->elts = fields_of(part) + 1;
        part->nelts--;
        if (is_last) list.nalloc--;
        return part;
    }
    auto *rest = static_cast<ngx_list_part_t *>(ngx_palloc(pool, sizeof(ngx_list_part_t)));
    if (rest == NULL) return NULL;
    rest->elts = fields_of(part) + i + 1;
    rest->nelts = part->nelts - i - 1;
    rest->next = part->next;
    part->nelts = i;
    part->next = rest;
    if (is_last) {
        list.last = rest;
        list.nalloc -= i + 1;
    }
    return rest;
}

void *member_of(ngx_http_request_t *r, const ngx_http_header_t &header) {
    return reinterpret_cast<char *>(&r->headers_in) + header.offset;
}

// Until 1.23 nginx keeps an array of the fields of some names.
bool is_array([[maybe_unused]] const ngx_http_header_t &header) {
#if (nginx_version < 1023000)
    return header.offset == offsetof(ngx_http_headers_in_t, cookies)
#if (NGX_HTTP_X_FORWARDED_FOR)
           || header.offset == offsetof(ngx_http_headers_in_t, x_forwarded_for)
#endif
        ;
#else
    return false;
#endif
}

void forget(ngx_http_request_t *r, std::string_view form) {
    const auto &cmcf = *static_cast<const ngx_http_core_main_conf_t *>(
        ngx_http_get_module_main_conf(r, ngx_http_core_module));
    const ngx_http_header_t *header = known_header(cmcf, form);
    if (header == NULL) return;
    if (is_array(*header))
        static_cast<ngx_array_t *>(member_of(r, *header))->nelts = 0;
    else
        *static_cast<ngx_table_elt_t **>(member_of(r, *header)) = NULL;
}

void note(ngx_http_request_t *r, const ngx_http_header_t &header, ngx_table_elt_t *field) {
    if (!is_array(header)) {
        *static_cast<ngx_table_elt_t **>(member_of(r, header)) = field;
        return;
    }
    auto *fields = static_cast<ngx_array_t *>(member_of(r, header));
    if (fields->elts == NULL &&
        ngx_array_init(fields, r->pool, 1, sizeof(ngx_table_elt_t *)) != NGX_OK)
        throw std::bad_alloc();
    auto **place = static_cast<ngx_table_elt_t **>(ngx_array_push(fields));
    if (place == NULL) throw std::bad_alloc();
    *place = field;
}

}  // namespace

std::string header_form(std::string_view name) {
    std::string form;
    for (char c : name) form += form_of(c);
    return form;
}

bool has_form(std::string_view name, std::string_view form) {
    if (name.size() != form.size()) return false;
    for (size_t i = 0; i < name.size(); i++)
        if (form_of(name[i]) != form[i]) return false;
    return true;
}

HeaderCount count_headers(ngx_http_request_t *r, std::string_view form) {
    HeaderCount count;
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next)
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            const std::string_view name = view(fields_of(part)[i].key);
            if (!has_form(name, form)) continue;
            count.all++;
            count.other_spellings += size_t(!ascii_iequals(name, form));
        }
    return count;
}

const ngx_http_header_t *known_header(const ngx_http_core_main_conf_t &cmcf,
                                      std::string_view name) {
    ngx_uint_t hash = 0;
    for (char c : name) hash = ngx_hash(hash, u_char(c));
    // nginx changes neither the hash table nor the name.
    auto *table = const_cast<ngx_hash_t *>(&cmcf.headers_in_hash);
    auto *text = reinterpret_cast<u_char *>(const_cast<char *>(name.data()));
    return static_cast<const ngx_http_header_t *>(ngx_hash_find(table, hash, text, name.size()));
}

void copy_headers(ngx_http_request_t *r) {
    constexpr ngx_uint_t part_size = 20;
    ngx_list_t copy;
    if (ngx_list_init(&copy, r->pool, part_size, sizeof(ngx_table_elt_t)) != NGX_OK)
        throw std::bad_alloc();
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next)
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            auto *field = static_cast<ngx_table_elt_t *>(ngx_list_push(&copy));
            if (field == NULL) throw std::bad_alloc();
            *field = fields_of(part)[i];
        }
    const bool has_one_part = copy.last == &copy.part;
    ngx_list_t &list = r->headers_in.headers;
    list = copy;
    if (has_one_part) list.last = &list.part;
}

void remove_headers(ngx_http_request_t *r, std::string_view form) {
    ngx_list_t &list = r->headers_in.headers;
    bool removed = false;
    ngx_list_part_t *before = NULL, *part = &list.part;
    for (ngx_uint_t i = 0; part != NULL;) {
        if (i < part->nelts) {
            if (!has_form(view(fields_of(part)[i].key), form)) {
                i++;
                continue;
            }
            removed = true;
            ngx_list_part_t *next = remove_field(r->pool, list, part, i);
            if (next == NULL) throw std::bad_alloc();
            if (next != part) {
                before = part;
                part = next;
                i = 0;
            }
            continue;
        }
        if (part->nelts == 0 && (before != NULL || part->next != NULL)) {
            const bool is_first = before == NULL;
            drop_part(list, before, part);
            part = is_first ? part : before->next;
        } else {
            before = part;
            part = part->next;
        }
        i = 0;
    }
    if (removed) forget(r, form);
}

void add_header(ngx_http_request_t *r, ngx_str_t name, ngx_str_t lowcase, ngx_uint_t hash,
                const ngx_http_header_t *known, ngx_str_t value) {
    auto *field = static_cast<ngx_table_elt_t *>(ngx_list_push(&r->headers_in.headers));
    if (field == NULL) throw std::bad_alloc();
    *field = {};  // clears the members that only some versions of nginx have
    field->hash = hash;
    field->key = name;
    field->lowcase_key = lowcase.data;
    field->value = value;
    if (known != NULL) note(r, *known, field);
}

}  // namespace scim::nginx
