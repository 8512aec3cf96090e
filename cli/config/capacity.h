// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

namespace muster::cli {

// Why so many workers are more than this machine is likely to carry: by its processors, its memory, or how many processes there
// may be. Nothing when they are not.
std::optional<std::string> too_many_workers(unsigned workers);

}  // namespace muster::cli
