// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace muster::core {

// How long to wait before the next try: nothing at first, then `first`, and double each time up to `most`, each somewhere
// between half of that and all of it. So those that failed together do not try again together.
class Backoff {
 public:
  Backoff(std::uint64_t first_ms, std::uint64_t most_ms, std::uint64_t seed)
      : first_(first_ms), most_(most_ms), random_(seed) {}

  // After one more failure.
  std::uint64_t next();
  // It went well.
  void reset() { failures_ = 0; }
  unsigned failures() const { return failures_; }

 private:
  std::uint64_t first_, most_, random_;
  unsigned failures_ = 0;
};

// How often something happened within a time.
class Budget {
 public:
  // No more than `limit` within `window_ms`; 0: no limit.
  Budget(std::size_t limit, std::uint64_t window_ms) : limit_(limit), window_(window_ms) {}

  // It happened again. Whether that was within the budget.
  bool spend(std::uint64_t now);
  void set_limit(std::size_t limit) { limit_ = limit; }

 private:
  std::size_t limit_;
  std::uint64_t window_;
  std::deque<std::uint64_t> spent_;
};

// The next of a series of numbers that a seed starts; the seed is its state.
std::uint64_t next_random(std::uint64_t& seed);

}  // namespace muster::core
