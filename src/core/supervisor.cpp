#include "core/supervisor.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"

namespace muster::core {
namespace {

// A worker that was ready for so long was well: what it dies of is a new failure, not the same again.
constexpr std::uint64_t well_after = 10'000;

// An app none of whose workers has ever been ready is not tried as long as one that has worked: somebody waits for it.
constexpr unsigned tries_to_start = 3;

// So many failures in a row are a loop.
constexpr unsigned failures_of_a_loop = 3;

std::string seconds(std::uint64_t ms) {
  if (ms % 1000 == 0) return std::to_string(ms / 1000) + " s";
  return std::to_string(ms) + " ms";
}

}  // namespace

std::string_view to_string(Supervisor::Cause cause) {
  using enum Supervisor::Cause;
  switch (cause) {
    case crashed: return "crashed";
    case exited: return "exited";
    case never_ready: return "never became ready";
    case not_started: return "not started";
    case memory: return "memory";
    case requests: return "requests";
    case age: return "age";
    case hung: return "hung";
    case reload: return "reload";
    case restart: return "restart";
    case scale: return "scale";
    case stop: return "stop";
  }
  return "";
}

std::string_view to_string(Supervisor::State state) {
  using enum Supervisor::State;
  switch (state) {
    case starting: return "starting";
    case running: return "running";
    case reloading: return "reloading";
    case stopping: return "stopping";
    case stopped: return "stopped";
    case failed: return "failed";
  }
  return "";
}

std::string_view to_string(Supervisor::Health health) {
  using enum Supervisor::Health;
  switch (health) {
    case well: return "well";
    case degraded: return "degraded";
    case crash_loop: return "crash loop";
  }
  return "";
}

std::string to_text(const ExitStatus& status) {
  return status.signal() ? "signal " + status.signal()->name() : "exit code " + status.to_string();
}

Supervisor::Supervisor(SupervisorOptions options, std::uint64_t seed)
    : options_(options), random_(seed), budget_(0, options.restart_window) {
  for (unsigned number = 1; number <= options_.workers; ++number) add_seat(number);
  set_options(options);
}

void Supervisor::add_seat(unsigned number) {
  seats_.try_emplace(number, Seat{Backoff(options_.backoff, options_.max_backoff, next_random(random_))});
}

void Supervisor::set_options(SupervisorOptions options) {
  options.workers = options_.workers;
  options.parallel = std::max(1U, options.parallel);
  options_ = options;
  budget_.set_limit(std::size_t{options_.max_restarts} * options_.workers);
}

void Supervisor::start(std::uint64_t now) {
  for (auto& [number, seat] : seats_) fill(number, seat, now);
}

bool Supervisor::may_start() const {
  const auto starting =
      std::count_if(runs_.begin(), runs_.end(), [](const auto& entry) { return entry.second.phase == Phase::starting; });
  return options_.starting == 0 || starting < static_cast<std::ptrdiff_t>(options_.starting);
}

void Supervisor::fill(unsigned number, Seat& seat, std::uint64_t now) {
  seat.waits = !may_start();
  if (!seat.waits) seat.current = fork(number, now);
}

void Supervisor::fill_waiting(std::uint64_t now) {
  if (options_.starting == 0 || !going_on()) return;
  for (auto& [number, seat] : seats_) {
    if (!seat.waits) continue;
    if (!may_start()) return;
    fill(number, seat, now);
  }
}

RunId Supervisor::fork(unsigned seat, std::uint64_t now) {
  const RunId id{next_run_++};
  Run run{id, seat, generation_, Phase::starting, now};
  if (options_.ready_timeout > 0) run.deadline = now + options_.ready_timeout;
  runs_.emplace(id, run);
  effects_.push_back(Fork{id, seat, generation_});
  return id;
}

const Supervisor::Run* Supervisor::find(RunId run) const {
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : &found->second;
}

unsigned Supervisor::ready() const {
  return static_cast<unsigned>(
      std::count_if(runs_.begin(), runs_.end(), [](const auto& entry) { return entry.second.phase == Phase::ready; }));
}

bool Supervisor::has_lasted(const Run& run, std::uint64_t now) const {
  return run.ready && now - *run.ready >= std::max(options_.restart_window, well_after);
}

Supervisor::Health Supervisor::health(std::uint64_t now) const {
  Health health = Health::well;
  for (const auto& [number, seat] : seats_) {
    const Run* current = seat.current ? find(*seat.current) : nullptr;
    if (seat.failures >= failures_of_a_loop && !(current && has_lasted(*current, now))) return Health::crash_loop;
    if (!current || current->phase != Phase::ready) health = Health::degraded;
  }
  return health;
}

void Supervisor::drain(Run& run, Cause cause, std::uint64_t now) {
  if (run.phase >= Phase::draining) return;
  // One that is not ready has nothing to finish.
  if (run.phase == Phase::starting) return terminate(run, cause, now);
  run.phase = Phase::draining;
  run.leaving = cause;
  run.deadline = now + options_.drain_timeout;
  effects_.push_back(Drain{run.id});
}

void Supervisor::terminate(Run& run, Cause cause, std::uint64_t now) {
  if (run.phase >= Phase::terminating) return;
  run.phase = Phase::terminating;
  if (!run.leaving) run.leaving = cause;
  run.deadline = now + options_.kill_timeout;
  effects_.push_back(Terminate{run.id});
}

void Supervisor::kill(Run& run, Cause cause) {
  if (run.phase == Phase::killing) return;
  run.phase = Phase::killing;
  if (!run.leaving) run.leaving = cause;
  run.deadline.reset();
  effects_.push_back(Kill{run.id});
}

void Supervisor::replace(RunId id, Cause cause, std::uint64_t now) {
  const auto found = runs_.find(id);
  if (!going_on() || found == runs_.end() || found->second.phase != Phase::ready) return;
  Seat& seat = seats_.at(found->second.seat);
  if (seat.current != id || seat.next) return;
  seat.replacing = cause;
  seat.next = fork(found->second.seat, now);
}

void Supervisor::put_down(RunId id, Cause cause) {
  if (const auto found = runs_.find(id); found != runs_.end()) kill(found->second, cause);
}

std::optional<std::string> Supervisor::reload(std::uint64_t now) {
  if (state_ == State::reloading) return "a reload is under way";
  if (state_ != State::running) return "it is " + std::string(to_string(state_));
  state_ = State::reloading;
  ++generation_;
  reload_.emplace(Reload{now});
  for (const auto& [number, seat] : seats_) reload_->waiting.push_back(number);
  reload_->wanted = static_cast<unsigned>(reload_->waiting.size());
  advance_reload(now);
  return std::nullopt;
}

void Supervisor::advance_reload(std::uint64_t now) {
  while (reload_ && reload_->under_way < options_.parallel && !reload_->waiting.empty()) {
    const unsigned number = reload_->waiting.front();
    reload_->waiting.pop_front();
    const auto found = seats_.find(number);
    if (found == seats_.end()) continue;  // scaled away
    Seat& seat = found->second;
    // One that is just being replaced for another reason is of the old version: it is too late for it.
    if (seat.next) {
      Run& late = runs_.at(*seat.next);
      seat.next.reset();
      terminate(late, Cause::reload, now);
    }
    seat.retry.reset();
    seat.waits = false;
    seat.replacing = Cause::reload;
    seat.next = fork(number, now);
    ++reload_->under_way;
  }
  if (reload_ && reload_->under_way == 0 && reload_->waiting.empty()) end_reload(now, "");
}

void Supervisor::end_reload(std::uint64_t now, std::string why) {
  const Reload reload = *std::exchange(reload_, std::nullopt);
  for (auto& [number, seat] : seats_) {
    if (seat.replacing != Cause::reload) continue;
    seat.replacing.reset();
    if (!seat.next) continue;
    terminate(runs_.at(*seat.next), Cause::reload, now);
    seat.next.reset();
    // Nobody sits there, and the one that was to come is not coming.
    if (!seat.current && going_on()) seat.retry = now + seat.backoff.next();
  }
  if (state_ == State::reloading) state_ = State::running;
  effects_.push_back(ReloadEnded{reload.replaced, reload.wanted, now - reload.since, std::move(why)});
}

std::optional<std::string> Supervisor::restart(std::uint64_t now) {
  if (state_ == State::reloading) return "a reload is under way";
  if (!going_on()) return "it is " + std::string(to_string(state_));
  ++generation_;
  for (auto& [number, seat] : seats_) {
    if (seat.next) terminate(runs_.at(*std::exchange(seat.next, std::nullopt)), Cause::restart, now);
    seat.replacing.reset();
    seat.backoff.reset();
    seat.failures = 0;
    if (seat.current) {
      drain(runs_.at(*seat.current), Cause::restart, now);
    } else {
      seat.retry.reset();
      fill(number, seat, now);
    }
  }
  return std::nullopt;
}

std::optional<std::string> Supervisor::scale(unsigned workers, std::uint64_t now) {
  if (state_ == State::reloading) return "a reload is under way";
  if (!going_on()) return "it is " + std::string(to_string(state_));
  MUSTER_ASSERT(workers > 0);
  options_.workers = workers;
  budget_.set_limit(std::size_t{options_.max_restarts} * workers);
  for (unsigned number = 1; number <= workers; ++number) {
    if (seats_.contains(number)) continue;
    add_seat(number);
    fill(number, seats_.at(number), now);
  }
  while (!seats_.empty() && seats_.rbegin()->first > workers) {
    const Seat& seat = seats_.rbegin()->second;
    if (seat.next) drain(runs_.at(*seat.next), Cause::scale, now);
    if (seat.current) drain(runs_.at(*seat.current), Cause::scale, now);
    seats_.erase(std::prev(seats_.end()));
  }
  return std::nullopt;
}

void Supervisor::stop(std::uint64_t now) {
  if (!going_on()) return;
  if (reload_) end_reload(now, "the app was stopped");
  state_ = State::stopping;
  for (auto& [number, seat] : seats_) seat.retry.reset();
  for (auto& [id, run] : runs_) drain(run, Cause::stop, now);
  stop_when_empty();
}

void Supervisor::terminate(std::uint64_t now) {
  stop(now);
  for (auto& [id, run] : runs_) terminate(run, Cause::stop, now);
}

void Supervisor::kill(std::uint64_t now) {
  stop(now);
  for (auto& [id, run] : runs_) kill(run, Cause::stop);
}

void Supervisor::handle_ready(RunId id, std::uint64_t now) {
  const auto found = runs_.find(id);
  if (found == runs_.end() || found->second.phase != Phase::starting) return;
  Run& run = found->second;
  run.phase = Phase::ready;
  run.ready = now;
  // It may have been silent while it started, for as long as it liked.
  if (run.heard) run.heard = now;
  run.deadline.reset();
  if (options_.max_age > 0) {
    // Up to a tenth later: those that began together need not end together.
    run.expires = now + options_.max_age + next_random(random_) % (options_.max_age / 10 + 1);
  }
  if (state_ == State::starting) state_ = State::running;
  fill_waiting(now);
  const auto place = seats_.find(run.seat);
  if (place == seats_.end()) return;
  Seat& seat = place->second;
  if (seat.next != id) return;
  const Cause cause = seat.replacing.value_or(Cause::reload);
  const auto old = std::exchange(seat.current, std::exchange(seat.next, std::nullopt));
  seat.replacing.reset();
  if (old) drain(runs_.at(*old), cause, now);
  if (cause == Cause::reload && reload_) {
    seat.failures = 0;
    ++reload_->replaced;
    --reload_->under_way;
    advance_reload(now);
  }
}

void Supervisor::handle_exited(RunId id, ExitStatus status, std::uint64_t now, bool started) {
  const auto found = runs_.find(id);
  if (found == runs_.end()) return;
  const Run run = found->second;
  runs_.erase(found);

  Cause cause = status.success() ? Cause::exited : Cause::crashed;
  if (!started) {
    cause = Cause::not_started;
  } else if (run.leaving) {
    cause = *run.leaving;
  } else if (!run.ready) {
    cause = Cause::never_ready;
  }
  Died died{id, run.seat, cause, status, run.ready.has_value(), now - run.started, {}, {}};

  const auto place = seats_.find(run.seat);
  const bool current = place != seats_.end() && place->second.current == id;
  const bool next = place != seats_.end() && place->second.next == id;
  std::optional<std::string> failed;
  if (current) {
    failed = lost_current(place->second, run, cause, died, now);
  } else if (next) {
    Seat& seat = place->second;
    seat.next.reset();
    const bool of_reload = seat.replacing == Cause::reload;
    died.successor = seat.current;
    if (of_reload && reload_) {
      effects_.push_back(died);
      seat.replacing.reset();
      if (!seat.current) seat.retry = now + seat.backoff.next();
      end_reload(now,
                 "worker " + std::to_string(run.seat) + " of the new version " +
                     (cause == Cause::not_started                  ? "could not be started"
                      : cause == Cause::never_ready && run.leaving ? "was not ready within " + seconds(options_.ready_timeout)
                                                                   : "ended before it was ready, " + to_text(status)));
      return fill_waiting(now);
    }
    // The one that was to be replaced goes on, and is replaced the next time somebody finds it over its limit.
    seat.replacing.reset();
    if (going_on()) failed = spend_restart(run, cause, status, now);
  } else if (place != seats_.end()) {
    died.successor = place->second.current;
  }
  effects_.push_back(died);
  if (failed) fail(std::move(*failed), now);
  fill_waiting(now);
  stop_when_empty();
}

std::optional<std::string> Supervisor::lost_current(Seat& seat, const Run& run, Cause cause, Died& died, std::uint64_t now) {
  seat.current.reset();
  if (!going_on()) return std::nullopt;
  if (seat.next) {
    // Its successor is on its way already.
    died.successor = seat.next;
    if (seat.replacing != Cause::reload) {
      seat.current = std::exchange(seat.next, std::nullopt);
      seat.replacing.reset();
    }
    return std::nullopt;
  }
  if (cause == Cause::restart) {
    ++seat.restarts;
    ++restarts_;
    died.next_try = 0;
    fill(run.seat, seat, now);
    died.successor = seat.current;
    return std::nullopt;
  }
  if (run.ready && now - *run.ready >= well_after) seat.backoff.reset();
  if (has_lasted(run, now)) seat.failures = 0;
  ++seat.failures;
  if (auto failed = spend_restart(run, cause, died.status, now)) return failed;
  ++seat.restarts;
  ++restarts_;
  const std::uint64_t wait = seat.backoff.next();
  died.next_try = wait;
  if (wait == 0) {
    fill(run.seat, seat, now);
    died.successor = seat.current;
  } else {
    seat.retry = now + wait;
  }
  return std::nullopt;
}

std::optional<std::string> Supervisor::spend_restart(const Run& run, Cause cause, const ExitStatus& status, std::uint64_t now) {
  const std::string worker = "worker " + std::to_string(run.seat);
  if (state_ == State::starting && !run.ready) {
    const unsigned at_a_time = options_.starting == 0 ? options_.workers : std::min(options_.workers, options_.starting);
    if (++failed_starts_ < tries_to_start * at_a_time) return std::nullopt;
    const std::string last = cause == Cause::not_started         ? "could not be started"
                             : run.leaving == Cause::never_ready ? "was not ready within " + seconds(options_.ready_timeout)
                                                                 : "ended with " + to_text(status);
    return "no worker ever became ready: " + worker + " " + last + ", after " + std::to_string(failed_starts_) + " tries";
  }
  if (budget_.spend(now)) return std::nullopt;
  return "more than " + std::to_string(options_.max_restarts * options_.workers) + " restarts within " +
         seconds(options_.restart_window) + ": " + worker + " ended last, with " + to_text(status);
}

void Supervisor::fail(std::string why, std::uint64_t now) {
  if (reload_) end_reload(now, why);
  state_ = State::failed;
  for (auto& [number, seat] : seats_) seat.retry.reset();
  for (auto& [id, run] : runs_) drain(run, Cause::stop, now);
  effects_.push_back(Failed{std::move(why)});
}

void Supervisor::stop_when_empty() {
  if (going_on() || state_ == State::stopped || !runs_.empty()) return;
  if (state_ == State::stopping) state_ = State::stopped;
  effects_.push_back(Stopped{});
}

void Supervisor::handle_heard(RunId id, std::uint64_t now) {
  if (const auto found = runs_.find(id); found != runs_.end()) found->second.heard = now;
}

void Supervisor::handle_deafness(std::uint64_t now) {
  for (auto& [id, run] : runs_) {
    if (run.heard) run.heard = now;
  }
}

void Supervisor::look(std::uint64_t now) {
  if (looked_ && now - *looked_ > 2 * look_interval) handle_deafness(now);
  looked_ = now;
  if (options_.heartbeat == 0) return;
  for (auto& [id, run] : runs_) {
    if (run.phase != Phase::ready || run.hung || !run.heard || now - *run.heard <= options_.heartbeat) continue;
    run.hung = true;
    effects_.push_back(Hung{id, now - *run.heard});
  }
}

void Supervisor::handle_time(std::uint64_t now) {
  for (auto& [id, run] : runs_) {
    if (run.deadline && *run.deadline <= now) {
      switch (run.phase) {
        case Phase::starting: terminate(run, Cause::never_ready, now); break;
        case Phase::draining: terminate(run, Cause::stop, now); break;
        case Phase::terminating: kill(run, Cause::stop); break;
        case Phase::ready:
        case Phase::killing: break;
      }
    }
    if (run.expires && *run.expires <= now && run.phase == Phase::ready) {
      // Not now: it is tried again.
      run.expires = now + 1000;
      replace(id, Cause::age, now);
    }
  }
  if (!going_on()) return;
  for (auto& [number, seat] : seats_) {
    if (!seat.retry || *seat.retry > now) continue;
    seat.retry.reset();
    fill(number, seat, now);
  }
}

std::optional<std::uint64_t> Supervisor::next_deadline() const {
  std::optional<std::uint64_t> next;
  const auto take = [&next](const std::optional<std::uint64_t>& at) {
    if (at && (!next || *at < *next)) next = at;
  };
  for (const auto& [id, run] : runs_) {
    take(run.deadline);
    if (run.phase == Phase::ready) take(run.expires);
  }
  for (const auto& [number, seat] : seats_) take(seat.retry);
  return next;
}

std::optional<Supervisor::Effect> Supervisor::poll_effect() {
  if (effects_.empty()) return std::nullopt;
  Effect effect = std::move(effects_.front());
  effects_.pop_front();
  return effect;
}

}  // namespace muster::core
