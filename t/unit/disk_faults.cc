// Tests commits during which the disk fails: the requests of the batch are refused, and writes
// acknowledged before remain. Later requests succeed; after a failed write of LMDB's meta page they
// are refused until the store is reopened.

#include <dlfcn.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#include <cerrno>
#include <deque>

#include "client.h"
#include "store/verify.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

// The call of LMDB that fails. With `written_meta` the meta page is written although the call
// fails.
enum class Call : uint8_t { pages, sync, meta, written_meta };

struct Fault {
    Call call;
    int error;
};
std::deque<Fault> faults;  // still to occur, in this order
bool disk_is_full = false;

// Whether the next fault is one of `call`. Takes the fault from the list and sets errno.
bool take_fault(Call call) {
    if (faults.empty() || faults.front().call != call) return false;
    errno = faults.front().error;
    faults.pop_front();
    return true;
}

template <class Function>
Function *real(Function *, const char *name) {
    return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// These functions override libc's for liblmdb, too. liblmdb writes whole pages, one or several
// neighbouring ones a call, but only the changed bytes of a meta page, which are less than a page.

extern "C" ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    const bool is_meta = size % 4096 != 0;
    if (take_fault(is_meta ? Call::meta : Call::pages)) return -1;
    ssize_t written = real(pwrite, "pwrite")(fd, bytes, size, at);
    return is_meta && take_fault(Call::written_meta) ? -1 : written;
}

extern "C" ssize_t writev(int fd, const iovec *parts, int count) {
    return take_fault(Call::pages) ? -1 : real(writev, "writev")(fd, parts, count);
}

// LMDB's wrapper calls this only after a failed write.
extern "C" int fstatvfs(int fd, struct statvfs *fs) {
    int rc = real(fstatvfs, "fstatvfs")(fd, fs);
    if (disk_is_full) fs->f_bavail = 0;
    return rc;
}

extern "C" int fdatasync(int fd) {
    return take_fault(Call::sync) ? -1 : real(fdatasync, "fdatasync")(fd);
}

namespace {

std::string user(const std::string &name) { return R"({"userName":")" + name + "\"}"; }

// A store with one acknowledged user, and the outcome of a batch during which the disk fails.
// `fault` begins the names of the tests.
class Disk {
  public:
    explicit Disk(std::string fault)
        : fault_(std::move(fault)), store_(fixture::open_store(dir_.path)) {
        tenant_ = fixture::add_tenant(store_->env(), "one");
        client_ = std::make_unique<Client>(*store_, tenant_);
        kept_ = "/Users/" + client_->create("/Users", user("kept"));
    }

    // Runs a batch that creates a user and deletes the acknowledged one.
    BatchOutcome fail(std::deque<Fault> with) {
        create_ = client_->job(Method::post, "/Users", user("new"));
        remove_ = client_->job(Method::del, kept_);
        faults = std::move(with);
        BatchOutcome outcome = client_->run({create_, remove_});
        ok(faults.empty(), fault_ + ": every injected fault occurs");
        faults.clear();
        return outcome;
    }
    void reopen() {
        client_.reset();
        store_.reset();
        store_ = fixture::open_store(dir_.path);
        client_ = std::make_unique<Client>(*store_, tenant_);
    }

    void check_refused(const std::string &why) {
        for (const Job *job : {create_, remove_}) {
            is(job->response.status, 503, fault_ + ": a request of the batch is refused with 503");
            ok(job->response.retry_after > 0, fault_ + ": the 503 has Retry-After");
            ok(job->response.body.find(why) != std::string::npos,
               fault_ + ": the error contains '" + why + "'");
            ok(job->response.etag.empty() && job->response.location.empty(),
               fault_ + ": the 503 has neither ETag nor Location");
        }
    }
    void check_as_before() {
        is(client_->get(kept_).status, 200, fault_ + ": the acknowledged user can be read");
        is(count("new"), 0, fault_ + ": the refused user is not found");
        check_serves();
    }
    void check_serves() {
        is(client_->send(Method::post, "/Users", user("next")).status, 201,
           fault_ + ": the next create is answered with 201");
        is(count("next"), 1, fault_ + ": the next created user is found");
        store::Reader reader(store_->env());
        store::ReadTxn txn(reader);
        auto report = store::verify(txn);
        is(report.problem_count, 0u, fault_ + ": verify finds no problem");
        for (const auto &problem : report.problems) diag(problem.key + ": " + problem.text);
    }
    void check_must_reopen() {
        Job *next = client_->job(Method::post, "/Users", user("next"));
        ok(client_->run({next}) == BatchOutcome::reopen,
           fault_ + ": the next batch asks to reopen, too");
        is(next->response.status, 503, fault_ + ": a write before reopening is refused with 503");
        is(client_->get(kept_).status, 503,
           fault_ + ": a read before reopening is refused with 503");
    }

    int count(const std::string &name) {
        Response list = client_->get("/Users", "filter=userName+eq+%22" + name + "%22");
        return list.body.find("\"totalResults\":1,") != std::string::npos;
    }
    bool is_there() { return client_->get(kept_).status == 200; }
    const Job &create() const { return *create_; }
    const Job &remove() const { return *remove_; }

