// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <muster/exit_status.h>
#include <muster/supervision.h>
#include "core/rollout.h"
#include "core/runs.h"

namespace muster::core {

// One reload of workers that a program keeps itself: a new one for each, and the old one goes when that is ready. A worker that
// ends by itself meanwhile is the program's business, and gets none.
//
// Time as in Supervisor, and so are effects.
class Reload {
 public:
  struct Options {
    unsigned parallel = 1;
    Runs::Timeouts timeouts = {};
  };
  // Every worker that was to be replaced is, or the reload was abandoned. Once; old workers may still be leaving.
  struct Ended {
    RolloutResult result;
  };
  using Effect = std::variant<Runs::Fork, Runs::Drain, Runs::Terminate, Runs::Kill, Ended>;

  // Of so many workers, on seats from 0 on.
  Reload(unsigned workers, const Options& options, std::uint64_t now);

  // Who sits there: the run of a worker that was there before.
  RunId old_run(unsigned seat) const { return seats_.at(seat).old; }

  void handle_ready(RunId run, std::uint64_t now);
  void handle_exited(RunId run, const ExitStatus& status, std::uint64_t now, bool started = true);
  void handle_time(std::uint64_t now);
  std::optional<std::uint64_t> next_deadline() const { return runs_.next_deadline(); }
  // It has ended, and nobody is leaving any more.
  bool over() const;

  std::optional<Effect> poll_effect();

 private:
  struct Seat {
    RunId old;
    std::optional<RunId> next = {};
  };

  void push(const std::optional<Runs::Effect>& effect);
  void advance(std::uint64_t now);
  void end(std::uint64_t now, std::string why);

  Runs runs_;
  Rollout rollout_;
  bool ended_ = false;
  std::vector<Seat> seats_;
  std::deque<Effect> effects_;
};

}  // namespace muster::core
