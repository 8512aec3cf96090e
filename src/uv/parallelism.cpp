// SPDX-License-Identifier: MIT
#include "uv/parallelism.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

#include <muster/loop.h>

namespace muster {
namespace uv {
namespace {

unsigned affinity() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
  return 1;
}

// "max 100000" or "150000 100000".
double v2_quota(const std::string& file) {
  std::ifstream in(file);
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || period <= 0) return INFINITY;
  std::istringstream text(quota);
  double value = 0;
  return text >> value && value > 0 ? value / period : INFINITY;
}

double v1_quota(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return INFINITY;
  return quota / period;
}

// The smallest quota from a group up to the root: a parent's limit binds its children.
template <class Quota>
double smallest(const std::string& mount, std::string group, Quota quota) {
  double limit = INFINITY;
  for (;;) {
    limit = std::min(limit, quota(mount + group));
    if (group.empty() || group == "/") return limit;
    group.erase(group.rfind('/'));
  }
}

}  // namespace

double cgroup_quota(const std::string& root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  std::string line;
  double limit = INFINITY;
  while (std::getline(groups, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (controllers == ",,") {
      limit = std::min(limit, smallest(root + "/sys/fs/cgroup", group,
                                       [](const std::string& folder) { return v2_quota(folder + "/cpu.max"); }));
    } else if (controllers.find(",cpu,") != std::string::npos) {
      limit = std::min(limit, smallest(root + "/sys/fs/cgroup/cpu", group, v1_quota));
    }
  }
  return limit;
}

}  // namespace uv

unsigned available_parallelism() {
  const double quota = uv::cgroup_quota("");
  const unsigned processors = uv::affinity();
  if (!std::isfinite(quota)) return processors;
  return std::clamp(static_cast<unsigned>(quota), 1U, processors);
}

}  // namespace muster
