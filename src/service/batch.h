#pragma once
// The write path of one process: many requests, one transaction, one commit.
//
// All requests of a batch are prepared before the transaction begins, because there is one writer
// for all processes and JSON is slow. Then each is planned and applied in turn, and no answer is
// final before the commit: a refusal, too, may rest on a neighbour's write. A batch ends early when
// it has done the work that it may do; what is left is postponed. If a write fails
// because the map or disk is full, the batch is undone and its requests run again one by one, so
// that only those that do not fit are refused. A failed commit refuses them all.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/job.h"
#include "service/map_space.h"
#include "service/once_a_minute.h"
#include "service/store.h"

namespace scim::service {

enum class BatchOutcome : uint8_t {
    ok,
    failed,    // 503 to all, nothing was written
    given_up,  // lock_wait().give_up() was in time: nothing was written, and no job was answered
    reopen,  // the environment must be reopened before anything else: LMDB's panic (outcome unknown),
    // or its file was replaced (nothing was written). 503 to all that were not written before
};

class Writer {
  public:
    explicit Writer(Store &store) : store_(store), session_(store), trimmer_(store.retention()) {}

    // The work of one batch under the write lock, about 100 ms. A request that takes more is alone.
    static constexpr size_t work_most = 2'000'000;

    // Answers the jobs in order up to the first that is postponed: the batch has done its work, or
    // the catalog has changed since that job was prepared. Postponed jobs are to be run again, before
    // others. Unless the catalog changes meanwhile, the first is not postponed. Leaves those answers
    // unfinished that the others would have to wait for. Blocks: for the write lock and the disk.
    // For one thread. Never throws: without memory a job is answered with 503, or with success and
    // no body if it is committed.
    BatchOutcome run(const std::vector<Job *> &jobs) noexcept;

    // Refusals of tokens that the store knows, to be written with the next commit that is made for
    // something else: a stranger who has an old token causes none. Not while a batch or maintenance run.
    void add_refused_tokens(std::vector<store::Refusal> refused);

    // Uses of tokens, to be written like refusals. Not while a batch or maintenance run.
    void add_uses(std::vector<store::TokenUse> uses);

    // What is left for a quiet moment: dead rows of groups (store/members.h), changes that are too
    // old (store/retention.h), and notes that no commit has taken along: refusals, uses of tokens.
    // do_maintenance() does some of it and says whether there is more; if there is something to write it
    // waits for the write lock and holds it for some milliseconds. `now` in milliseconds.
    enum class Maintenance : uint8_t { none, notes, rows };
    Maintenance maintenance(int64_t now);
    bool do_maintenance(int64_t now);

    // The wait of the first transaction of run(), or of do_maintenance(), for the write lock. Once
    // give_up() has returned true run() does not touch its jobs any more.
    store::LockWait &lock_wait() { return lock_wait_; }

    // A sentence for the log about the clock, once each time that it is behind the store.
    std::string take_warning() { return std::exchange(warning_, std::string()); }

    // What the last batch found wrong, for the log: "cannot be written: …"; empty if nothing was.
    const std::string &problem() const { return problem_; }

  private:
    BatchOutcome write_all(const std::vector<Job *> &jobs);
    void prepare_all(const std::vector<Job *> &jobs);
    struct Attempt {
        store::Errc code = store::Errc::ok;
        Job *stuck = nullptr;  // whose plan it was that failed
    };
    Attempt attempt(const std::vector<Job *> &jobs, store::LockWait *wait = nullptr);
    Attempt attempt_sound(std::vector<Job *> &jobs);
    bool plan_job(store::WriteTxn &txn, Job &job, MapSpace room, size_t most);
    void plan_step(store::WriteTxn &txn, Job &job, Step &step, MapSpace room, Work &work);
    void look_at_clock(const Job &job);
    Outcome still_authorized(store::WriteTxn &txn, const Job &job);
    void answer_for_sure(Job &job) noexcept;
    void answer(Job &job, Snapshot &snapshot);
    void note_ignored(const Job &job);
    std::string full_problem(const store::Env &env, int64_t now);
    bool has_notes() const { return !refusals_.empty() || !uses_.empty(); }
    void put_notes(store::WriteTxn &txn);
    void drop_notes();
    bool look_for_maintenance(int64_t now);

    Store &store_;
    Session session_;
    CatalogCache write_catalogs_;
    store::LogTrimmer trimmer_;
    // Notes, best effort: they ride on the next commit.
    std::vector<store::Refusal> refusals_, refused_tokens_;
    OnceAMinute ignored_;
    std::vector<store::TokenUse> uses_;
    std::string problem_, warning_;
    store::LockWait lock_wait_;
    bool clock_is_behind_ = false;
    bool short_of_room_ = false;  // the change log is to be trimmed until there is room
};

}  // namespace scim::service
