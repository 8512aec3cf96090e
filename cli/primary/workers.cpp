// SPDX-License-Identifier: MIT
#include "primary/workers.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <random>
#include <set>
#include <utility>

#include <fmt/core.h>

#include "config/config.h"
#include "config/listen_url.h"
#include "os/acting_as.h"
#include "primary/own_servers.h"
#include "primary/stack.h"
#include "primary/worker_settings.h"
#include "show/units_text.h"
#include "show/view.h"
#include "states.h"

namespace muster::cli {
namespace {

// The interval at which a starting worker's own servers are looked for doubles from the first to the second.
constexpr Milliseconds shortest_look{20}, longest_look{1'000};

// How many senders are remembered between two looks.
constexpr std::size_t max_notifiers = 256;

using State = SupervisorState;
using Phase = WorkerPhase;

constexpr Milliseconds look_interval{1'000};
// So many start at a time on the smallest machine. More would only keep each other from starting.
constexpr unsigned fewest_starting = 8;

std::optional<Milliseconds> limit(Milliseconds time) { return time.count() > 0 ? std::optional(time) : std::nullopt; }

SupervisorOptions options_of(const AppConfig& config) {
  SupervisorOptions options;
  options.workers = config.workers > 0 ? config.workers : available_parallelism();
  options.parallel = std::max(1U, config.parallel);
  options.max_starting = std::max(fewest_starting, 4 * available_parallelism());
  options.readiness = muster::Readiness::told;
  options.ready_timeout = limit(config.ready_timeout);
  options.backoff = config.backoff;
  options.max_backoff = config.max_backoff;
  if (options.max_restarts = config.max_restarts; config.max_restarts == 0) options.max_restarts.reset();
  options.restart_window = config.restart_window;
  options.max_age = limit(config.max_age);
  options.drain_timeout = config.drain_timeout;
  options.kill_timeout = config.kill_timeout;
  options.heartbeat = limit(config.heartbeat);
  return options;
}

// As the setting calls it.
std::string name_of(SchedulingPolicy policy) {
  AppConfig config;
  config.policy = policy;
  return find_setting("policy")->get(config).front();
}

void pin(int pid, unsigned seat) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  std::vector<int> processors;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) processors.push_back(cpu);
  }
  if (processors.empty()) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processors[(seat - 1) % processors.size()], &one);
  sched_setaffinity(pid, sizeof one, &one);
}

// `more` is a WorkerStatus or a Totals.
void add(Totals& totals, const auto& more) {
  const auto add_one = [](auto& total, const auto& count) {
    if (count) total = total.value_or(0) + *count;
  };
  add_one(totals.accepted, more.accepted);
  add_one(totals.requests, more.requests);
  add_one(totals.messages, more.messages);
}

int parent_of(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("PPid:")) return std::atoi(line.c_str() + 5);
  }
  return 0;
}

}  // namespace

Workers::Workers(Loop& loop, Cluster& cluster, Log& log, AppConfig config, WorkerFiles& files, Events events)
    : loop_(loop),
      cluster_(cluster),
      log_(log),
      config_(std::move(config)),
      files_(files),
      events_(std::move(events)),
      supervisor_(cluster, options_of(config_),
                  {.fork = [this](unsigned seat, unsigned generation) { return fork(seat, generation); },
                   .drain = [this](const Worker& worker) { drain(worker); }}) {
  supervisor_.on_ready([this](Worker worker) { handle_ready(std::move(worker)); });
  supervisor_.on_end([this](const WorkerEnd& end) { handle_end(end); });
  supervisor_.on_hang([this](Worker worker, Milliseconds silence) { handle_hang(std::move(worker), silence); });
  supervisor_.on_reload([this](const RolloutResult& result) { handle_reload(result); });
  supervisor_.on_fail([this](const std::string& why) {
    failed_ = why;
    say("the app has failed: " + why);
  });
  supervisor_.on_stop([this] { handle_stop(); });
  supervisor_.on_change([this] { handle_change(); });
  open_notify_socket();
}

void Workers::open_notify_socket() {
  notify_.reset();
  if (files_.folder().empty()) return;
  notify_ = std::make_unique<NotifySocket>(loop_, files_.notify_socket(),
                                           [this](int pid, Notification said) { hear_notification(pid, said); });
}

