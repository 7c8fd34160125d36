#include "nginx/handler.h"

#include "nginx/body.h"
#include "nginx/guard.h"
#include "nginx/status.h"
#include "nginx/worker.h"
#include "service/me.h"
#include "service/read.h"
#include "service/routes.h"

namespace scim::nginx {

namespace {

service::Method method_of(ngx_http_request_t *r) {
    switch (r->method) {
        case NGX_HTTP_GET:
        case NGX_HTTP_HEAD: return service::Method::get;
        case NGX_HTTP_POST: return service::Method::post;
        case NGX_HTTP_PUT: return service::Method::put;
        case NGX_HTTP_PATCH: return service::Method::patch;
        case NGX_HTTP_DELETE: return service::Method::del;
        default: return service::Method::other;
    }
}

// data() is null if the request does not have the field, and not null if its value is empty.
std::string_view header(ngx_table_elt_t *h) {
    if (h == NULL) return {};
    return h->value.len != 0 ? view(h->value) : std::string_view("");
}

// The value of a header that has no member in ngx_http_headers_in_t.
std::string_view other_header(ngx_http_request_t *r, std::string_view name) {
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        auto *h = static_cast<ngx_table_elt_t *>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++)
            if (view(h[i].key).size() == name.size() &&
                ngx_strncmp(h[i].lowcase_key, name.data(), name.size()) == 0)
                return view(h[i].value);
    }
    return {};
}

// A request that is handled within this call: its views point into nginx's memory.
service::Request request_of(ngx_http_request_t *r, const LocConf &lcf, const EndpointCtx &ctx) {
    service::Request request;
    request.method = method_of(r);
    request.path = ctx.path;
    request.args = view(r->args);
    request.base_url = view(ctx.base_url);
    request.content_type = header(r->headers_in.content_type);
    if (service::is_write(request.method))
        request.content_encoding = other_header(r, "content-encoding");
    request.if_match = header(r->headers_in.if_match);
    request.if_none_match = header(r->headers_in.if_none_match);
    request.settings = &lcf.settings;
    request.explains = (r->connection->log->log_level & NGX_LOG_DEBUG_HTTP) != 0;
    request.now = now();
    return request;
}

// A request that outlives this call: its views point into a copy of the bytes.
std::unique_ptr<PendingRequest> pending_of(ngx_http_request_t *r, const LocConf &lcf,
                                           EndpointCtx &ctx, Body body) {
    auto pending = std::make_unique<PendingRequest>(*lcf.temp_path, std::move(body));
    service::Request &request = pending->job.request;
    request = request_of(r, lcf, ctx);
    request.id = request_id(r);
    request.sink = &pending->file;
    request.read_end.cancelled = &pending->client.gone();
    pending->job.actor = ctx.actor;
    std::string_view *views[] = {&request.path,
                                 &request.args,
                                 &request.base_url,
                                 &request.content_type,
                                 &request.content_encoding,
                                 &request.if_match,
                                 &request.if_none_match};
    size_t size = 0;
    for (std::string_view *v : views) size += v->size();
    pending->bytes.reserve(size);
    for (std::string_view *v : views) {
        if (v->data() == nullptr) continue;
        size_t at = pending->bytes.size();
        pending->bytes.append(*v);
        *v = std::string_view(pending->bytes).substr(at, v->size());
    }
    return pending;
}

// Bodies and query strings of more bytes are not parsed on the event loop.
constexpr size_t loop_bytes = 16u << 10;

Error unserved() {
    return Error{Refusal::store_unavailable, "the directory cannot be served now", 5};
}

Error busy() { return Error{Refusal::queue_full, "too many requests are waiting", 1}; }

// For a body in a file, whose descriptor cannot be duplicated.
Error no_descriptor() {
    return Error{Refusal::body_not_kept, "the request body cannot be kept: too many files are open",
                 5};
}

// Submits a write to the writer. NGX_DONE: the response is sent later.
ngx_int_t take_write(ngx_http_request_t *r) {
    const LocConf &lcf = loc_conf(r);
    EndpointCtx &ctx = *ctx_if_any(r);
    ctx.reading_body = false;
    WorkerStore *store = store_of(*lcf.store);
    // The store may have been closed while nginx read the body.
    if (store == NULL || store->session() == NULL) return send_error(r, ctx, unserved());
    Body body(r);
    if (body.error() != 0) return send_error(r, ctx, no_descriptor());
    auto pending = pending_of(r, lcf, ctx, std::move(body));
    if (!pending->client.hold(r, false)) return NGX_ERROR;
    if (store->submit_write(pending)) return NGX_DONE;
    pending.reset();
    return send_error(r, ctx, busy());
}

