// SPDX-License-Identifier: MIT
#include "config/capacity.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>

#include <fmt/format.h>

#include <muster/loop.h>

#include "config/units.h"

namespace muster::cli {
namespace {

// What is no mistake on any machine.
constexpr unsigned always_fine = 64;
constexpr unsigned workers_of_processor = 4;
// Of the smallest programs.
constexpr std::uint64_t memory_of_worker = 2 << 20;

// A limit of this process's control group; nothing when there is none.
std::optional<std::uint64_t> group_limit(const std::string& file) {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::")) continue;
    std::ifstream limit("/sys/fs/cgroup" + line.substr(3) + "/" + file);
    std::uint64_t value = 0;
    if (limit >> value) return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> too_many_workers(unsigned workers) {
  const unsigned processors = available_parallelism();
  std::uint64_t processes = group_limit("pids.max").value_or(UINT64_MAX);
  rlimit limit{};
  if (getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && geteuid() != 0) {
    processes = std::min<std::uint64_t>(processes, limit.rlim_cur);
  }
  if (workers >= processes) return fmt::format("{} workers are more than the {} processes there may be", workers, processes);
  const std::uint64_t memory =
      std::min(group_limit("memory.max").value_or(UINT64_MAX),
               static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
  if (workers * memory_of_worker > memory) {
    return fmt::format("{} workers are more than {} of memory carry", workers, format_size(memory));
  }
  if (workers > std::max(always_fine, workers_of_processor * processors)) {
    return fmt::format("{} workers are more than {} for each of {} processors, and than {}", workers, workers_of_processor,
                       processors, always_fine);
  }
  return std::nullopt;
}

}  // namespace muster::cli