  private:
    std::string fault_;
    fixture::TempDir dir_;
    std::unique_ptr<Store> store_;
    store::Tenant tenant_;
    std::unique_ptr<Client> client_;
    std::string kept_;
    Job *create_ = nullptr, *remove_ = nullptr;
};

void test_failed() {
    for (Call call : {Call::pages, Call::sync}) {
        Disk disk(call == Call::pages ? "EIO for pages" : "EIO for a sync");
        ok(disk.fail({{call, EIO}}) == BatchOutcome::failed,
           "a batch with an I/O error before the meta page fails");
        disk.check_refused("input/output error");
        disk.check_as_before();
    }
}

// LMDB returns EIO for a short write.
void test_short_write() {
    Disk disk("short write to a full disk");
    disk_is_full = true;
    ok(disk.fail({{Call::pages, EIO}, {Call::pages, EIO}, {Call::pages, EIO}}) == BatchOutcome::ok,
       "a batch with short writes to a full disk is handled without failure");
    disk_is_full = false;
    disk.check_refused("no space left on the device");
    disk.check_as_before();
}

void test_other_error() {
    Disk disk("EFBIG for pages");
    disk.fail({{Call::pages, EFBIG}});
    disk.check_refused("File too large");
    disk.check_as_before();
}

void test_full_disk() {
    constexpr Fault full{Call::pages, ENOSPC};
    Disk disk("full disk");
    // The writes fail in the batch and then in each of its requests.
    ok(disk.fail({full, full, full}) == BatchOutcome::ok,
       "a batch on a full disk is handled without failure");
    disk.check_refused("no space left on the device");
    disk.check_as_before();

    Disk other("almost full disk");
    ok(other.fail({full, full}) == BatchOutcome::ok,
       "a batch on an almost full disk is handled without failure");
    is(other.create().response.status, 503,
       "almost full disk: the create that does not fit is refused with 503");
    is(other.remove().response.status, 204,
       "almost full disk: the deletion that fits is answered with 204");
    ok(!other.is_there(), "almost full disk: the deleted user is not found");
    other.check_serves();
}

void test_panic() {
    // On a copy-on-write file system writing the meta page can fail for lack of space, too.
    for (int error : {EIO, ENOSPC}) {
        const std::string fault =
            std::string(error == EIO ? "EIO" : "ENOSPC") + " for the meta page";
        Disk disk(fault);
        ok(disk.fail({{Call::meta, error}}) == BatchOutcome::reopen,
           fault + ": the batch asks to reopen");
        disk.check_refused("must be reopened");
        disk.check_must_reopen();
        disk.reopen();
        disk.check_as_before();
    }
    Disk disk("EIO for the meta page of a request run alone");
    ok(disk.fail({{Call::pages, ENOSPC}, {Call::meta, EIO}}) == BatchOutcome::reopen,
       "a failed meta page while the requests run one by one asks to reopen");
    disk.check_refused("must be reopened");
    disk.reopen();
    disk.check_as_before();
}

// LMDB cannot restore the old meta page either.
void test_unknown_outcome() {
    Disk disk("EIO although the meta page is written");
    ok(disk.fail({{Call::written_meta, EIO}, {Call::meta, EIO}}) == BatchOutcome::reopen,
       "a meta page of unknown state asks to reopen");
    disk.check_refused("must be reopened");
    disk.check_must_reopen();
    disk.reopen();
    is(disk.count("new"), disk.is_there() ? 0 : 1,
       "after a meta page of unknown state the batch is written as a whole or not at all");
    disk.check_serves();
}

// Pending uses of a token that cannot be written wait for a minute.
void test_failing_notes() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store);
    store::Token token;
    token.tenant = client.tenant();
    {
        store::WriteTxn txn(store->env());
        store::add_token(txn, token, store::Digest{});
        ok(txn.commit() == store::Errc::ok, "a token is added");
    }
    Writer &writer = client.writer();
    for (int i = 0; i < 100 && writer.do_maintenance(client.now); i++) {
    }
    writer.take_alarms();
    writer.add_uses({{token.tenant, token.number, 500}});
    faults.assign(50, {Call::pages, ENOSPC});
    int steps = 1;
    while (steps < 50 && writer.do_maintenance(client.now)) steps++;
    ok(steps < 5, "the disk is full: maintenance is not repeated without a pause");
    is(writer.take_alarms().size(), 1u, "it is logged once");
    ok(writer.maintenance(client.now) == Writer::Maintenance::none, "nothing is due for a minute");
    faults.clear();
    client.now += 61 * 1000;
    for (int i = 0; i < 100 && writer.do_maintenance(client.now); i++) {
    }
    store::Reader reader(store->env());
    store::ReadTxn txn(reader);
    is(store::last_use(txn, token.tenant, token.number), 500, "then the use is written");
}

}  // namespace

int main() {
    test_failing_notes();
    test_failed();
    test_short_write();
    test_other_error();
    test_full_disk();
    test_panic();
    test_unknown_outcome();
    return tap::done();
}
