// A disk that fails under a commit: nobody is told that anything was written, and nothing that was
// acknowledged before is lost. What failed is refused, what comes next succeeds, and after a failed
// write of LMDB's meta page it does so once the store has been reopened, and not before.

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

// What LMDB does to the disk; `written_meta`: the bytes arrive, and the disk says that they did not.
enum class Call : uint8_t { pages, sync, meta, written_meta };

struct Fault {
    Call call;
    int error;
};
std::deque<Fault> faults;  // to come, in this order
bool disk_is_full = false;

bool strikes(Call call) {
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

// These are found before libc's, by liblmdb too. It writes one page or several neighbours at once,
// and of a meta page only what has changed, which is less than a page.

extern "C" ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    const bool is_meta = size % 4096 != 0;
    if (strikes(is_meta ? Call::meta : Call::pages)) return -1;
    ssize_t written = real(pwrite, "pwrite")(fd, bytes, size, at);
    return is_meta && strikes(Call::written_meta) ? -1 : written;
}

extern "C" ssize_t writev(int fd, const iovec *parts, int count) {
    return strikes(Call::pages) ? -1 : real(writev, "writev")(fd, parts, count);
}

// Asked only when a write has failed.
extern "C" int fstatvfs(int fd, struct statvfs *fs) {
    int rc = real(fstatvfs, "fstatvfs")(fd, fs);
    if (disk_is_full) fs->f_bavail = 0;
    return rc;
}

extern "C" int fdatasync(int fd) {
    return strikes(Call::sync) ? -1 : real(fdatasync, "fdatasync")(fd);
}

namespace {

std::string user(const std::string &name) { return R"({"userName":")" + name + "\"}"; }

// A store with one acknowledged user, and what becomes of a batch while the disk fails.
class Disk {
  public:
    Disk() : store_(fixture::open_store(dir_.path)) {
        tenant_ = fixture::add_tenant(store_->env(), "one");
        client_ = std::make_unique<Client>(*store_, tenant_);
        kept_ = "/Users/" + client_->create("/Users", user("kept"));
    }

    // One creates a user, one deletes the acknowledged one.
    BatchOutcome fail(std::deque<Fault> with) {
        create_ = client_->job(Method::post, "/Users", user("new"));
        remove_ = client_->job(Method::del, kept_);
        faults = std::move(with);
        BatchOutcome outcome = client_->run({create_, remove_});
        ok(faults.empty(), "the disk fails");
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
            is(job->response.status, 503, "refused");
            ok(job->response.retry_after > 0, "with Retry-After");
            ok(job->response.body.find(why) != std::string::npos, why);
            ok(job->response.etag.empty() && job->response.location.empty(), "and nothing else");
        }
    }
    void check_as_before() {
        is(client_->get(kept_).status, 200, "what was acknowledged is there");
        is(count("new"), 0, "what was not is not");
        check_serves();
    }
    void check_serves() {
        is(client_->send(Method::post, "/Users", user("next")).status, 201, "the next is written");
        is(count("next"), 1, "and read");
        store::Reader reader(store_->env());
        store::ReadTxn txn(reader);
        auto report = store::verify(txn);
        is(report.problem_count, 0u, "and the store is whole");
        for (const auto &problem : report.problems) diag(problem.key + ": " + problem.text);
    }
    void check_dead() {
        Job *next = client_->job(Method::post, "/Users", user("next"));
        ok(client_->run({next}) == BatchOutcome::reopen, "the next batch asks for it again");
        is(next->response.status, 503, "and is refused");
        is(client_->get(kept_).status, 503, "as reads are");
    }

    int count(const std::string &name) {
        Response list = client_->get("/Users", "filter=userName+eq+%22" + name + "%22");
        return list.body.find("\"totalResults\":1,") != std::string::npos;
    }
    bool is_there() { return client_->get(kept_).status == 200; }
    const Job &create() const { return *create_; }
    const Job &remove() const { return *remove_; }

  private:
    fixture::TempDir dir_;
    std::unique_ptr<Store> store_;
    store::Tenant tenant_;
    std::unique_ptr<Client> client_;
    std::string kept_;
    Job *create_ = nullptr, *remove_ = nullptr;
};

void test_failed() {
    for (Call call : {Call::pages, Call::sync}) {
        Disk disk;
        ok(disk.fail({{call, EIO}}) == BatchOutcome::failed, "an error before the meta page");
        disk.check_refused("input/output error");
        disk.check_as_before();
    }
}

// What LMDB calls EIO when the disk takes a part of a write.
void test_short_write() {
    Disk disk;
    disk_is_full = true;
    ok(disk.fail({{Call::pages, EIO}, {Call::pages, EIO}, {Call::pages, EIO}}) == BatchOutcome::ok,
       "a write that a full disk takes in part");
    disk_is_full = false;
    disk.check_refused("no space left on the device");
    disk.check_as_before();
}

void test_names() {
    Disk disk;
    disk.fail({{Call::pages, EFBIG}});
    disk.check_refused("File too large");
    disk.check_as_before();
}

void test_full_disk() {
    constexpr Fault full{Call::pages, ENOSPC};
    Disk disk;
    // As a batch, and then one by one.
    ok(disk.fail({full, full, full}) == BatchOutcome::ok, "a full disk");
    disk.check_refused("no space left on the device");
    disk.check_as_before();

    Disk other;
    ok(other.fail({full, full}) == BatchOutcome::ok, "a disk that is almost full");
    is(other.create().response.status, 503, "refuses what does not fit");
    is(other.remove().response.status, 204, "and nothing else");
    ok(!other.is_there(), "which is done");
    other.check_serves();
}

void test_panic() {
    // Of a file system that never writes in place the meta page can lack space, too.
    for (int error : {EIO, ENOSPC}) {
        Disk disk;
        ok(disk.fail({{Call::meta, error}}) == BatchOutcome::reopen, "a failed meta page: reopen");
        disk.check_refused("must be reopened");
        disk.check_dead();
        disk.reopen();
        disk.check_as_before();
    }
    Disk disk;
    ok(disk.fail({{Call::pages, ENOSPC}, {Call::meta, EIO}}) == BatchOutcome::reopen,
       "also when the batch is run one by one");
    disk.check_refused("must be reopened");
    disk.reopen();
    disk.check_as_before();
}

// The old meta page cannot be put back, either.
void test_unknown_outcome() {
    Disk disk;
    ok(disk.fail({{Call::written_meta, EIO}, {Call::meta, EIO}}) == BatchOutcome::reopen,
       "a meta page in doubt: reopen");
    disk.check_refused("must be reopened");
    disk.check_dead();
    disk.reopen();
    is(disk.count("new"), disk.is_there() ? 0 : 1,
       "the batch was written as a whole or not at all");
    disk.check_serves();
}

}  // namespace

int main() {
    test_failed();
    test_short_write();
    test_names();
    test_full_disk();
    test_panic();
    test_unknown_outcome();
    return tap::done();
}
