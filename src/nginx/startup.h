#pragma once
// Messages that the master writes to the error log at a start and at each reload.

#include "nginx/ngx.h"

namespace scim::nginx {

// At a start, logs the version of the module. At a reload, logs an error if the module file on disk
// differs from the loaded one, and a warning for each store whose `size` has been reduced.
void report_startup(ngx_cycle_t *cycle);

}  // namespace scim::nginx
