#include "nginx/handler.h"

#include "nginx/guard.h"
#include "nginx/worker.h"
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

// Null data() if the request lacks the field, not if its value is empty.
std::string_view header(ngx_table_elt_t *h) {
    if (h == NULL) return {};
    return h->value.len != 0 ? view(h->value) : std::string_view("");
}

// A header that nginx itself has no use for.
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

// A request that is answered on the spot: its views are nginx's own memory.
service::Request request_of(ngx_http_request_t *r, const LocConf &lcf, const Ctx &ctx) {
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

// A request that outlives this call: it gets bytes of its own.
std::unique_ptr<PendingRequest> pending_of(ngx_http_request_t *r, const LocConf &lcf, Ctx &ctx,
                                           Body body) {
    auto pending = std::make_unique<PendingRequest>(*lcf.temp_path, std::move(body));
    service::Request &request = pending->job.request;
    request = request_of(r, lcf, ctx);
    request.id = request_id(r);
    request.sink = &pending->file;
    request.cancelled = &pending->client.gone();
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

// Longer bodies and query strings are not parsed on the event loop.
constexpr size_t loop_bytes = 16u << 10;

Error unserved() { return Error{503, ScimType::none, "the directory cannot be served now", 5}; }

Error busy() { return Error{503, ScimType::none, "too many requests are waiting", 1}; }

// A body that is in a file takes a descriptor.
Error no_descriptor() {
    return Error{503, ScimType::none, "there are too many open files to keep the request body", 5};
}

// NGX_DONE: the writer answers later.
ngx_int_t take_write(ngx_http_request_t *r) {
    const LocConf &lcf = loc_conf(r);
    Ctx &ctx = *ctx_if_any(r);
    ctx.reading_body = false;
    StoreSlot *slot = slot_of(*lcf.store);
    // The store may have gone while the body came.
    if (slot == NULL || slot->session() == NULL) return send_error(r, ctx, unserved());
    Body body(r);
    if (body.error() != 0) return send_error(r, ctx, no_descriptor());
    auto pending = pending_of(r, lcf, ctx, std::move(body));
    if (!pending->client.hold(r, false)) return NGX_ERROR;
    if (slot->submit_write(pending)) return NGX_DONE;
    pending.reset();
    return send_error(r, ctx, busy());
}

// With NGX_DONE, too: nginx has taken a reference for the reading of the body.
void body_ready(ngx_http_request_t *r) {
    ngx_http_finalize_request(r, guarded(r, [&] { return take_write(r); }));
}

ngx_int_t read_body(ngx_http_request_t *r, Ctx &ctx, ngx_http_client_body_handler_pt ready) {
    r->request_body_in_single_buf = 1;
    ctx.reading_body = true;
    ngx_int_t rc = ngx_http_read_client_request_body(r, ready);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

// The writer refuses what needs no body to be refused, and notes it;
// here only the client is spared the sending.
bool wants_body(ngx_http_request_t *r, const LocConf &lcf, const Ctx &ctx, StoreSlot &slot) {
    if (slot.preparing()) return true;  // the catalog to come decides
    service::Snapshot snapshot(*slot.session());
    return !snapshot.usable() ||
           service::wants_body(*snapshot.catalog(), request_of(r, lcf, ctx), *ctx.actor);
}

ngx_int_t serve_write(ngx_http_request_t *r, const LocConf &lcf, Ctx &ctx, StoreSlot &slot) {
    if (!lcf.write_allowed() || slot.read_only()) {
        ngx_int_t rc = refuse_body(r);
        if (rc != NGX_OK) return rc;
        return send_error(
            r, ctx,
            slot.read_only()
                ? Error{503, ScimType::none,
                        "the directory is read-only: a newer version has written it", 60}
                : Error{403, ScimType::none,
                        "this address is read-only: scim_scope of the location says so", 0});
    }
    if (!wants_body(r, lcf, ctx, slot)) {
        ngx_int_t rc = refuse_body(r);
        if (rc != NGX_OK) return rc;
        return take_write(r);
    }
    return read_body(r, ctx, body_ready);
}

// NGX_DONE: the read pool answers later.
ngx_int_t defer_read(ngx_http_request_t *r, const LocConf &lcf, Ctx &ctx, StoreSlot &slot,
                     Body body) {
    constexpr std::chrono::seconds most{30};
    auto pending = pending_of(r, lcf, ctx, std::move(body));
    pending->is_write = false;
    pending->job.request.deadline = std::chrono::steady_clock::now() + most;
    // A read that nobody waits for any more is ended; a write is finished whatever happens.
    if (!pending->client.hold(r, true)) return NGX_ERROR;
    if (slot.submit_read(pending)) return NGX_DONE;
    pending.reset();
    return send_error(r, ctx, busy());
}

// Here and now, or NGX_DONE: later.
ngx_int_t answer_read(ngx_http_request_t *r, const LocConf &lcf, Ctx &ctx, StoreSlot &slot,
                      Body body) {
    if (body.in_file() || body.size() > loop_bytes || r->args.len > loop_bytes)
        return defer_read(r, lcf, ctx, slot, std::move(body));
    service::Request request = request_of(r, lcf, ctx);
    request.body = body.text();
    // One answer at a time: its strings keep their capacity from request to request.
    static auto *response = new service::Response;
    Result<service::Reading> reading = service::Reading::answered;
    {
        service::Snapshot snapshot(*slot.session());
        reading =
            service::read(snapshot, *ctx.actor, request, *response, service::Patience::event_loop);
    }
    if (!reading)
        service::refuse(*response, reading.error(), request_id(r));
    else if (*reading == service::Reading::deferred)
        return defer_read(r, lcf, ctx, slot, std::move(body));
    return send(r, ctx, *response);
}

ngx_int_t serve_read(ngx_http_request_t *r, const LocConf &lcf, Ctx &ctx, StoreSlot &slot) {
    ngx_int_t rc = refuse_body(r);
    if (rc != NGX_OK) return rc;
    return answer_read(r, lcf, ctx, slot, Body());
}

void search_ready(ngx_http_request_t *r) {
    ngx_int_t rc = guarded(r, [&]() -> ngx_int_t {
        const LocConf &lcf = loc_conf(r);
        Ctx &ctx = *ctx_if_any(r);
        ctx.reading_body = false;
        StoreSlot *slot = slot_of(*lcf.store);
        if (slot == NULL || slot->session() == NULL) return send_error(r, ctx, unserved());
        Body body(r);
        if (body.error() != 0) return send_error(r, ctx, no_descriptor());
        return answer_read(r, lcf, ctx, *slot, std::move(body));
    });
    ngx_http_finalize_request(r, rc);
}

// A read whose query is in the body: it never waits for the writer.
ngx_int_t serve_search(ngx_http_request_t *r, const LocConf &lcf, Ctx &ctx, StoreSlot &slot) {
    if (!wants_body(r, lcf, ctx, slot)) return serve_read(r, lcf, ctx, slot);
    return read_body(r, ctx, search_ready);
}

// The response of a job that has one, else that of the error in its place. Without memory it is
// an error without a body, but never of a write that has happened.
void make_answer(PendingRequest &pending) noexcept {
    service::Job &job = pending.job;
    if (job.committed) {
        if (job.unfinished || !pending.outcome)
            service::answer_without_body(
                job, pending.outcome ? "out of memory" : pending.outcome.error().detail);
    } else if (!pending.outcome) {
        service::refuse_or_less(job.response, pending.outcome.error(), job.request.id);
    }
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

// nginx would send the 100 even for a body that it throws away. A client that has not sent it may
// never do so: what comes next on the connection could be body or request.
ngx_int_t refuse_body(ngx_http_request_t *r) {
    if (r->headers_in.expect != NULL && !r->expect_tested) r->keepalive = 0;
    r->expect_tested = 1;
    return ngx_http_discard_request_body(r);
}

ngx_int_t content_handler(ngx_http_request_t *r) {
    return guarded(r, [&]() -> ngx_int_t {
        const LocConf &lcf = loc_conf(r);
        Ctx *ctx = ctx_of(r);
        if (ctx == NULL) return NGX_ERROR;
        look_up_actor(r, *ctx);
        StoreSlot *slot = slot_of(*lcf.store);
        if (ctx->actor == nullptr || slot->session() == NULL) {
            ngx_int_t rc = refuse_body(r);
            if (rc != NGX_OK) return rc;
            return send_error(r, *ctx, ctx->actor == nullptr ? ctx->refusal : unserved());
        }
        if (service::is_search(method_of(r), ctx->path)) return serve_search(r, lcf, *ctx, *slot);
        if (service::is_write(method_of(r))) return serve_write(r, lcf, *ctx, *slot);
        return serve_read(r, lcf, *ctx, *slot);
    });
}

void finish_request(std::unique_ptr<PendingRequest> pending, ngx_log_t *log) noexcept {
    make_answer(*pending);
    const service::Response &response = pending->job.response;
    ngx_http_request_t *r = pending->client.release();
    if (r == NULL) {
        guarded_void(log, [&] {
            ngx_log_error(NGX_LOG_INFO, log, 0,
                          "scim: the client is gone; its request %s was answered with %ui",
                          service::request_text(pending->job.request.id).c_str(),
                          ngx_uint_t(response.status));
        });
        return;
    }
    ngx_connection_t *c = r->connection;
    ngx_http_set_log_request(c->log, r);
    if (pending->body.error() != 0)
        ngx_log_error(NGX_LOG_CRIT, c->log, pending->body.error(),
                      "scim: a request body's temporary file cannot be read");
    if (pending->file.error() != 0)
        ngx_log_error(NGX_LOG_CRIT, c->log, pending->file.error(),
                      "scim: a long answer cannot be written into a file in \"%V\"",
                      &pending->file.directory());
    ngx_int_t rc = send_answer(r, *pending);
    pending.reset();
    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}

}  // namespace scim::nginx
