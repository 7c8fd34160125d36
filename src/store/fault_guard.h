#pragma once
// Suspends a damaged store, so that it does not crash nginx's workers, which also serve other
// sites, again and again. Three worker deaths inside a store within 60 seconds suspend it.
//
// A worker dies inside a store if it receives SIGSEGV, SIGBUS, SIGABRT, SIGFPE or SIGILL while any
// of its threads has a transaction on the store or is opening it. The signal handler writes the
// time into the file `faults` in the store's directory, which every worker has mapped. It then
// restores the previous signal action and raises the signal again, so that core dumps and
// sanitizers work as usual. The third death sets the suspension in the same file. From then on no
// worker opens the store, and workers that have it open begin no transaction, until resume_store()
// is called or data.mdb is a different file (a restored backup). The file survives reloads, binary
// upgrades and restarts.
//
// Deaths are recorded by a signal handler, not by a mark that the next worker finds, because only
// the dying process knows the signal: SIGKILL (an administrator, the out-of-memory killer) or a
// power failure is no sign of damage. Without deaths nothing is written: the number of transactions
// of a process is counted anyway for map adoption, and a new transaction reads one word of the
// mapped file. A death caused by another module or another store counts as well if a transaction is
// open at that moment; therefore one death does not suspend the store.

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

    // `inside` counts this process's transactions on the store; it must outlive the guard. Returns
    // nullptr if the file cannot be created or mapped: the store is then served without a guard.
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
    uint64_t data_ = 0;  // identity of data.mdb when the guard was opened
    std::atomic<FaultGuard *> next_{nullptr};
};

// The log message for a suspended store; says how to end the suspension.
std::string suspension_text(const std::string &directory);
// True if the store in this directory is suspended.
bool is_suspended(const std::string &directory);
// Ends the suspension and clears the recorded deaths; succeeds if the store is not suspended. On
// failure returns false and sets `why` to a sentence.
bool resume_store(const std::string &directory, std::string &why);

}  // namespace scim::store
