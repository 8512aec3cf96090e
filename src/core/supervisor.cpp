// SPDX-License-Identifier: MIT
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

Runs::Timeouts timeouts_of(const Supervisor::Options& options) {
  return {options.ready_timeout, options.drain_timeout, options.kill_timeout};
}

}  // namespace

using Phase = WorkerPhase;
using State = SupervisorState;

Supervisor::Supervisor(Options options, std::uint64_t seed)
    : options_(options), random_(seed), runs_(timeouts_of(options)), budget_(0, options.restart_window) {
  for (unsigned number = 1; number <= options_.workers; ++number) add_seat(number);
  set_options(options);
}

void Supervisor::add_seat(unsigned number) {
  seats_.try_emplace(number, Seat{Backoff(options_.backoff, options_.max_backoff, next_random(random_))});
}

void Supervisor::set_options(Options options) {
  options.workers = options_.workers;
  options.parallel = std::max(1U, options.parallel);
  options_ = options;
  runs_.set_timeouts(timeouts_of(options));
  budget_.set_limit(std::size_t{options_.max_restarts} * options_.workers);
}

void Supervisor::start(std::uint64_t now) {
  for (auto& [number, seat] : seats_) fill(number, seat, now);
}

bool Supervisor::may_start() const { return options_.starting == 0 || runs_.count(Phase::starting) < options_.starting; }

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
  const Fork fork = runs_.fork(seat, generation_, now);
  effects_.emplace_back(fork);
  return fork.run;
}

void Supervisor::push(const std::optional<Runs::Effect>& effect) {
  if (effect) std::visit([this](const auto& e) { effects_.emplace_back(e); }, *effect);
}

bool Supervisor::has_lasted(const Run& run, std::uint64_t now) const {
  return run.ready && now - *run.ready >= std::max(options_.restart_window, well_after);
}

Health Supervisor::health(std::uint64_t now) const {
  auto health = Health::well;
  for (const auto& [number, seat] : seats_) {
    const Run* current = seat.current ? find(*seat.current) : nullptr;
    if (seat.failures >= failures_of_a_loop && !(current && has_lasted(*current, now))) return Health::crash_loop;
    if (!current || current->phase != Phase::ready) health = Health::degraded;
  }
  return health;
}

void Supervisor::replace(RunId id, EndCause cause, std::uint64_t now) {
  const Run* run = runs_.find(id);
  if (!going_on() || !run || run->phase != Phase::ready) return;
  const unsigned number = run->seat;
  Seat& seat = seats_.at(number);
  if (seat.current != id || seat.next || now < seat.replaceable_at) return;
  if (now - *run->ready >= well_after) {
    seat.replacements.reset();
  } else if (cause == EndCause::memory || cause == EndCause::hung) {
    // None of its successors will do better.
    ++seat.failures;
  }
  seat.replaceable_at = now + seat.replacements.next();
  seat.replacing = cause;
  seat.next = fork(number, now);
}

void Supervisor::put_down(RunId id, EndCause cause) { push(runs_.kill(id, cause)); }

std::optional<std::string> Supervisor::why_not_reload() const {
  if (state_ == State::reloading) return "a reload is under way";
  if (state_ != State::running) return "it is " + std::string(to_string(state_));
  return std::nullopt;
}

std::optional<std::string> Supervisor::why_not_scale() const {
  if (state_ == State::reloading) return "a reload is under way";
  if (!going_on()) return "it is " + std::string(to_string(state_));
  return std::nullopt;
}

std::optional<std::string> Supervisor::reload(std::uint64_t now) {
  if (auto why_not = why_not_reload()) return why_not;
  state_ = State::reloading;
  ++generation_;
  std::deque<unsigned> numbers;
  for (const auto& [number, seat] : seats_) numbers.push_back(number);
  reload_.emplace(std::move(numbers), options_.parallel, now);
  advance_reload(now);
  return std::nullopt;
}

