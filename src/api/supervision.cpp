// SPDX-License-Identifier: MIT
#include "api/supervision.h"

#include <algorithm>
#include <random>
#include <utility>

#include "api/access.h"
#include "api/drain.h"
#include "api/primary_side.h"
#include "os/process_use.h"

namespace muster::detail {
namespace {

using std::chrono::milliseconds;

// The end of a worker's output comes after its own, mostly at once. A process that it left behind may keep that open for ever.
constexpr milliseconds output_grace{200};

// Who has closed its channel mostly ends.
constexpr milliseconds deaf_grace{1000};

std::uint64_t count(milliseconds time) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.count())); }
std::uint64_t count(const std::optional<milliseconds>& time) { return time ? count(*time) : 0; }

void check(bool right, const char* text) {
  if (!right) throw Exception(Errc::invalid_arg_value, text);
}

SupervisorOptions checked(SupervisorOptions options) {
  check(!options.workers || *options.workers > 0, "SupervisorOptions::workers must be at least 1");
  check(options.parallel > 0, "SupervisorOptions::parallel must be at least 1");
  check(!options.max_starting || *options.max_starting > 0,
        "SupervisorOptions::max_starting must be at least 1; empty for no limit");
  check(!options.max_restarts || *options.max_restarts > 0,
        "SupervisorOptions::max_restarts must be at least 1; empty for no limit");
  for (const auto& time : {options.ready_timeout, options.max_age, options.heartbeat}) {
    check(!time || time->count() > 0, "Times in SupervisorOptions must be more than 0; empty for no limit");
  }
  return options;
}

core::Supervisor::Options core_options(const SupervisorOptions& options) {
  core::Supervisor::Options result;
  result.workers = options.workers.value_or(available_parallelism());
  result.parallel = options.parallel;
  result.starting = options.max_starting.value_or(0);
  result.ready_timeout = count(options.ready_timeout);
  result.backoff = count(options.backoff);
  result.max_backoff = count(options.max_backoff);
  result.max_restarts = options.max_restarts.value_or(0);
  result.restart_window = count(options.restart_window);
  result.max_age = count(options.max_age);
  result.drain_timeout = count(options.drain_timeout);
  result.kill_timeout = count(options.kill_timeout);
  result.heartbeat = count(options.heartbeat);
  return result;
}

std::uint64_t seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

Supervision::Supervision(const std::shared_ptr<ClusterState>& cluster, const SupervisorOptions& options, SupervisorHooks hooks)
    : cluster_(cluster),
      loop_(cluster->loop),
      options_(checked(options)),
      hooks_(std::move(hooks)),
      core_(core_options(options_), seed()),
      deadline_(loop_->loop,
                [this] {
                  core_.handle_time(uv::Loop::now());
                  pump();
                }),
      look_timer_(loop_->loop, [this] { check_progress(); }) {
  // Workers keep the loop alive; to look at them does not.
  look_timer_.unref();
  ++cluster->supervisors;
}

void Supervision::release_cluster() {
  if (!std::exchange(keeps_cluster_, false)) return;
  if (const auto cluster = cluster_.lock()) --cluster->supervisors;
}

void Supervision::abandon() {
  over_ = true;
  release_cluster();
  deadline_.stop();
  look_timer_.stop();
  ready.clear();
  ended.clear();
  hung.clear();
  reloaded.clear();
  failed.clear();
  stopped.clear();
  changed.clear();
  entries_.clear();
}

template <class Emitter, class... A>
void Supervision::tell(Emitter& emitter, A... arguments) {
  loop_->loop.emit([self = shared_from_this(), &emitter, ... arguments = std::move(arguments)] {
    if (!self->over_) emitter.emit(self->loop_->loop, arguments...);
  });
}

void Supervision::start() {
  if (std::exchange(started_, true)) throw Exception(Errc::invalid_arg_value, "Supervisor::start() is called once");
  constexpr milliseconds often(core::Supervisor::look_interval);
  look_timer_.start(often, often);
  core_.start(uv::Loop::now());
  pump();
}

void Supervision::set_options(const SupervisorOptions& options) {
  options_ = checked(options);
  core_.set_options(core_options(options_));
}

void Supervision::reload(Function<void(const RolloutResult&)> done) {
  if (const auto why_not = core_.reload(uv::Loop::now())) {
    RolloutResult refused;
    refused.why = "cannot reload: " + *why_not;
    return loop_->loop.next_tick([done = std::move(done), refused = std::move(refused)]() mutable {
      if (done) done(refused);
    });
  }
  reload_done_ = std::move(done);
  pump();
}

void Supervision::wait_for(unsigned workers, Told done) {
  stop_waiting("another command took its place");
  waiting_done_ = std::move(done);
  waiting_for_ = workers;
  pump();
}

void Supervision::stop_waiting(const std::string& why) {
  if (!waiting_done_) return;
  loop_->loop.next_tick([done = std::exchange(waiting_done_, nullptr), why]() mutable { done(why); });
}

