#pragma once
// The candidates of an access path, in the order of their ids, each once. The order does not depend
// on the access path, so that a walk can continue after any id, even with another access path.
//
// Memory is bounded: the ids that are read ahead take at most 2 MiB, whatever the number of
// conditions and rows. They are read in chunks (Chunks in choose_index.h). Rows in the order of ids
// are read once. The rows of an index range are in the order of values: for each chunk, all of them
// are read, and the smallest ids after the previous chunk are kept.

#include <array>
#include <memory>
#include <vector>

#include "service/choose_index.h"

namespace scim::service {

class Candidates {
  public:
    // The candidates after `*after`, or all if it is nullptr. The other arguments must outlive this
    // object, except `after` and `chunks`. In a write transaction, nothing may be written meanwhile.
    Candidates(const Access &access, const Catalog &catalog, const TypeView &type,
               store::Directory &directory, const Id *after, const Chunks &chunks);
    ~Candidates();
    Candidates(Candidates &&) noexcept;

    // Moves to the next candidate; false after the last one. Rows that the directory's budget
    // refuses are missing: the caller checks the budget.
    bool next();
    const Id &id() const { return id_; }
    // The bytes of the record if the access path is a scan, else empty.
    store::Bytes record() const { return record_; }

  private:
    class Source;

    bool next_of_scan();
    void read_ahead();
    bool step_of_scan();
    bool next_of_sources();

    const TypeView &type_;
    store::Directory &directory_;
    Id id_{};
    bool placed_ = false;                        // `id_` is set: the walk continues after it
    std::unique_ptr<store::Cursor> scan_;        // if it is a scan
    std::vector<std::unique_ptr<Source>> heap_;  // otherwise: smallest next id first
    store::Bytes record_;

    // Of a scan: records that are read ahead, so that the processor fetches the memory of the next
    // ones while one is examined. Nearly every record is on a page that no cache has.
    struct Ahead {
        Id id;
        store::Bytes record;
    };
    std::array<Ahead, 16> ahead_;
    size_t ahead_at_ = 0, ahead_end_ = 0;
    bool scan_begun_ = false, scan_ended_ = false;
};

}  // namespace scim::service
