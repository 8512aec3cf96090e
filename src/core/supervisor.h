// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <muster/exit_status.h>
#include <muster/supervision.h>
#include "core/backoff.h"
#include "core/rollout.h"
#include "core/runs.h"

namespace muster::core {

// Keeps an app alive: so many workers, each on its seat, replaced when they end, when they are to be replaced, or when a reload
// puts a new one in the place of each.
//
// Time is in milliseconds, of any clock that only goes forward, and comes with each call; handle_time() is due at
// next_deadline(). What is to be done comes out of poll_effect(), to be polled until it is empty after each call.
class Supervisor {
 public:
  // In milliseconds, but for the numbers. 0 for ready_timeout, max_age and max_restarts: no limit.
  struct Options {
    unsigned workers = 1;
    unsigned parallel = 1;  // of a reload: how many are replaced at a time
    unsigned starting = 0;  // how many may be starting at a time; the others wait. 0: any number
    std::uint64_t ready_timeout = 30'000;
    std::uint64_t backoff = 100;
    std::uint64_t max_backoff = 15'000;
    unsigned max_restarts = 10;  // for each worker, within the window
    std::uint64_t restart_window = 60'000;
    std::uint64_t max_age = 0;
    std::uint64_t drain_timeout = 30'000;  // then it is asked by a signal
    std::uint64_t kill_timeout = 5'000;    // then it is killed
    std::uint64_t heartbeat = 0;           // a ready worker that was heard of and is silent for longer hangs; 0: never
  };

  // handle_ready() and handle_exited() follow.
  using Fork = Runs::Fork;
  using Drain = Runs::Drain;
  using Terminate = Runs::Terminate;
  using Kill = Runs::Kill;
  // It hangs, as is told once. put_down() is due, when whoever wants to has looked at it.
  struct Hung {
    RunId run;
    std::uint64_t silence;
  };
  struct Died {
    RunId run;
    unsigned seat;
    EndCause cause;
    ExitStatus status;
    bool was_ready;
    std::uint64_t lived;
    std::optional<RunId> successor;         // it has one already
    std::optional<std::uint64_t> next_try;  // one is started after so many milliseconds
  };
  struct ReloadEnded {
    RolloutResult result;
  };
  struct Failed {
    std::string why;
  };
  // Nothing runs any more, and nothing will. The last effect.
  struct Stopped {};
  using Effect = std::variant<Fork, Drain, Terminate, Kill, Hung, Died, ReloadEnded, Failed, Stopped>;

  struct Seat {
    Backoff backoff;
    std::optional<RunId> current = {};
    std::optional<RunId> next = {};           // will take its place when it is ready
    std::optional<EndCause> replacing = {};   // why there is a next one
    std::optional<std::uint64_t> retry = {};  // when to start the next one, because there is no current one
    bool waits = false;                       // to be started when others have
    unsigned restarts = 0;
    Backoff replacements = backoff;  // of workers that were over a limit as soon as they were ready
    std::uint64_t replaceable_at = 0;
    unsigned failures = 0;  // in a row: none that was ready for a restart window between them
  };

  // `seed` for what is left to chance: the same seed, the same waits.
  Supervisor(Options options, std::uint64_t seed);

  // Once.
  void start(std::uint64_t now);
  // Takes effect for what starts from now on; the number of workers does not (scale()).
  void set_options(Options options);
  std::optional<std::string> why_not_reload() const;
  std::optional<std::string> why_not_scale() const;
  // Nothing, or why not.
  std::optional<std::string> reload(std::uint64_t now);
  // Ends each worker and starts it again when it has ended, all at the same time.
  std::optional<std::string> restart(std::uint64_t now);
  std::optional<std::string> scale(unsigned workers, std::uint64_t now);
  // Each finishes what it has. Again: does nothing.
  void stop(std::uint64_t now);
  // Without waiting for that: by a signal.
  void terminate(std::uint64_t now);
  void kill(std::uint64_t now);
  // Puts another in its place, and lets it go then. Not at once when that happens again and again: whoever finds it over a
  // limit asks again.
  void replace(RunId run, EndCause cause, std::uint64_t now);
  // Kills it. It is started again as after any failure.
  void put_down(RunId run, EndCause cause);

  void handle_ready(RunId run, std::uint64_t now);
  void handle_exited(RunId run, ExitStatus status, std::uint64_t now, bool started = true);
  // A sign of life. Who never gave one is not missed.
  void handle_heard(RunId run, std::uint64_t now);
  // Nobody could be heard until now.
  void handle_deafness(std::uint64_t now);
  // Looks who hangs. To be called again and again, once in this time; when it was not, this process stood still itself and
  // cannot tell who was silent meanwhile.
  static constexpr std::uint64_t look_interval = 1'000;
  void look(std::uint64_t now);
  void handle_time(std::uint64_t now);
  std::optional<std::uint64_t> next_deadline() const;

  SupervisorState state() const { return state_; }
  Health health(std::uint64_t now) const;
  unsigned workers() const { return options_.workers; }
  unsigned ready() const { return runs_.count(WorkerPhase::ready); }
  unsigned restarts() const { return restarts_; }
  unsigned generation() const { return generation_; }
  const std::map<unsigned, Seat>& seats() const { return seats_; }
  const Run* find(RunId run) const { return runs_.find(run); }
  const std::map<RunId, Run>& runs() const { return runs_.all(); }

  std::optional<Effect> poll_effect();

 private:
  bool going_on() const { return state_ <= SupervisorState::reloading; }
  // It was ready for so long that its failures before say nothing any more.
  bool has_lasted(const Run& run, std::uint64_t now) const;
  RunId fork(unsigned seat, std::uint64_t now);
  // A process for an empty seat: now, or when others have started.
  void fill(unsigned number, Seat& seat, std::uint64_t now);
  void fill_waiting(std::uint64_t now);
  bool may_start() const;
  void add_seat(unsigned number);
  void push(const std::optional<Runs::Effect>& effect);
  void advance_reload(std::uint64_t now);
  void end_reload(std::uint64_t now, std::string why);
  // These tell why the app has failed by it, if it has.
  std::optional<std::string> lost_current(Seat& seat, const Run& run, EndCause cause, Died& died, std::uint64_t now);
  std::optional<std::string> spend_restart(const Run& run, EndCause cause, const ExitStatus& status, std::uint64_t now);
  void fail(std::string why, std::uint64_t now);
  void stop_when_empty();

  Options options_;
  std::uint64_t random_;
  SupervisorState state_ = SupervisorState::starting;
  std::map<unsigned, Seat> seats_;
  Runs runs_;
  Budget budget_;
  std::optional<std::uint64_t> looked_;
  std::optional<Rollout> reload_;
  unsigned generation_ = 0;
  unsigned restarts_ = 0;
  unsigned failed_starts_ = 0;  // before the first was ready
  std::deque<Effect> effects_;
};

}  // namespace muster::core