void Supervision::restart(Told done) {
  if (const auto why_not = core_.restart(uv::Loop::now())) {
    return loop_->loop.next_tick([done = std::move(done), why = "cannot restart: " + *why_not]() mutable {
      if (done) done(why);
    });
  }
  wait_for(core_.workers(), std::move(done));
}

void Supervision::scale(unsigned workers, Told done) {
  check(workers > 0, "Supervisor::scale() takes at least 1 worker");
  if (const auto why_not = core_.scale(workers, uv::Loop::now())) {
    return loop_->loop.next_tick([done = std::move(done), why = "cannot scale: " + *why_not]() mutable {
      if (done) done(why);
    });
  }
  options_.workers = workers;
  wait_for(workers, std::move(done));
}

void Supervision::stop() {
  core_.stop(uv::Loop::now());
  pump();
}

void Supervision::terminate() {
  core_.terminate(uv::Loop::now());
  pump();
}

void Supervision::kill() {
  core_.kill(uv::Loop::now());
  pump();
}

void Supervision::replace(const Worker& worker, EndCause cause) {
  if (const auto run = run_of(worker)) core_.replace(*run, cause, uv::Loop::now());
  pump();
}

void Supervision::put_down(const Worker& worker, EndCause cause) {
  if (const auto run = run_of(worker)) core_.put_down(*run, cause);
  pump();
}

void Supervision::set_ready(const Worker& worker) {
  if (const auto run = run_of(worker)) get_ready(*run);
}

void Supervision::hear(const Worker& worker) {
  if (const auto run = run_of(worker)) core_.handle_heard(*run, uv::Loop::now());
}

void Supervision::excuse_silence() { core_.handle_deafness(uv::Loop::now()); }

Health Supervision::health() const { return core_.health(uv::Loop::now()); }

std::vector<Seat> Supervision::seats() const {
  const std::uint64_t now = uv::Loop::now();
  std::vector<Seat> result;
  for (const auto& [number, seat] : core_.seats()) {
    Seat told{number, seat.restarts, {}, !seat.current && !seat.next};
    if (seat.retry) told.next_try = milliseconds(*seat.retry - std::min(*seat.retry, now));
    result.push_back(told);
  }
  return result;
}

std::vector<SupervisedWorker> Supervision::workers() const {
  const std::uint64_t now = uv::Loop::now();
  std::vector<SupervisedWorker> result;
  for (const auto& [id, run] : core_.runs()) {
    if (const auto worker = worker_of(id)) {
      result.push_back({*worker, run.seat, run.generation, run.phase, milliseconds(now - run.started)});
    }
  }
  return result;
}

std::optional<core::RunId> Supervision::run_of(const Worker& worker) const {
  for (const auto& [run, entry] : entries_) {
    if (entry.worker == worker) return run;
  }
  return std::nullopt;
}

std::optional<Worker> Supervision::worker_of(RunId run) const {
  const auto found = entries_.find(run);
  return found == entries_.end() ? std::nullopt : found->second.worker;
}

void Supervision::pump() {
  // What is done may come back here; the outermost call goes on until there is nothing left.
  if (over_ || std::exchange(pumping_, true)) return;
  const auto keep = shared_from_this();
  // As the program's code: what it sets off is told when it has returned.
  loop_->loop.call([this] {
    while (!over_ && !reload_untold_) {
      const auto effect = core_.poll_effect();
      if (!effect) break;
      std::visit([this](const auto& e) { perform(e); }, *effect);
    }
  });
  pumping_ = false;
  if (over_) return;
  deadline_.stop();
  if (const auto at = core_.next_deadline()) {
    const std::uint64_t now = uv::Loop::now();
    deadline_.start(milliseconds(*at > now ? *at - now : 0));
  }
  if (core_.ready() >= waiting_for_ && core_.ready() >= core_.workers()) stop_waiting("");
  tell(changed);
}

void Supervision::perform(const core::Supervisor::Fork& fork) {
  const RunId run = fork.run;
  Entry& entry = entries_[run];
  try {
    const Worker worker = this->fork(fork.seat, fork.generation);
    if (over_) return;
    entry.worker = worker;
    watch(run, worker);
  } catch (const std::exception& error) {
    fail_to_start(run, error.what());
  } catch (...) {
    fail_to_start(run, "the fork threw what is no std::exception");
  }
}

void Supervision::fail_to_start(RunId run, std::string why) {
  if (over_) return;
  entries_.at(run).failure = std::move(why);
  loop_->loop.next_tick([this, keep = shared_from_this(), run] { end(run, ExitStatus::exited(127), false); });
}

Worker Supervision::fork(unsigned seat, unsigned generation) {
  if (hooks_.fork) return hooks_.fork(seat, generation);
  const auto cluster = cluster_.lock();
  if (!cluster) throw Exception(Errc::cluster_closed, "The cluster is gone");
  return cluster->primary()->fork_worker(
      {{"MUSTER_WORKER", std::to_string(seat)}, {"MUSTER_GENERATION", std::to_string(generation)}});
}

