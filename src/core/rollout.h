// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include <muster/supervision.h>

namespace muster::core {

// New for old, seat by seat, so many at a time: which seat is next, and what became of it all.
class Rollout {
 public:
  Rollout(std::deque<unsigned> seats, unsigned parallel, std::uint64_t now)
      : waiting_(std::move(seats)), parallel_(parallel), since_(now), wanted_(static_cast<unsigned>(waiting_.size())) {}

  // The next seat to get a new process. Nothing while so many are under way, or when all were.
  std::optional<unsigned> next() {
    if (waiting_.empty() || under_way_ >= parallel_) return std::nullopt;
    const unsigned seat = waiting_.front();
    waiting_.pop_front();
    ++under_way_;
    return seat;
  }
  // That seat has one, which is ready.
  void handle_replaced() {
    --under_way_;
    ++replaced_;
  }
  // That seat needs none.
  void handle_skipped() { --under_way_; }
  bool over() const { return waiting_.empty() && under_way_ == 0; }

  // `why` it was abandoned, or nothing.
  RolloutResult result(std::uint64_t now, std::string why) const {
    return {replaced_, wanted_, std::chrono::milliseconds(now - since_), std::move(why)};
  }

 private:
  std::deque<unsigned> waiting_;
  unsigned parallel_;
  std::uint64_t since_;
  unsigned wanted_;
  unsigned under_way_ = 0;
  unsigned replaced_ = 0;
};

}  // namespace muster::core
