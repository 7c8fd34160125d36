#pragma once
// The resources that an access path leads to, one after another, in the order of their ids and each
// once. The order does not depend on the path, so that a walk can go on behind any id, with another
// path, too.
//
// Memory is bounded: rows that stand in the order of ids are read in chunks, and of a range of index
// rows, which stands in the order of values, the smallest ids are kept; a range of more ids than
// Chunks::range is walked once for each such chunk.

#include <memory>
#include <vector>

#include "service/access_path.h"

namespace scim::service {

class Candidates {
  public:
    // Those behind `*after`, or all. All must outlive this.
    Candidates(const Access &access, const Catalog &catalog, const TypeView &type,
               store::Directory &directory, const Id *after, const Chunks &chunks);
    ~Candidates();
    Candidates(Candidates &&) noexcept;

    // Moves to the next; false behind the last, and when the directory's allowance ends.
    bool next();
    const Id &id() const { return id_; }
    // The bytes of its record if the walk has met them (a scan), else empty.
    store::Bytes record() const { return record_; }

  private:
    class Source;

    void add_sources(const Access &access, const Catalog &catalog, const Id *after,
                     const Chunks &chunks);
    bool next_of_scan();
    bool next_of_sources();

    const TypeView &type_;
    store::Directory &directory_;
    Id id_{};
    bool placed_ = false;                        // `id_` is set: the walk goes on behind it
    std::unique_ptr<store::Cursor> scan_;        // of a scan
    std::vector<std::unique_ptr<Source>> heap_;  // else: by their next ids, the smallest in front
    store::Bytes record_;
};

}  // namespace scim::service
