#pragma once
// What the master says in the error log at a start and at each reload.

#include "nginx/ngx.h"

namespace scim::nginx {

// The module's version at a start. At a reload: that the module's file on disk is another one than
// that whose code runs, and which stores have become smaller.
void report_startup(ngx_cycle_t *cycle);

}  // namespace scim::nginx
