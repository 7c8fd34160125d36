#pragma once
// nginx's headers, wrapped in extern "C" because they have no C++ linkage guards. No other file
// includes them.

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#else
#error "ngx_http_scim_module requires nginx built with --with-threads"
#endif
}

#include <string_view>

namespace scim::nginx {

inline std::string_view view(const ngx_str_t &s) {
    return {reinterpret_cast<const char *>(s.data), s.len};
}

// nginx's cached time in milliseconds since 1970.
inline int64_t now() {
    ngx_time_t *time = ngx_timeofday();
    return int64_t(time->sec) * 1000 + int64_t(time->msec);
}

// Copies `s` into the pool. Returns an empty string with data == NULL if the allocation fails.
inline ngx_str_t copy_to_pool(ngx_pool_t *pool, std::string_view s) {
    ngx_str_t out = ngx_null_string;
    out.data = static_cast<u_char *>(ngx_pnalloc(pool, s.empty() ? 1 : s.size()));
    if (out.data == NULL) return out;
    if (!s.empty()) ngx_memcpy(out.data, s.data(), s.size());
    out.len = s.size();
    return out;
}

// An argument for %V in ngx_log_error() and ngx_sprintf().
class Printable {
  public:
    explicit Printable(std::string_view s)
        : str_{s.size(), reinterpret_cast<u_char *>(const_cast<char *>(s.data()))} {}
    operator const ngx_str_t *() const { return &str_; }

  private:
    ngx_str_t str_;
};

}  // namespace scim::nginx
