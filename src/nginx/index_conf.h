#pragma once
// The directive scim_index.

#include <string>

#include "nginx/conf.h"

namespace scim::nginx {

char *set_index(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

// Adds the indexes of the store to its declaration. Returns an error message if one of them cannot
// be built, is declared twice or exists without scim_index, or if there are too many.
std::string declare_indexes(const MainConf &mcf, StoreConf &store, const Catalog &catalog);

}  // namespace scim::nginx