void Supervisor::advance_reload(std::uint64_t now) {
  while (const auto number = reload_->next()) {
    Seat& seat = seats_.at(*number);
    // One that is just being replaced for another reason is of the old version: it is too late for it.
    if (seat.next) {
      push(runs_.terminate(*std::exchange(seat.next, std::nullopt), EndCause::reload, now));
    }
    seat.retry.reset();
    seat.waits = false;
    seat.replacing = EndCause::reload;
    seat.next = fork(*number, now);
  }
  if (reload_->over()) end_reload(now, "");
}

void Supervisor::end_reload(std::uint64_t now, std::string why) {
  const Rollout reload = *std::exchange(reload_, std::nullopt);
  for (auto& [number, seat] : seats_) {
    if (seat.replacing != EndCause::reload) continue;
    seat.replacing.reset();
    if (!seat.next) continue;
    push(runs_.terminate(*std::exchange(seat.next, std::nullopt), EndCause::reload, now));
    // Nobody sits there, and the one that was to come is not coming.
    if (!seat.current && going_on()) seat.retry = now + seat.backoff.next();
  }
  if (state_ == State::reloading) state_ = State::running;
  effects_.emplace_back(ReloadEnded{reload.result(now, std::move(why))});
}

std::optional<std::string> Supervisor::restart(std::uint64_t now) {
  if (auto why_not = why_not_scale()) return why_not;
  ++generation_;
  for (auto& [number, seat] : seats_) {
    if (seat.next) push(runs_.terminate(*std::exchange(seat.next, std::nullopt), EndCause::restart, now));
    seat.replacing.reset();
    seat.backoff.reset();
    seat.failures = 0;
    if (seat.current) {
      push(runs_.drain(*seat.current, EndCause::restart, now));
    } else {
      seat.retry.reset();
      fill(number, seat, now);
    }
  }
  return std::nullopt;
}

std::optional<std::string> Supervisor::scale(unsigned workers, std::uint64_t now) {
  if (auto why_not = why_not_scale()) return why_not;
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
    if (seat.next) push(runs_.drain(*seat.next, EndCause::scale, now));
    if (seat.current) push(runs_.drain(*seat.current, EndCause::scale, now));
    seats_.erase(std::prev(seats_.end()));
  }
  return std::nullopt;
}

void Supervisor::stop(std::uint64_t now) {
  if (!going_on()) return;
  if (reload_) end_reload(now, "the app was stopped");
  state_ = State::stopping;
  for (auto& [number, seat] : seats_) seat.retry.reset();
  for (const auto& [id, run] : runs_.all()) push(runs_.drain(id, EndCause::stop, now));
  stop_when_empty();
}

void Supervisor::terminate(std::uint64_t now) {
  stop(now);
  for (const auto& [id, run] : runs_.all()) push(runs_.terminate(id, EndCause::stop, now));
}

void Supervisor::kill(std::uint64_t now) {
  stop(now);
  for (const auto& [id, run] : runs_.all()) push(runs_.kill(id, EndCause::stop));
}

void Supervisor::handle_ready(RunId id, std::uint64_t now) {
  if (!runs_.handle_ready(id, now)) return;
  Run& run = runs_.at(id);
  // It may have been silent while it started, for as long as it liked.
  if (run.heard) run.heard = now;
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
  const EndCause cause = seat.replacing.value_or(EndCause::reload);
  const auto old = std::exchange(seat.current, std::exchange(seat.next, std::nullopt));
  seat.replacing.reset();
  if (old) push(runs_.drain(*old, cause, now));
  if (cause == EndCause::reload && reload_) {
    seat.failures = 0;
    reload_->handle_replaced();
    advance_reload(now);
  }
}

