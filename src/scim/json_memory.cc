#include "scim/json_memory.h"

#include <jansson.h>
#include <pthread.h>

#include <cstdlib>

namespace scim {

namespace {

// Not thread_local: of a module that is loaded at run time the first use on a thread allocates, and
// ends the process without memory.
pthread_key_t key;
int failure;

void *allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == nullptr) pthread_setspecific(key, &failure);
    return memory;
}

bool install() {
    if (pthread_key_create(&key, nullptr) != 0) abort();  // 1,024 are in use
    // free() stays what frees: trees that were made before may be freed later.
    json_set_alloc_funcs(allocate, free);
    return true;
}

}  // namespace

JsonMemory::JsonMemory() {
    static const bool installed = install();
    (void)installed;
    pthread_setspecific(key, nullptr);
}

bool JsonMemory::failed() const { return pthread_getspecific(key) != nullptr; }

}  // namespace scim
