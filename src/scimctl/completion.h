#pragma once
// The shell's completion of the commands and options of scimctl.

#include <CLI/CLI.hpp>
#include <string>

namespace scim::scimctl {

// A script for bash, and for zsh, that completes the commands and options of `app`, made from their
// declarations. File names are completed where no word of these fits.
std::string completion_script(const CLI::App &app);

}  // namespace scim::scimctl
