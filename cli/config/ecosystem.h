// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"

namespace muster::cli {

// PM2's configuration: ecosystem.config.js, .cjs, .mjs or .json, or any other .json.
bool is_ecosystem(std::string_view path);

// Reads what such a file amounts to in JSON. `env_name` picks env_NAME, put over env. `file` is how the file is called in
// diagnostics, `folder` where it is.
FileContent read_ecosystem(std::string_view json, const std::string& file, const std::string& folder,
                           const std::string& env_name);

// Has node evaluate such a file and tell it in JSON.
struct Evaluated {
  std::string json = {};
  std::vector<Diagnostic> diagnostics = {};  // why there is none: node is missing, or the file throws
};
Evaluated evaluate_ecosystem(const std::string& path, const std::string& file, const Environment& environment,
                             const std::string& cwd);

}  // namespace muster::cli
