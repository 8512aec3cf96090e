// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"

namespace muster::cli {

// Reads muster.toml: settings of one app, or of each app in a table [apps.NAME] with those above them as defaults. Whether a
// value is accepted is seen when it is used. `file` is how the file is called in diagnostics, `folder` where it is.
FileContent read_toml(std::string_view text, const std::string& file, const std::string& folder);

}  // namespace muster::cli