// Finalizes the request even with NGX_DONE, because nginx holds a reference for reading the body.
void body_ready(ngx_http_request_t *r) {
    ngx_http_finalize_request(r, guarded(r, [&] { return take_write(r); }));
}

// False if the request will be refused whatever its body is, so that the client need not send it.
// The writer decides, and records the refusal.
bool wants_body(ngx_http_request_t *r, const LocConf &lcf, const EndpointCtx &ctx,
                WorkerStore &store) {
    if (store.preparing()) return true;  // the new catalog is not known yet
    service::Snapshot snapshot(*store.session());
    return !snapshot.usable() ||
           service::wants_body(*snapshot.catalog(), request_of(r, lcf, ctx), *ctx.actor);
}

// Refuses a write before its body is read.
ngx_int_t refuse_write(ngx_http_request_t *r, const LocConf &lcf, EndpointCtx &ctx,
                       WorkerStore &store, const Error &error) {
    ngx_int_t rc = refuse_body(r);
    if (rc != NGX_OK) return rc;
    service::Response response;
    service::Request request = request_of(r, lcf, ctx);
    request.id = request_id(r);
    if (!store.preparing()) {
        service::Snapshot snapshot(*store.session());
        service::note_location(response, request, *ctx.actor, snapshot);
    }
    service::refuse(response, error, request);
    return send(r, ctx, response);
}

ngx_int_t serve_write(ngx_http_request_t *r, const LocConf &lcf, EndpointCtx &ctx,
                      WorkerStore &store) {
    if (store.read_only())
        return refuse_write(
            r, lcf, ctx, store,
            Error{Refusal::store_newer,
                  "the directory is read-only: a newer version of this server has written it", 60});
    if (!lcf.write_allowed())
        return refuse_write(
            r, lcf, ctx, store,
            Error{Refusal::location_read_only,
                  "this location is read-only: its scim_scope does not allow writes"});
    if (!wants_body(r, lcf, ctx, store)) {
        ngx_int_t rc = refuse_body(r);
        if (rc != NGX_OK) return rc;
        return take_write(r);
    }
    ctx.reading_body = true;
    return read_body(r, body_ready);
}

// Submits a read to the read pool. NGX_DONE: the response is sent later.
ngx_int_t defer_read(ngx_http_request_t *r, const LocConf &lcf, EndpointCtx &ctx,
                     WorkerStore &store, Body body) {
    constexpr std::chrono::seconds most{30};
    auto pending = pending_of(r, lcf, ctx, std::move(body));
    pending->is_write = false;
    pending->job.request.read_end.deadline = std::chrono::steady_clock::now() + most;
    // A read is cancelled when its client disconnects. A write always runs to its end.
    if (!pending->client.hold(r, true)) return NGX_ERROR;
    if (store.submit_read(pending)) return NGX_DONE;
    pending.reset();
    return send_error(r, ctx, busy());
}

// Handles a read on the event loop, or defers it to the read pool and returns NGX_DONE.
ngx_int_t answer_read(ngx_http_request_t *r, const LocConf &lcf, EndpointCtx &ctx,
                      WorkerStore &store, Body body) {
    if (body.in_file() || body.size() > loop_bytes || r->args.len > loop_bytes)
        return defer_read(r, lcf, ctx, store, std::move(body));
    service::Request request = request_of(r, lcf, ctx);
    request.body = body.text();
    // Static, so that its strings keep their capacity. The event loop handles one at a time.
    static auto *response = new service::Response;
    Result<service::ReadResult> reading = service::ReadResult::answered;
    {
        service::Snapshot snapshot(*store.session());
        reading =
            service::read(snapshot, *ctx.actor, request, *response, service::RunOn::event_loop);
    }
    if (!reading) {
        request.id = request_id(r);
        service::refuse(*response, reading.error(), request);
    } else if (*reading == service::ReadResult::deferred) {
        return defer_read(r, lcf, ctx, store, std::move(body));
    }
    return send(r, ctx, *response);
}

