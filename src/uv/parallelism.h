// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace muster::uv {

// How many processors' worth of time this process's control group may use; infinite without a limit.
// `root` is put before the paths that are read: "" but in tests.
double cgroup_quota(const std::string& root);

}  // namespace muster::uv
