// SPDX-License-Identifier: MIT
#include "uv/host.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace muster::uv {
namespace {

constexpr rlim_t fewest_listeners = 32;

}  // namespace

core::Host host() {
  core::Host host;
  host.uid = static_cast<int>(geteuid());
  // Half of the descriptors, two for each where ports are kept: the rest is for connections.
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    const std::size_t quarter = std::max(limit.rlim_cur / 4, fewest_listeners);
    host.max_listeners = std::min(host.max_listeners, quarter);
    host.max_listeners_of_worker = std::min(host.max_listeners_of_worker, quarter / 2);
  }
  // A service manager's contract: so many, from 3 on, for the process of this number.
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (pid && count && std::atoi(pid) == getpid()) {
    constexpr int first = 3;
    for (int fd = first; fd < first + std::min(std::atoi(count), 1024); ++fd) host.descriptors.push_back(fd);
  }
  return host;
}

}  // namespace muster::uv
