// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <muster/exit_status.h>
#include <muster/supervision.h>

namespace muster::core {

// One process that was asked for. A seat has many, one after the other.
enum class RunId : std::uint32_t {};

struct Run {
  RunId id;
  unsigned seat;
  unsigned generation;
  WorkerPhase phase;
  std::uint64_t started;
  std::optional<std::uint64_t> ready = {};
  std::optional<EndCause> leaving = {};        // it was told to end, and why
  std::optional<std::uint64_t> deadline = {};  // of its phase
  std::optional<std::uint64_t> expires = {};   // by its age
  std::optional<std::uint64_t> heard = {};     // when it last gave a sign of life
  bool hung = false;
};

// Processes from their start to their end: starting, ready, draining, terminating, killing. Each phase but `ready` and
// `killing` has a deadline, at which the next one begins. Time is in milliseconds and comes with each call. What a call returns
// is to be done, in that order.
class Runs {
 public:
  // Start a process; it gets ready, or exits.
  struct Fork {
    RunId run;
    unsigned seat;
    unsigned generation;
  };
  // It gets no more to do, finishes what it has and ends.
  struct Drain {
    RunId run;
  };
  struct Terminate {
    RunId run;
  };
  struct Kill {
    RunId run;
  };
  using Effect = std::variant<Fork, Drain, Terminate, Kill>;

  // In milliseconds. 0 for `ready`: no limit.
  struct Timeouts {
    std::uint64_t ready = 30'000;
    std::uint64_t drain = 30'000;  // then it is asked by a signal
    std::uint64_t kill = 5'000;    // then it is killed
  };

  explicit Runs(Timeouts timeouts) : timeouts_(timeouts) {}
  // Counts from the next phase of each on.
  void set_timeouts(Timeouts timeouts) { timeouts_ = timeouts; }

  Fork fork(unsigned seat, unsigned generation, std::uint64_t now);
  // A process that somebody else started, and that is ready.
  RunId adopt(unsigned seat, std::uint64_t now);
  // One that is not ready has nothing to finish: it is terminated. Nothing for one that is in that phase or a later one.
  std::optional<Effect> drain(RunId run, EndCause cause, std::uint64_t now);
  std::optional<Effect> terminate(RunId run, EndCause cause, std::uint64_t now);
  std::optional<Effect> kill(RunId run, EndCause cause);
  // False for one that is not starting.
  bool handle_ready(RunId run, std::uint64_t now);
  // It is no more. What it was, if it was.
  std::optional<Run> handle_exited(RunId run);
  std::vector<Effect> handle_time(std::uint64_t now);
  std::optional<std::uint64_t> next_deadline() const;

  Run* find(RunId run);
  const Run* find(RunId run) const;
  Run& at(RunId run) { return runs_.at(run); }
  const std::map<RunId, Run>& all() const { return runs_; }
  std::map<RunId, Run>& all() { return runs_; }
  unsigned count(WorkerPhase phase) const;
  bool empty() const { return runs_.empty(); }

  // Why one ended, and the text for it.
  static EndCause cause_of(const Run& run, const ExitStatus& status, bool started);
  // "was not ready within 30 s": of one that ended, or was told to, before it was ready.
  std::string why_not_ready(const Run& run, EndCause cause, const ExitStatus& status) const;

 private:
  Run& add(unsigned seat, unsigned generation, WorkerPhase phase, std::uint64_t now);

  Timeouts timeouts_;
  std::map<RunId, Run> runs_;
  std::uint32_t next_run_ = 1;
};

}  // namespace muster::core
