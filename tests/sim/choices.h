// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace muster::sim {

// Where a world's choices come from: a seed, or a list that an earlier world recorded. Grouped by step, so that a step can be
// left out of a list without changing what the others choose.
class Choices {
 public:
  using Step = std::vector<std::uint64_t>;

  explicit Choices(std::uint64_t seed) : random_(seed) {}
  explicit Choices(std::vector<Step> steps) : recorded_(std::move(steps)), replays_(true) {}

  // Begins the next step. False when the recorded steps are used up: every choice is 0 then.
  bool begin_step() {
    made_.emplace_back();
    at_ = 0;
    return !replays_ || made_.size() <= recorded_.size();
  }
  std::uint64_t next() {
    std::uint64_t choice = 0;
    if (!replays_) {
      choice = random_();
    } else if (made_.size() <= recorded_.size() && at_ < recorded_[made_.size() - 1].size()) {
      choice = recorded_[made_.size() - 1][at_++];
    }
    made_.back().push_back(choice);
    return choice;
  }
  bool replays() const { return replays_; }
  std::size_t recorded_steps() const { return recorded_.size(); }
  // What was chosen by now.
  const std::vector<Step>& made() const { return made_; }

 private:
  std::mt19937_64 random_{};
  std::vector<Step> recorded_ = {};
  bool replays_ = false;
  std::vector<Step> made_ = {};
  std::size_t at_ = 0;
};

}  // namespace muster::sim
