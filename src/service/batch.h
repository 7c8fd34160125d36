#pragma once
// The write path of one process. A batch is many requests in one transaction with one commit.
//
// All requests of a batch are prepared before the transaction begins, because only one process at a
// time has the write lock and parsing JSON is slow. Then the requests are planned and applied in
// order. No response is final before the commit: even a refusal may depend on a write of the same
// batch. A batch ends when its work reaches batch_work_most (scim/text/work.h); the remaining
// requests are postponed. The first request has no limit: if it is more work, it is alone. If a
// write fails because the map or the disk is full, the batch is undone and its requests run again,
// each in its own transaction, so that only those that do not fit are refused. A deletion that does
// not fit because of substring indexes drops these indexes. If the commit fails for another reason,
// all requests of the batch are refused.

#include <chrono>
#include <map>
#include <memory>
#include <optional>
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
    failed,    // every job that is neither committed nor postponed gets 503
    given_up,  // lock_wait().give_up() returned true: nothing was written, no job was answered
    // The environment must be reopened before it is used again: after LMDB's panic the outcome is
    // unknown; after its file was replaced, nothing was written. Every job that is neither committed
    // nor postponed gets 503.
    reopen,
};

// The work of Writer::do_maintenance().
struct Chore {
    enum class Kind : uint8_t {
        sweep,  // to delete dead rows of groups
        index,  // to build or drop an index
        trim,   // to delete expired changes
        notes,  // to write refusals and uses of tokens
    };
    Kind kind = Kind::notes;
    const IndexDef *index = nullptr;
};

// The row of a refused job in the log of the tenant.
store::Refusal refusal_of(const Job &job, const Error &error);

class Writer {
  public:
    explicit Writer(Store &store) : store_(store), session_(store), trimmer_(store.retention()) {}

    // Answers the jobs in order up to the first that is postponed, because the batch has reached
    // batch_work_most or the catalog has changed since that job was prepared. The caller runs
    // postponed jobs again, before others. The first job is not postponed unless the catalog
    // changes during the call. A bulk request (RFC 7644 3.7) may be done in part: the caller runs it
    // again, after other jobs (Job::continues). What is done of it is committed. A long response is
    // left unfinished (Job::unfinished), so that the other responses need not wait for it. Blocks for
    // the write lock and the disk. Not thread-safe. Never throws: if memory is short, a job is
    // answered with 503, or, if it is committed, with success and no body.
    BatchOutcome run(const std::vector<Job *> &jobs) noexcept;

    // Adds refusals of tokens (refused_tokens.h). They are written with the next commit that has
    // another cause, so that the sender of an old token causes no commit. REQUIRES: neither run()
    // nor do_maintenance() is running.
    void add_refused_tokens(std::vector<store::Refusal> refused);

    // Adds uses of tokens, which are written like refusals. REQUIRES: as add_refused_tokens().
    void add_uses(std::vector<store::TokenUse> uses);

    // Work that can wait: to delete dead rows of groups (store/members.h) and expired changes
    // (store/retention.h), to build indexes (index_builder.h), and to write notes (refusals, uses of
    // tokens) that no commit has written. maintenance() returns the kind of work that is due.
    // do_maintenance() does one step and returns true if more is left; if there is something to
    // write, it waits for the write lock and holds it for some milliseconds. Work that fails is
    // reported by take_alarms(), and left out for a minute, while the rest goes on. `now` is in
    // milliseconds since 1970.
    enum class Maintenance : uint8_t { none, notes, rows };
    Maintenance maintenance(int64_t now);
    bool do_maintenance(int64_t now);

    // The time that the last commit of the last run() took; 0 if it committed nothing.
    std::chrono::nanoseconds commit_time() const { return commit_time_; }

    // The wait for the write lock of the first transaction of run(), or of do_maintenance(). After
    // give_up() has returned true, run() does not use its jobs any more.
    store::LockWait &lock_wait() { return lock_wait_; }

    // The warning that the clock is behind the last change, for the log: once each time that it
    // falls behind. Empty otherwise.
    std::string take_warning() { return std::exchange(warning_, std::string()); }

    // Warnings of the last batch about tenants (mass_deactivation.h), and of the last maintenance
    // about values that should be unique (index_builder.h) and about work that has failed, for the
    // log.
    std::vector<std::string> take_alarms() { return std::exchange(alarms_, {}); }

    // What is wrong with the store according to the last batch, for the log, such as "cannot be
    // written: …"; empty if nothing is.
    const std::string &problem() const { return problem_; }