void Workers::restore_files() {
  const std::string before = files_.folder();
  if (!files_.restore() || (notify_ && notify_->is_there())) return;
  if (!before.empty()) say(fmt::format("somebody has removed {}; it is made again", before));
  open_notify_socket();
  supervisor_.excuse_silence();
}

Workers::~Workers() {
  look_timer_.cancel();
  release_timer_.cancel();
}

std::string Workers::start() {
  if (std::string error = listen_sockets_.open(config_.listen); !error.empty()) return error;
  cluster_.keep_ports();
  cluster_.set_scheduling_policy(config_.policy);
  try {
    set_worker_settings();
  } catch (const std::exception& error) {
    return error.what();
  }
  // Before the supervisor looks who hangs: nobody can be heard while the notify socket is gone.
  look_timer_ = loop_.set_interval(look_interval, [this] { check_progress(); });
  supervisor_.start();
  return {};
}

void Workers::set_worker_settings() {
  agent_ = loads_agent(config_) ? files_.agent() : "";
  cluster_.setup_primary(worker_settings(config_, listen_sockets_, agent_));
}

void Workers::handle_change() {
  // What a worker listened on that has died is its successor's, if that wants it.
  if (complete() && !std::exchange(was_complete_, complete())) release_ports_later();
  was_complete_ = complete();
  if (events_.changed) events_.changed();
}

void Workers::release_ports_later() {
  release_timer_.cancel();
  release_timer_ = loop_.set_timeout(config_.drain_timeout, [this, alive = std::weak_ptr(alive_)] {
    if (alive.lock() && state() == State::running && complete()) cluster_.release_unused_ports();
  });
  release_timer_.unref();
}

Worker Workers::fork(unsigned seat, unsigned generation) {
  restore_files();
  if (loads_agent(config_) && files_.agent() != agent_) set_worker_settings();
  const auto reopened = listen_sockets_.reopen_shut_down(config_.listen);
  if (!reopened.error.empty()) say(reopened.error);
  if (reopened.any) set_worker_settings();
  // What throws is for settings that cannot be: said before, by resolve(); what is left is a variable with a NUL.
  Worker worker = cluster_.fork(worker_environment(config_, seat, generation, notify_ ? notify_->path() : ""));
  const int id = worker.id();
  WorkerProcess::Events events;
  events.line = [this, id, seat](bool error, std::string_view line) {
    const WorkerProcess* process = find(id);
    log_.write({0, error ? LogLine::Stream::err : LogLine::Stream::out, seat, process ? process->pid() : 0, std::string(line)});
  };
  events.ready = [this, worker] {
    if (config_.ready == ReadySign::automatic || config_.ready == ReadySign::listening) supervisor_.set_ready(worker);
  };
  events.refused = [this, id](const Error& error) {
    const WorkerProcess* process = find(id);
    if (!process) return;
    const std::string where = error.port ? std::to_string(*error.port) : error.address.empty() ? "" : "unix:" + error.address;
    say(fmt::format("worker {} (pid {}): {}{}", process->seat(), process->pid(), error.message,
                    where.empty() ? "" : fmt::format("; --may-listen {} allows it", where)));
  };
  events.heard = [this, worker] { supervisor_.hear(worker); };
  events.message = [this, worker](std::string_view text) {
    if (config_.ready == ReadySign::message && text == "ready") supervisor_.set_ready(worker);
  };
  auto process = std::make_unique<WorkerProcess>(worker, seat, std::move(events));
  process->started_at = now_ms();
  // Every so many requests, a tenth more for some: those that began together need not end together.
  if (config_.max_requests > 0) {
    process->max_requests =
        config_.max_requests + std::uniform_int_distribution<std::uint64_t>(0, config_.max_requests / 10)(random_);
  }
  const int pid = process->pid();
  processes_[id] = std::move(process);
  if (config_.pin && pid > 0) pin(pid, seat);
  // Programs under other interpreters, such as Bun.serve(), may listen without telling the primary.
  const bool by_listening = config_.ready == ReadySign::automatic || config_.ready == ReadySign::listening;
  if (by_listening && !is_plain() && !config_.interpreter.empty() && !loads_agent(config_)) {
    look_for_servers(id, shortest_look);
  }
  // A program without a channel that does not say READY=1 is believed when it has lived for a while.
  if (config_.ready == ReadySign::delay || (is_plain() && config_.ready == ReadySign::automatic)) {
    loop_.set_timeout(config_.ready_delay, [this, worker, alive = std::weak_ptr(alive_)] {
      if (alive.lock()) supervisor_.set_ready(worker);
    });
  }
  return worker;
}