void Supervision::watch(RunId run, const Worker& worker) {
  const Process process = worker.process();
  Entry& entry = entries_.at(run);
  auto& subscriptions = entry.subscriptions;
  switch (options_.readiness) {
    case Readiness::listening:
      subscriptions.emplace_back(worker.on_listening([this, run](const Address&) { get_ready(run); }));
      break;
    case Readiness::online: subscriptions.emplace_back(worker.on_online([this, run] { get_ready(run); })); break;
    case Readiness::told: break;
  }
  if (process.pid() == 0) {
    // It could not be started, and no exit follows.
    subscriptions.emplace_back(worker.on_error([this, run, &entry](const Error& error) {
      entry.failure = error.message;
      end(run, ExitStatus::exited(127), false);
    }));
    return;
  }
  subscriptions.emplace_back(worker.on_listening([&entry](const Address&) { entry.listens = true; }));
  subscriptions.emplace_back(worker.on_disconnect([this, run, &entry] {
    // A program that has no server here may do without its channel.
    if (!entry.listens) return;
    entry.deaf = std::make_unique<uv::Timer>(loop_->loop, [this, run] { replace_deaf(run); });
    // Again and again: what takes its place may not come up.
    entry.deaf->start(deaf_grace, deaf_grace);
  }));
  subscriptions.emplace_back(process.on_close([this, run](ExitStatus status) { end(run, status, true); }));
  subscriptions.emplace_back(process.on_exit([this, run, &entry](ExitStatus status) {
    entry.ending = std::make_unique<uv::Timer>(loop_->loop, [this, run, status] { end(run, status, true); });
    entry.ending->start(output_grace);
  }));
}

// It can be dealt no connection, and does not end.
void Supervision::replace_deaf(RunId run) {
  entries_.at(run).failure = "it closed its channel and lived on";
  core_.replace(run, EndCause::hung, uv::Loop::now());
  pump();
}

void Supervision::get_ready(RunId run) {
  const auto keep = shared_from_this();
  const auto* known = core_.find(run);
  if (over_ || !known || known->phase != WorkerPhase::starting) return;
  core_.handle_ready(run, uv::Loop::now());
  if (const auto worker = worker_of(run)) tell(ready, *worker);
  pump();
}

void Supervision::end(RunId run, ExitStatus status, bool started) {
  if (over_ || !core_.find(run)) return;
  core_.handle_exited(run, status, uv::Loop::now(), started);
  pump();
}

void Supervision::perform(const core::Supervisor::Drain& drain) {
  const auto worker = worker_of(drain.run);
  if (!worker) return;
  if (hooks_.drain) {
    loop_->loop.call([&] { hooks_.drain(*worker); });
  } else {
    drain_worker(*worker, options_.drain_timeout);
  }
}

void Supervision::perform(const core::Supervisor::Terminate& terminate) {
  if (const auto worker = worker_of(terminate.run)) worker->kill(Signal::term);
}

void Supervision::perform(const core::Supervisor::Kill& kill) {
  if (const auto worker = worker_of(kill.run)) worker->kill(Signal::kill);
}

void Supervision::perform(const core::Supervisor::Hung& hung) {
  const auto worker = worker_of(hung.run);
  if (!worker || this->hung.empty()) return core_.put_down(hung.run, EndCause::hung);
  tell(this->hung, *worker, milliseconds(hung.silence));
}

void Supervision::perform(const core::Supervisor::Died& died) {
  WorkerEnd end;
  if (auto entry = entries_.extract(died.run)) {
    end.worker = entry.mapped().worker;
    end.failure = std::move(entry.mapped().failure);
  }
  end.seat = died.seat;
  end.cause = died.cause;
  end.status = died.status;
  end.was_ready = died.was_ready;
  end.lived = milliseconds(died.lived);
  if (died.successor) end.successor = worker_of(*died.successor);
  if (died.next_try) end.next_try = milliseconds(*died.next_try);
  tell(ended, std::move(end));
}

void Supervision::perform(const core::Supervisor::ReloadEnded& ended) {
  tell(reloaded, ended.result);
  // What is started from here on is started as the listeners leave it: with the old settings again, where it was abandoned.
  reload_untold_ = true;
  loop_->loop.next_tick([self = shared_from_this()] {
    self->reload_untold_ = false;
    self->pump();
  });
  if (!reload_done_) return;
  loop_->loop.next_tick([done = std::exchange(reload_done_, nullptr), result = ended.result]() mutable { done(result); });
}

void Supervision::perform(const core::Supervisor::Failed& failed) {
  stop_waiting(failed.why);
  tell(this->failed, failed.why);
}

void Supervision::perform(const core::Supervisor::Stopped&) {
  release_cluster();
  look_timer_.stop();
  stop_waiting("the supervisor was stopped");
  tell(stopped);
}

void Supervision::check_progress() {
  core_.look(uv::Loop::now());
  if (options_.max_memory) {
    for (const auto& [run, entry] : entries_) {
      if (!entry.worker) continue;
      const auto use = os::process_use(entry.worker->process().pid());
      if (use && use->memory > *options_.max_memory) core_.replace(run, EndCause::memory, uv::Loop::now());
    }
  }
  pump();
}

}  // namespace muster::detail