ngx_int_t serve_read(ngx_http_request_t *r, const LocConf &lcf, EndpointCtx &ctx,
                     WorkerStore &store) {
    ngx_int_t rc = refuse_body(r);
    if (rc != NGX_OK) return rc;
    return answer_read(r, lcf, ctx, store, Body());
}

void search_ready(ngx_http_request_t *r) {
    ngx_int_t rc = guarded(r, [&]() -> ngx_int_t {
        const LocConf &lcf = loc_conf(r);
        EndpointCtx &ctx = *ctx_if_any(r);
        ctx.reading_body = false;
        WorkerStore *store = store_of(*lcf.store);
        if (store == NULL || store->session() == NULL) return send_error(r, ctx, unserved());
        Body body(r);
        if (body.error() != 0) return send_error(r, ctx, no_descriptor());
        return answer_read(r, lcf, ctx, *store, std::move(body));
    });
    ngx_http_finalize_request(r, rc);
}

// POST .search (RFC 7644 3.4.3): a read with its query in the body. Never waits for the writer.
ngx_int_t serve_search(ngx_http_request_t *r, const LocConf &lcf, EndpointCtx &ctx,
                       WorkerStore &store) {
    if (!wants_body(r, lcf, ctx, store)) return serve_read(r, lcf, ctx, store);
    ctx.reading_body = true;
    return read_body(r, search_ready);
}

// Completes the job's response: an error becomes an error response, without a body if memory is
// short. A committed write is never reported as an error. An unfinished response is replaced,
// because its body is missing or incomplete.
void make_answer(PendingRequest &pending) noexcept {
    if (pending.outcome && pending.job.unfinished)
        pending.refuse(Refusal::out_of_memory, "out of memory", 5);
    if (!pending.outcome) service::answer_unshown(pending.job, pending.outcome.error());
}

ngx_int_t send_answer(ngx_http_request_t *r, PendingRequest &pending) noexcept {
    service::Job &job = pending.job;
    bool complete = false;
    ngx_int_t rc = guarded(r, [&] {
        ngx_int_t sent = send(r, *ctx_if_any(r), job.response, &pending.file);
        complete = true;
        return sent;
    });
    if (complete || !job.committed || r->header_sent) return rc;
    return send_without_body(r, *ctx_if_any(r), job.response);
}

}  // namespace

ngx_int_t content_handler(ngx_http_request_t *r) {
    return guarded(r, [&]() -> ngx_int_t {
        const LocConf &lcf = loc_conf(r);
        EndpointCtx *ctx = ctx_of(r);
        if (ctx == NULL) return NGX_ERROR;
        if (ctx->started == 0) ctx->started = counting_time();
        look_up_actor(r, *ctx);
        WorkerStore *store = store_of(*lcf.store);
        if (ctx->actor == nullptr || store->session() == NULL) {
            ngx_int_t rc = refuse_body(r);
            if (rc != NGX_OK) return rc;
            return send_error(r, *ctx, ctx->actor == nullptr ? ctx->refusal : unserved());
        }
        if (service::is_search(method_of(r), ctx->path)) return serve_search(r, lcf, *ctx, *store);
        ctx->is_write = service::is_write(method_of(r));
        if (ctx->is_write) return serve_write(r, lcf, *ctx, *store);
        return serve_read(r, lcf, *ctx, *store);
    });
}

void finish_request(std::unique_ptr<PendingRequest> pending, ngx_log_t *log) noexcept {
    make_answer(*pending);
    const service::Response &response = pending->job.response;
    ngx_http_request_t *r = pending->client.release();
    if (r == NULL) {
        guarded_void(log, [&] {
            ngx_log_error(NGX_LOG_INFO, log, 0,
                          "scim: client disconnected before the response to request %s, status %ui",
                          service::request_text(pending->job.request.id).c_str(),
                          ngx_uint_t(response.status));
        });
        return;
    }
    ngx_connection_t *c = r->connection;
    ngx_http_set_log_request(c->log, r);
    if (pending->body.error() != 0)
        ngx_log_error(NGX_LOG_CRIT, c->log, pending->body.error(),
                      "scim: cannot read the temporary file of a request body");
    if (pending->file.error() != 0)
        ngx_log_error(NGX_LOG_CRIT, c->log, pending->file.error(),
                      "scim: cannot write a long response to a file in \"%V\"",
                      &pending->file.directory());
    ngx_int_t rc = send_answer(r, *pending);
    pending.reset();
    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}

}  // namespace scim::nginx
