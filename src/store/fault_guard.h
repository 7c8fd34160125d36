#pragma once
// Keeps a damaged store from killing the workers of an nginx again and again, and every other site
// of that nginx with them: three deaths of workers inside one store within a minute suspend it.
//
// A worker dies inside a store if it gets SIGSEGV, SIGBUS, SIGABRT, SIGFPE or SIGILL while it has a
// transaction on it, on any thread, or while it opens it. The signal's handler writes the time into
// the file `faults` in the store's directory, which every worker has mapped, restores the action
// that was there before, and lets the signal happen again: core dumps and sanitizers see it as
// ever. The third time suspends the store in the same file. From then on no worker opens it, and
// those that have it open begin no transaction, until resume_store() or until data.mdb is another
// file: one that was restored. The file survives reloads, upgrades and restarts.
//
// The handler decides, and not a mark that a successor finds, because only the process itself knows
// the signal: a worker that is killed (SIGKILL: an administrator, the kernel short of memory, a
// machine that stops) is no sign of damage. Nothing is written while all goes well: the number of
// transactions of a process is counted for other reasons already, and a new transaction looks at
// one word of the mapped file. A death by the fault of another module or of another store counts,
// too, if a transaction is open at that moment: that is why three within a minute are needed.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace scim::store {

struct FaultFile;

class FaultGuard {
  public:
    static constexpr unsigned deaths_max = 3;
    static constexpr uint64_t within = 60000;  // milliseconds

    // `inside`: how many transactions this process has on the store; it must outlive the guard.
    // Nothing if the file cannot be made or mapped: the store is served without a guard.
    static std::unique_ptr<FaultGuard> open(const std::string &directory,
                                            const std::atomic<int> &inside);
    ~FaultGuard();
    FaultGuard(const FaultGuard &) = delete;
    FaultGuard &operator=(const FaultGuard &) = delete;

    bool suspended() const { return suspended_->load(std::memory_order_relaxed) != 0; }

  private:
    FaultGuard() = default;
    friend struct FaultSignals;
    void note_death();

    FaultFile *file_ = nullptr;
    const std::atomic<uint64_t> *suspended_ = nullptr;  // in the file
    const std::atomic<int> *inside_ = nullptr;
    uint64_t data_ = 0;  // identity of data.mdb
    std::atomic<FaultGuard *> next_{nullptr};
};

// A sentence for the log that says what to do.
std::string suspension_text(const std::string &directory);
// False if nothing is suspended in this directory.
bool is_suspended(const std::string &directory);
// Ends the suspension and forgets the deaths. False, and a sentence in `why`, if that fails; no
// error if the store is not suspended.
bool resume_store(const std::string &directory, std::string &why);

}  // namespace scim::store