  private:
    static constexpr size_t refusals_pending_max = 256;

    BatchOutcome write_all(const std::vector<Job *> &jobs);
    void prepare_all(const std::vector<Job *> &jobs);
    struct Attempt {
        store::Errc code = store::Errc::ok;
        Job *stuck = nullptr;  // the job whose plan failed
        bool is_damaged() const { return code == store::Errc::damaged && stuck != nullptr; }
    };
    Attempt attempt(const std::vector<Job *> &jobs, store::LockWait *wait = nullptr);
    bool drop_substring_indexes();
    Attempt attempt_sound(std::vector<Job *> &jobs);
    enum class Planned : uint8_t {
        done,
        postponed,  // nothing is written
        // Operations that are done together have failed: their results are final, and the
        // transaction must not be committed.
        rolled_back,
    };
    Planned plan_job(store::WriteTxn &txn, Job &job, MapSpace room, size_t most, bool is_first);
    Planned plan_bulk(store::WriteTxn &txn, Job &job, MapSpace room, size_t most, bool is_first);
    Planned plan_unit(store::WriteTxn &txn, Job &job, MapSpace room, size_t most, bool is_first);
    Planned plan_circle(store::WriteTxn &txn, Job &job, MapSpace room);
    Planned plan_atomic(store::WriteTxn &txn, Job &job, MapSpace room);
    bool plan_together(store::WriteTxn &txn, Job &job, const std::vector<uint32_t> &unit,
                       MapSpace room, Work &work);
    void plan_operation(store::WriteTxn &txn, Job &job, uint32_t index, MapSpace room, Work &work);
    void note_failed(const Job &job);
    void plan_step(store::WriteTxn &txn, Job &job, Step &step, MapSpace room, Work &work);
    void note_lockout(store::WriteTxn &txn, const Job &job, const Step &step);
    void look_at_clock(const Job &job);
    Outcome still_authorized(store::WriteTxn &txn, const Job &job);
    void answer_for_sure(Job &job) noexcept;
    void answer(Job &job, Snapshot &snapshot);
    void answer_bulk(Job &job, Snapshot &snapshot);
    void keep_bulks(const std::vector<Job *> &jobs) noexcept;
    void note_ignored(const Job &job);
    std::string full_problem(const store::Env &env, int64_t now);
    void note_problem(const std::string &problem);
    void note_damage(const Job &job);
    void note_waiting_index(const IndexDef *index, const Catalog &catalog, size_t map_size);
    void put_notes(store::WriteTxn &txn);
    void drop_notes();
    bool is_paused(const Chore &chore, int64_t now) const;
    bool pause(const Chore &chore, const Catalog *catalog, store::Errc code, int64_t now);
    bool must_sweep(store::Txn &txn, int64_t now) const;
    bool must_advance(const Snapshot &snapshot, int64_t now) const;
    bool must_trim(int64_t now) const;
    bool must_put_notes(int64_t now) const;
    Chore next_chore(store::WriteTxn &txn, const Catalog *catalog, int64_t now);
    uint16_t do_chore(store::WriteTxn &txn, const Catalog *catalog, const Chore &chore);
    const IndexDef *index_to_advance(store::WriteTxn &txn, const Catalog &catalog, int64_t now);
    bool put_notes_if_room(store::WriteTxn &txn, int64_t now);
    bool look_for_maintenance(int64_t now);
    void report_conflict(uint16_t index);

    Store &store_;
    Session session_;
    CatalogCache write_catalogs_;
    store::LogTrimmer trimmer_;
    // Notes, written with the next commit. They may be lost.
    std::vector<store::Refusal> refusals_, refused_tokens_;
    OnceAMinute ignored_;
    std::vector<store::TokenUse> uses_;
    std::vector<std::string> alarms_, uncommitted_alarms_;
    std::string problem_, damage_, warning_;
    std::chrono::nanoseconds commit_time_{0};
    store::LockWait lock_wait_;
    bool clock_is_behind_ = false;
    bool shrinks_lists_ = false;  // the last attempt removes access, and resources from lists
    bool short_of_room_ = false;  // the map is nearly full: changes of any age are deleted
    bool index_waits_ = false;    // the map is nearly full, and an index is to be built
    // When a chore has failed last, in milliseconds, by its kind and the number of its index.
    std::map<std::pair<Chore::Kind, uint16_t>, int64_t> failed_;
};

}  // namespace scim::service