void Supervisor::handle_exited(RunId id, ExitStatus status, std::uint64_t now, bool started) {
  const auto ended = runs_.handle_exited(id);
  if (!ended) return;
  const Run& run = *ended;
  const EndCause cause = Runs::cause_of(run, status, started);
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
    const bool of_reload = seat.replacing == EndCause::reload;
    died.successor = seat.current;
    if (of_reload && reload_) {
      effects_.push_back(died);
      seat.replacing.reset();
      if (!seat.current) seat.retry = now + seat.backoff.next();
      end_reload(now, "worker " + std::to_string(run.seat) + " of the new version " + runs_.why_not_ready(run, cause, status));
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

std::optional<std::string> Supervisor::lost_current(Seat& seat, const Run& run, EndCause cause, Died& died, std::uint64_t now) {
  seat.current.reset();
  if (!going_on()) return std::nullopt;
  if (seat.next) {
    // Its successor is on its way already.
    died.successor = seat.next;
    if (seat.replacing != EndCause::reload) {
      seat.current = std::exchange(seat.next, std::nullopt);
      seat.replacing.reset();
    }
    return std::nullopt;
  }
  if (cause == EndCause::restart) {
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

std::optional<std::string> Supervisor::spend_restart(const Run& run, EndCause cause, const ExitStatus& status,
                                                     std::uint64_t now) {
  const std::string worker = "worker " + std::to_string(run.seat);
  if (state_ == State::starting && !run.ready) {
    const unsigned at_a_time = options_.starting == 0 ? options_.workers : std::min(options_.workers, options_.starting);
    if (++failed_starts_ < tries_to_start * at_a_time) return std::nullopt;
    const std::string last = cause == EndCause::not_started ? "could not be started"
                             : run.leaving == EndCause::never_ready
                                 ? "was not ready within " + seconds_text(options_.ready_timeout)
                                 : "ended with " + exit_text(status);
    return "no worker ever became ready: " + worker + " " + last + ", after " + std::to_string(failed_starts_) + " tries";
  }
  if (budget_.spend(now)) return std::nullopt;
  return "more than " + std::to_string(options_.max_restarts * options_.workers) + " restarts within " +
         seconds_text(options_.restart_window) + ": " + worker + " ended last, with " + exit_text(status);
}

void Supervisor::fail(std::string why, std::uint64_t now) {
  if (reload_) end_reload(now, why);
  state_ = State::failed;
  for (auto& [number, seat] : seats_) seat.retry.reset();
  for (const auto& [id, run] : runs_.all()) push(runs_.drain(id, EndCause::stop, now));
  effects_.push_back(Failed{std::move(why)});
}

void Supervisor::stop_when_empty() {
  if (going_on() || state_ == State::stopped || !runs_.empty()) return;
  if (state_ == State::stopping) state_ = State::stopped;
  effects_.push_back(Stopped{});
}

void Supervisor::handle_heard(RunId id, std::uint64_t now) {
  if (Run* run = runs_.find(id)) run->heard = now;
}

void Supervisor::handle_deafness(std::uint64_t now) {
  for (auto& [id, run] : runs_.all()) {
    if (run.heard) run.heard = now;
  }
}

void Supervisor::look(std::uint64_t now) {
  if (looked_ && now - *looked_ > 2 * look_interval) handle_deafness(now);
  looked_ = now;
  if (options_.heartbeat == 0) return;
  for (auto& [id, run] : runs_.all()) {
    if (run.phase != Phase::ready || run.hung || !run.heard || now - *run.heard <= options_.heartbeat) continue;
    run.hung = true;
    effects_.push_back(Hung{id, now - *run.heard});
  }
}

void Supervisor::handle_time(std::uint64_t now) {
  for (const auto& effect : runs_.handle_time(now)) push(effect);
  std::vector<RunId> expired;
  for (auto& [id, run] : runs_.all()) {
    if (!run.expires || *run.expires > now || run.phase != Phase::ready) continue;
    // Not now: it is tried again.
    run.expires = now + 1000;
    expired.push_back(id);
  }
  for (const RunId id : expired) replace(id, EndCause::age, now);
  if (!going_on()) return;
  for (auto& [number, seat] : seats_) {
    if (!seat.retry || *seat.retry > now) continue;
    seat.retry.reset();
    fill(number, seat, now);
  }
}

std::optional<std::uint64_t> Supervisor::next_deadline() const {
  std::optional<std::uint64_t> next = runs_.next_deadline();
  const auto take = [&next](const std::optional<std::uint64_t>& at) {
    if (at && (!next || *at < *next)) next = at;
  };
  for (const auto& [id, run] : runs_.all()) {
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