bool Workers::is_starting(int id) const {
  const auto workers = supervisor_.workers();
  return std::any_of(workers.begin(), workers.end(),
                     [id](const SupervisedWorker& known) { return known.worker.id() == id && known.phase == Phase::starting; });
}

void Workers::look_for_servers(int id, Milliseconds wait) {
  loop_.set_timeout(wait, [this, id, wait, alive = std::weak_ptr(alive_)] {
    if (!alive.lock()) return;
    const WorkerProcess* process = find(id);
    if (!process || !is_starting(id)) return;
    // The worker decides how long this takes, so it runs in another thread.
    auto found = std::make_shared<std::vector<Address>>();
    loop_.run_in_thread([found, pid = process->pid()] { *found = own_servers(pid); },
                        [this, id, wait, found, alive](std::error_code) {
                          if (!alive.lock()) return;
                          for (const Address& address : *found) {
                            if (WorkerProcess* process = find(id)) process->find_listening(address);
                          }
                          look_for_servers(id, std::min(2 * wait, longest_look));
                        });
  });
}

void Workers::handle_ready(Worker worker) {
  WorkerProcess* process = find(worker.id());
  if (!process) return;
  say(fmt::format("worker {} (pid {}) is ready", process->seat(), process->pid()));
  // So that its memory is known at once.
  process->look();
}

void Workers::hear_notification(int pid, Notification said) {
  // Anybody may write to the socket, and process_of() reads several files: each sender is looked up once between two looks.
  if (notifiers_.size() >= max_notifiers) notifiers_.clear();
  const auto [known, added] = notifiers_.try_emplace(pid);
  if (added) {
    const WorkerProcess* sender = process_of(pid);
    known->second = sender ? sender->id() : 0;
  }
  WorkerProcess* process = find(known->second);
  if (!process) return;
  const Worker worker = process->worker();
  if (said.ready && (config_.ready == ReadySign::notify || config_.ready == ReadySign::automatic))
    supervisor_.set_ready(worker);
  if (said.watchdog) supervisor_.hear(worker);
}

WorkerProcess* Workers::process_of(int pid) const {
  for (int depth = 0; pid > 1 && depth < 8; ++depth, pid = parent_of(pid)) {
    for (const auto& [id, process] : processes_) {
      if (process->pid() == pid) return process.get();
    }
  }
  return nullptr;
}

WorkerProcess* Workers::find(int id) const {
  const auto found = processes_.find(id);
  return found == processes_.end() ? nullptr : found->second.get();
}

void Workers::drain(const Worker& worker) {
  // A program that does not speak on its channel, or has a server that the channel does not close, is asked the way programs
  // are asked; so is one that has no server.
  const WorkerProcess* process = find(worker.id());
  const bool would_leave = worker.is_online() && config_.ready != ReadySign::delay && !(process && process->serves_apart());
  if (would_leave) {
    worker.disconnect();
  } else {
    worker.kill(Signal::term);
  }
}

void Workers::handle_end(const WorkerEnd& end) {
  const auto node = processes_.extract(end.worker ? end.worker->id() : 0);
  const WorkerProcess* process = node ? node.mapped().get() : nullptr;
  const Obituary& obituary = obituaries_.write(end, process);
  const bool expected = end.cause == EndCause::reload || end.cause == EndCause::scale || end.cause == EndCause::stop;
  if (!expected) say(obituary_headline(obituary) + "; " + obituary.done);
  if (process) add(ended_totals_[end.seat], process->status());
}

