#include "nginx/store_share.h"

#include <sys/mman.h>

#include <new>

namespace scim::nginx {

StoreShares::StoreShares(size_t count) : count_(count) {
    if (count == 0) return;
    void *memory = mmap(nullptr, count * sizeof(StoreShare), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    shares_ = static_cast<StoreShare *>(memory);
    for (size_t i = 0; i < count; i++) new (shares_ + i) StoreShare;
}

StoreShares::~StoreShares() {
    if (shares_ != nullptr) munmap(shares_, count_ * sizeof(StoreShare));
}

}  // namespace scim::nginx
