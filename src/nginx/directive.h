#pragma once
// For the functions that nginx calls for each directive of the configuration.

#include <string>
#include <string_view>

#include "nginx/guard.h"
#include "nginx/ngx.h"

namespace scim::nginx {

// "conf/nginx.conf:12", for messages that are logged after nginx has closed the file.
inline std::string where(ngx_conf_t *cf) {
    return std::string(view(cf->conf_file->file.name)) + ":" + std::to_string(cf->conf_file->line);
}

// Logs the message as an emergency and returns NGX_CONF_ERROR.
inline char *fail(ngx_conf_t *cf, const std::string &message) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", message.c_str());
    return static_cast<char *>(NGX_CONF_ERROR);
}

// The argument `n` of the directive; 0 is its name.
inline std::string arg(ngx_conf_t *cf, ngx_uint_t n) {
    return std::string(view(static_cast<ngx_str_t *>(cf->args->elts)[n]));
}

// If `text` starts with `name`, such as "size=", sets `value` to the rest and returns true.
inline bool option(const std::string &text, std::string_view name, std::string &value) {
    if (text.compare(0, name.size(), name) != 0) return false;
    value = text.substr(name.size());
    return true;
}

// Runs `set`, in which exceptions are errors.
template <class F>
char *guarded_slot(ngx_conf_t *cf, F &&set) {
    return guarded(cf->log, static_cast<char *>(NGX_CONF_ERROR), [&]() -> char * { return set(); });
}

// Sets one of the words in `cmd->post`, an array of ngx_conf_enum_t. Used instead of
// ngx_conf_set_enum_slot(), whose error does not list the allowed values.
char *set_word(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

}  // namespace scim::nginx