void Workers::handle_reload(const RolloutResult& result) {
  const std::string took = duration_text(result.took.count());
  if (result.ok()) {
    ++reloads_;
    last_reload_ = fmt::format("{} replaced in {}", counted(result.replaced, "worker"), took);
    before_reload_.reset();
    listen_sockets_.keep_only(config_.listen);
    // What only the old version listened on goes with its last worker.
    release_ports_later();
  } else {
    ++failed_reloads_;
    last_reload_ = fmt::format("abandoned after {}: {}", took, result.why);
    if (result.replaced > 0) last_reload_ += fmt::format("; {} of {} were replaced before", result.replaced, result.wanted);
    if (before_reload_) {
      config_ = *std::exchange(before_reload_, std::nullopt);
      supervisor_.set_options(options_of(config_));
      try {
        set_worker_settings();
      } catch (const std::exception& error) {
        say(fmt::format("the old settings cannot be had again: {}", error.what()));
      }
      listen_sockets_.keep_only(config_.listen);
    }
    last_reload_ += "; the old version goes on";
    for (const std::string& line : obituaries_.last_words()) last_reload_ += "\n  " + line;
  }
  say("reload: " + last_reload_);
  if (reload_done_) finish(reload_done_, result.ok(), last_reload_);
  const unsigned wanted = config_.workers > 0 ? config_.workers : available_parallelism();
  if (result.ok() && wanted != supervisor_.wanted()) supervisor_.scale(wanted);
}

void Workers::handle_stop() {
  look_timer_.cancel();
  events_.stopped(failed_.empty() ? std::nullopt : std::optional(failed_));
}

void Workers::finish(Done& done, bool ok, std::string text) {
  if (Done call = std::exchange(done, nullptr)) call(Outcome{ok, std::move(text)});
}

void Workers::reload(AppConfig config, Done done) {
  if (const std::string why_not = supervisor_.why_not_reload(); !why_not.empty()) {
    // A signal has nobody else to tell.
    say("cannot reload: " + why_not);
    return finish(done, false, "cannot reload: " + why_not);
  }
  if (std::string error = listen_sockets_.open(config.listen); !error.empty()) return finish(done, false, error);
  before_reload_ = std::exchange(config_, std::move(config));
  try {
    set_worker_settings();
  } catch (const std::exception& error) {
    config_ = *std::exchange(before_reload_, std::nullopt);
    return finish(done, false, error.what());
  }
  supervisor_.set_options(options_of(config_));
  reload_done_ = std::move(done);
  say("reloading");
  supervisor_.reload();
}

Function<void(const std::string&)> Workers::report_to(Done done) {
  return [this, alive = std::weak_ptr(alive_), done = std::move(done)](const std::string& why) mutable {
    if (!alive.lock()) return;
    finish(done, why.empty(), why.empty() ? fmt::format("{} of {} workers are ready", ready(), wanted()) : why);
  };
}

void Workers::restart(Done done) {
  if (supervisor_.why_not_scale().empty()) say("restarting");
  supervisor_.restart(report_to(std::move(done)));
}

void Workers::scale(unsigned workers, Done done) {
  if (supervisor_.why_not_scale().empty()) {
    config_.workers = workers;
    say(fmt::format("scaling to {}", counted(workers, "worker")));
  }
  supervisor_.scale(workers, report_to(std::move(done)));
}

void Workers::stop() {
  if (state() == State::stopping || state() == State::stopped || state() == State::failed) return;
  // Who is in the queue of a port is served before it is closed.
  listen_sockets_.keep_only({});
  const auto go_on = [this, alive = std::weak_ptr(alive_)] {
    if (!alive.lock()) return;
    supervisor_.stop();
  };
  cluster_.stop_listening(go_on);
  say("stopping");
  // A worker that hangs takes none of them.
  loop_.set_timeout(config_.kill_timeout, go_on);
}

void Workers::terminate() { supervisor_.terminate(); }
void Workers::kill() { supervisor_.kill(); }

void Workers::check_progress() {
  notifiers_.clear();
  restore_files();
  log_.restore();
  for (const SupervisedWorker& known : supervisor_.workers()) {
    WorkerProcess* process = find(known.worker.id());
    if (!process) continue;
    process->look();
    if (known.phase == Phase::ready) check_limits(known, *process);
  }
  handle_change();
}

