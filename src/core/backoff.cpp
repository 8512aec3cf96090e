// SPDX-License-Identifier: MIT
#include "core/backoff.h"

#include <algorithm>

namespace muster::core {

std::uint64_t next_random(std::uint64_t& seed) {
  // splitmix64.
  std::uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::uint64_t Backoff::next() {
  const unsigned doublings = failures_++;
  if (doublings == 0) return 0;
  std::uint64_t wait = first_;
  for (unsigned i = 1; i < doublings && wait < most_; ++i) wait *= 2;
  // Not at once again and again, whatever is asked for: nothing else would be done.
  wait = std::max<std::uint64_t>(std::min(wait, most_), 1);
  const std::uint64_t half = wait / 2;
  return wait - (half > 0 ? next_random(random_) % (half + 1) : 0);
}

bool Budget::spend(std::uint64_t now) {
  if (limit_ == 0) return true;
  while (!spent_.empty() && spent_.front() + window_ <= now) spent_.pop_front();
  spent_.push_back(now);
  return spent_.size() <= limit_;
}

}  // namespace muster::core
