#pragma once
// Where C++ meets nginx: exceptions stop here, and C++ objects live in pools.

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "nginx/ngx.h"

namespace scim::nginx {

// Runs `f`; what it throws is logged, and `otherwise` is returned instead. Every function whose
// address is given to nginx and that can throw is one call of this.
template <class F, class R = std::invoke_result_t<F>>
R guarded(ngx_log_t *log, R otherwise, F &&f) noexcept {
    try {
        return f();
    } catch (const std::bad_alloc &) {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "scim: out of memory");
    } catch (const std::exception &e) {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "scim: %s", e.what());
    } catch (...) {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "scim: unknown exception");
    }
    return otherwise;
}

// What `f` throws is answered with 503, or 500 if it is not a lack of memory; headers that it has
// set are taken back.
template <class F>
ngx_int_t guarded(ngx_http_request_t *r, F &&f) noexcept {
    ngx_int_t rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    bool finished = guarded(r->connection->log, false, [&] {
        try {
            rc = f();
            return true;
        } catch (const std::bad_alloc &) {
            rc = NGX_HTTP_SERVICE_UNAVAILABLE;
            throw;
        }
    });
    if (finished) return rc;
    if (r->header_sent) return NGX_ERROR;
    ngx_http_clean_header(r);
    return rc;
}

template <class F>
void guarded_void(ngx_log_t *log, F &&f) noexcept {
    (void)guarded(log, 0, [&] { return f(), 0; });
}

// The first exception on a thread allocates the thread's data, and ends the process if there is no
// memory for it. Called on each thread before anything else: at that moment there mostly is.
inline void prepare_thread() noexcept {
    try {
        throw 0;  // a call that only asks would be optimised away
    } catch (int) {
    }
}

// An object that lives as long as its pool: the pool's cleanup runs the destructor. NULL if the
// pool has no memory.
template <class T, class... Args>
T *pool_new(ngx_pool_t *pool, Args &&...args) {
    static_assert(alignof(T) <= NGX_ALIGNMENT);
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(pool, sizeof(T));
    if (cleanup == NULL) return NULL;
    T *object = new (cleanup->data) T(std::forward<Args>(args)...);
    cleanup->handler = [](void *data) { static_cast<T *>(data)->~T(); };
    return object;
}

}  // namespace scim::nginx