void Workers::check_limits(const SupervisedWorker& known, WorkerProcess& process) {
  if (config_.max_memory > 0 && process.memory() > config_.max_memory) {
    process.detail = fmt::format("used {} of {}", bytes_text(process.memory()), bytes_text(config_.max_memory));
    supervisor_.replace(known.worker, EndCause::memory);
  } else if (process.max_requests > 0 && process.requests() >= process.max_requests) {
    process.detail = fmt::format("answered {} requests", process.requests());
    supervisor_.replace(known.worker, EndCause::requests);
  }
}

void Workers::handle_hang(Worker worker, Milliseconds silence) {
  WorkerProcess* hung = find(worker.id());
  if (!hung) return supervisor_.put_down(worker, EndCause::hung);
  hung->detail = fmt::format("nothing was heard of it for {}", duration_text(silence.count()));
  say(fmt::format("worker {} (pid {}) hangs: {}; it is looked at and killed", hung->seat(), hung->pid(), hung->detail));
  capture_stack(loop_, hung->pid(), worker_uid(config_), worker_gid(config_),
                [this, worker, alive = std::weak_ptr(alive_)](const std::string& stack) {
                  WorkerProcess* process = alive.lock() ? find(worker.id()) : nullptr;
                  if (!process) return;
                  if (!stack.empty()) {
                    process->detail += "\n" + stack;
                    say(fmt::format("the stack of worker {}:\n{}", process->seat(), stack));
                  }
                  supervisor_.put_down(worker, EndCause::hung);
                });
}

AppStatus Workers::status() const {
  AppStatus status;
  status.name = config_.name;
  status.app = config_.app;
  status.cwd = config_.cwd;
  status.state = app_state(state(), supervisor_.health());
  status.why = failed_;
  status.policy = is_plain() ? "shared" : name_of(cluster_.scheduling_policy());
  status.workers_wanted = wanted();
  status.at = now_ms();
  status.restarts = supervisor_.restarts();
  status.reloads = reloads_;
  status.failed_reloads = failed_reloads_;
  status.last_reload = last_reload_.substr(0, last_reload_.find('\n'));
  status.obituaries.assign(obituaries_.latest().begin(), obituaries_.latest().end());
  status.ended = obituaries_.ended();
  std::map<unsigned, Totals> totals = ended_totals_;
  std::set<std::string> listening;
  for (const std::string& url : config_.listen) listening.insert(listen_sockets_.bound_url(url));
  std::map<unsigned, unsigned> restarts;
  for (const Seat& seat : supervisor_.seats()) {
    restarts[seat.number] = seat.restarts;
    if (!seat.empty) continue;
    WorkerStatus worker;
    worker.seat = seat.number;
    worker.state = waiting_state;
    worker.restarts = seat.restarts;
    if (seat.next_try) worker.next_try_in = seat.next_try->count();
    status.workers.push_back(std::move(worker));
  }
  for (const SupervisedWorker& known : supervisor_.workers()) {
    const WorkerProcess* process = find(known.worker.id());
    WorkerStatus worker = process ? process->status() : WorkerStatus{};
    if (process) {
      add(totals[known.seat], worker);
      worker.pid = process->pid();
      worker.id = process->id();
      worker.started_at = process->started_at;
      listening.insert(process->listening().begin(), process->listening().end());
    }
    worker.seat = known.seat;
    worker.state = worker_state(known.phase);
    worker.generation = known.generation;
    worker.uptime = known.uptime.count();
    if (const auto seat = restarts.find(known.seat); seat != restarts.end()) worker.restarts = seat->second;
    status.workers.push_back(std::move(worker));
  }
  std::stable_sort(status.workers.begin(), status.workers.end(),
                   [](const WorkerStatus& a, const WorkerStatus& b) { return a.seat < b.seat; });
  for (auto& [number, of_seat] : totals) {
    of_seat.seat = number;
    add(status.totals, of_seat);
    if (restarts.contains(number)) status.seats.push_back(of_seat);
  }
  status.listening.assign(listening.begin(), listening.end());
  return status;
}

}  // namespace muster::cli
