#include "primary/supervisor.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>
#include <utility>

#include <fmt/core.h>

#include "config/config.h"
#include "config/listen_url.h"
#include "os/acting_as.h"
#include "primary/own_servers.h"
#include "primary/process_use.h"
#include "primary/stack.h"
#include "primary/users.h"
#include "show/units_text.h"
#include "show/view.h"

namespace muster::cli {
namespace {

// The interval at which a starting worker's own servers are looked for doubles from the first to the second.
constexpr Milliseconds shortest_look{20}, longest_look{1'000};

// How many senders are remembered between two looks.
constexpr std::size_t max_notifiers = 256;

using State = core::Supervisor::State;
using Phase = core::Supervisor::Phase;
using Cause = core::Supervisor::Cause;

constexpr std::size_t obituaries_kept = 100;
constexpr std::size_t max_message_size = 256 << 10;
constexpr std::size_t max_message_values = 1 << 16;
// What one that does not read is told is refusals.
constexpr std::size_t max_queue_size = std::size_t{1} << 20;
constexpr Milliseconds look_interval(core::Supervisor::look_interval);
// So many start at a time on the smallest machine. More would only keep each other from starting.
constexpr unsigned fewest_starting = 8;

std::uint64_t ms(Milliseconds time) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.count())); }

core::SupervisorOptions options_of(const AppConfig& config) {
  core::SupervisorOptions options;
  options.workers = config.workers > 0 ? config.workers : available_parallelism();
  options.parallel = config.parallel;
  options.starting = std::max(fewest_starting, 4 * available_parallelism());
  options.ready_timeout = ms(config.ready_timeout);
  options.backoff = ms(config.backoff);
  options.max_backoff = ms(config.max_backoff);
  options.max_restarts = config.max_restarts;
  options.restart_window = ms(config.restart_window);
  options.max_age = ms(config.max_age);
  options.drain_timeout = ms(config.drain_timeout);
  options.kill_timeout = ms(config.kill_timeout);
  options.heartbeat = ms(config.heartbeat);
  return options;
}

std::string_view state_of(Phase phase) {
  switch (phase) {
    case Phase::starting: return "starting";
    case Phase::ready: return "ready";
    case Phase::draining: return "draining";
    case Phase::terminating:
    case Phase::killing: return "stopping";
  }
  return "";
}

// As the setting calls it.
std::string name_of(SchedulingPolicy policy) {
  AppConfig config;
  config.policy = policy;
  return find_setting("policy")->get(config).front();
}

// Only Node loads the agent.
bool is_node(const std::string& interpreter) {
  const std::string name = interpreter.substr(interpreter.rfind('/') + 1);
  return name.starts_with("node");
}

// The user and group of workers; empty when they are this process's.
std::optional<int> worker_uid(const AppConfig& config) { return config.user.empty() ? std::nullopt : user_id(config.user); }
std::optional<int> worker_gid(const AppConfig& config) {
  if (!config.group.empty()) return group_id(config.group);
  return config.user.empty() ? std::nullopt : group_of(config.user);
}

// Of the programs of that name on this process's PATH, the first that the user may run: it has a PATH of its own.
std::string program_for_user(const AppConfig& config, const std::string& program) {
  if (config.user.empty() || program.empty() || program.find('/') != std::string::npos) return program;
  const os::ActingAs acting(worker_uid(config), worker_gid(config));
  const std::string found = acting.error() == 0 ? find_program(program, own_environment(), config.cwd) : "";
  return found.empty() ? program : found;
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

Supervisor::Supervisor(Loop& loop, Cluster& cluster, Log& log, AppConfig config, WorkerFiles& files, Events events)
    : loop_(loop),
      cluster_(cluster),
      log_(log),
      config_(std::move(config)),
      files_(files),
      events_(std::move(events)),
      random_(static_cast<std::uint64_t>(now_ms()) * 1000 + static_cast<std::uint64_t>(getpid())) {
  core_ = std::make_unique<core::Supervisor>(options_of(config_), core::next_random(random_));
  open_notify_socket();
}

void Supervisor::open_notify_socket() {
  notify_.reset();
  if (files_.folder().empty()) return;
  notify_ = std::make_unique<NotifySocket>(loop_, files_.notify_socket(),
                                           [this](int pid, Notification said) { hear_notification(pid, said); });
}

void Supervisor::restore_files() {
  const std::string before = files_.folder();
  if (!files_.restore() || (notify_ && notify_->is_there())) return;
  if (!before.empty()) say(fmt::format("somebody has removed {}; it is made again", before));
  open_notify_socket();
  core_->handle_deafness(now());
}

Supervisor::~Supervisor() {
  deadline_.cancel();
  look_timer_.cancel();
  release_timer_.cancel();
}

std::uint64_t Supervisor::now() const {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<Milliseconds>(Clock::now().time_since_epoch()).count());
}

std::string Supervisor::start() {
  if (std::string error = listen_sockets_.open(config_.listen); !error.empty()) return error;
  cluster_.keep_ports();
  cluster_.set_scheduling_policy(config_.policy);
  try {
    set_worker_settings();
  } catch (const std::exception& error) {
    return error.what();
  }
  look_timer_ = loop_.set_interval(look_interval, [this] { look(); });
  core_->start(now());
  pump();
  return {};
}

void Supervisor::configure() { core_->set_options(options_of(config_)); }

void Supervisor::set_worker_settings() {
  using Kind = StdioEntry::Kind;
  Settings settings;
  const std::string app = program_for_user(config_, config_.app), interpreter = program_for_user(config_, config_.interpreter);
  settings.cwd = config_.cwd;
  settings.exec = app;
  settings.args = config_.args;
  settings.exec_path = interpreter;
  settings.exec_argv = config_.interpreter_args;
  Stdio stdio{{Kind::ignore}, {Kind::pipe}, {Kind::pipe}};
  if (is_plain()) {
    // The program is started by this one, which sets up what has to be set up in its process. The channel, which it does not
    // speak, comes after the sockets and is closed there.
    std::vector<std::string> command;
    if (!interpreter.empty()) {
      command.push_back(interpreter);
      command.insert(command.end(), config_.interpreter_args.begin(), config_.interpreter_args.end());
    }
    command.push_back(app);
    command.insert(command.end(), config_.args.begin(), config_.args.end());
    command.insert(command.begin(), {"__exec", std::to_string(getpid()), std::to_string(config_.listen.size()), "--"});
    settings.exec = "/proc/self/exe";
    settings.exec_path = "";
    settings.exec_argv.emplace();
    settings.args = std::move(command);
    for (const std::string& url : config_.listen) stdio.push_back({Kind::descriptor, listen_sockets_.descriptor(url)});
    stdio.push_back({Kind::ipc});
  } else {
    agent_ = is_node(config_.interpreter) ? files_.agent() : "";
    if (!agent_.empty()) settings.exec_argv->insert(settings.exec_argv->begin(), {"--require", agent_});
    stdio.push_back({Kind::ipc});
    stdio.push_back({Kind::pipe});
  }
  settings.stdio = std::move(stdio);
  // Also where there was another one before.
  settings.uid = static_cast<int>(geteuid());
  settings.gid = static_cast<int>(getegid());
  if (!config_.user.empty()) {
    settings.uid = worker_uid(config_);
    settings.gid = worker_gid(config_);
    if (!settings.uid) throw std::runtime_error(fmt::format("there is no user \"{}\"", config_.user));
  }
  if (!config_.group.empty()) {
    settings.gid = group_id(config_.group);
    if (!settings.gid) throw std::runtime_error(fmt::format("there is no group \"{}\"", config_.group));
  }
  settings.may_listen.emplace();
  for (const std::string& text : config_.may_listen) {
    if (const auto options = parse_may_listen(text)) settings.may_listen->push_back(*options);
  }
  settings.no_new_privileges = config_.no_new_privileges;
  settings.kill_with_primary = true;
  // What it reads of them is short: `ready`, and what cluster says. The rest it lets go by.
  settings.max_message_size = max_message_size;
  settings.max_message_values = max_message_values;
  settings.skip_large_messages = true;
  settings.max_queue_size = max_queue_size;
  cluster_.setup_primary(settings);
}

Env Supervisor::environment(unsigned seat, unsigned generation) const {
  Env env = config_.user.empty() ? Env() : environment_of(config_.user);
  // The service manager is the primary's to talk to.
  env["NOTIFY_SOCKET"] = notify_ && !notify_->path().empty() ? std::optional(notify_->path()) : std::nullopt;
  for (const char* name : {"WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"})
    env[name] = std::nullopt;
  env["MUSTER_APP"] = config_.name;
  env["MUSTER_WORKER"] = std::to_string(seat);
  env["MUSTER_GENERATION"] = std::to_string(generation);
  // PM2's, for programs that do something in one worker only.
  env["NODE_APP_INSTANCE"] = std::to_string(seat - 1);
  if (!is_plain()) {
    env["MUSTER_REPORT_FD"] = std::to_string(report_descriptor);
    // Thrice before it is missed.
    const auto often = config_.heartbeat / 3;
    env["MUSTER_REPORT_EVERY"] =
        std::to_string(often.count() > 0 ? std::clamp(often, Milliseconds(20), Milliseconds(look_interval)).count() : 1000);
    env["MUSTER_DRAIN_TIMEOUT"] = std::to_string(config_.drain_timeout.count());
  }
  for (const auto& [name, value] : config_.env) env[name] = value;
  return env;
}

void Supervisor::pump() {
  // What is done may come back here; the outermost call goes on until there is nothing left.
  if (std::exchange(pumping_, true)) return;
  while (const auto effect = core_->poll_effect()) perform(*effect);
  pumping_ = false;
  deadline_.cancel();
  if (const auto at = core_->next_deadline()) {
    const std::uint64_t time = now();
    deadline_ = loop_.set_timeout(Milliseconds(*at > time ? *at - time : 0), [this] {
      core_->handle_time(now());
      pump();
    });
  }
  if (waiting_ && core_->ready() >= waiting_->second && complete()) {
    Done done = std::move(waiting_->first);
    waiting_.reset();
    finish(done, true, fmt::format("{} of {} workers are ready", core_->ready(), core_->workers()));
  }
  // What a worker listened on that has died is its successor's, if that wants it.
  if (complete() && !std::exchange(was_complete_, complete())) release_ports_later();
  was_complete_ = complete();
  if (events_.changed) events_.changed();
}

void Supervisor::release_ports_later() {
  release_timer_.cancel();
  release_timer_ = loop_.set_timeout(config_.drain_timeout, [this, alive = std::weak_ptr(alive_)] {
    if (alive.lock() && core_->state() == State::running && complete()) cluster_.release_unused_ports();
  });
  release_timer_.unref();
}

void Supervisor::perform(const core::Supervisor::Effect& effect) {
  std::visit([this](const auto& e) { perform(e); }, effect);
}

void Supervisor::perform(const core::Supervisor::Fork& fork) {
  const Run run = fork.run;
  started_at_[run] = now_ms();
  // Every so many requests, a tenth more for some: those that began together need not end together.
  if (config_.max_requests > 0) {
    request_limits_[run] = config_.max_requests + core::next_random(random_) % (config_.max_requests / 10 + 1);
  }
  std::optional<Worker> worker;
  try {
    restore_files();
    if (!agent_.empty() && files_.agent() != agent_) set_worker_settings();
    worker = cluster_.fork(environment(fork.seat, fork.generation));
  } catch (const std::exception& error) {
    // Settings that cannot be: said before, by resolve(); what is left is a variable with a NUL.
    details_[run] = error.what();
    loop_.next_tick([this, run, alive = std::weak_ptr(alive_)] {
      if (!alive.lock()) return;
      core_->handle_exited(run, ExitStatus::exited(127), now(), false);
      pump();
    });
    return;
  }
  WorkerProcess::Events events;
  events.line = [this, run, seat = fork.seat](bool error, std::string_view line) {
    const WorkerProcess* process = find(run);
    log_.write({0, error ? LogLine::Stream::err : LogLine::Stream::out, seat, process ? process->pid() : 0, std::string(line)});
  };
  events.ready = [this, run] {
    if (config_.ready == Readiness::automatic || config_.ready == Readiness::listening) ready(run);
  };
  events.refused = [this, run](const Error& error) {
    const WorkerProcess* process = find(run);
    if (!process) return;
    const std::string where = error.port ? std::to_string(*error.port) : error.address.empty() ? "" : "unix:" + error.address;
    say(fmt::format("worker {} (pid {}): {}{}", process->seat(), process->pid(), error.message,
                    where.empty() ? "" : fmt::format("; --may-listen {} allows it", where)));
  };
  events.heard = [this, run] { core_->handle_heard(run, now()); };
  events.message = [this, run](std::string_view text) {
    if (config_.ready == Readiness::message && text == "ready") ready(run);
  };
  events.ended = [this, run](ExitStatus status, bool started) {
    const WorkerProcess* process = find(run);
    if (process && !started) details_[run] = process->failure();
    core_->handle_exited(run, status, now(), started);
    pump();
    // It is calling just now.
    loop_.next_tick([this, run, alive = std::weak_ptr(alive_)] {
      if (alive.lock()) processes_.erase(run);
    });
  };
  const auto found =
      processes_.emplace(run, std::make_unique<WorkerProcess>(loop_, *worker, fork.seat, std::move(events))).first;
  const int pid = found->second->pid();
  if (config_.pin && pid > 0) pin(pid, fork.seat);
  // Programs under other interpreters, such as Bun.serve(), may listen without telling the primary.
  const bool by_listening = config_.ready == Readiness::automatic || config_.ready == Readiness::listening;
  if (by_listening && !is_plain() && !config_.interpreter.empty() && !is_node(config_.interpreter)) {
    look_for_servers(run, shortest_look);
  }
  // A program without a channel that does not say READY=1 is believed when it has lived for a while.
  if (config_.ready == Readiness::delay || (is_plain() && config_.ready == Readiness::automatic)) {
    loop_.set_timeout(config_.ready_delay, [this, run, alive = std::weak_ptr(alive_)] {
      if (alive.lock()) ready(run);
    });
  }
}

void Supervisor::look_for_servers(Run run, Milliseconds wait) {
  loop_.set_timeout(wait, [this, run, wait, alive = std::weak_ptr(alive_)] {
    if (!alive.lock()) return;
    WorkerProcess* process = find(run);
    const auto* known = core_->find(run);
    if (!process || !known || known->phase != Phase::starting) return;
    // The worker decides how long this takes, so it runs in another thread.
    auto found = std::make_shared<std::vector<Address>>();
    loop_.run_in_thread([found, pid = process->pid()] { *found = own_servers(pid); },
                        [this, run, wait, found, alive](std::error_code) {
                          if (!alive.lock()) return;
                          for (const Address& address : *found) {
                            if (WorkerProcess* process = find(run)) process->hear_listening(address);
                          }
                          look_for_servers(run, std::min(2 * wait, longest_look));
                        });
  });
}

void Supervisor::ready(Run run) {
  const auto* known = core_->find(run);
  if (!known || known->phase != Phase::starting) return;
  if (WorkerProcess* process = find(run)) {
    say(fmt::format("worker {} (pid {}) is ready", known->seat, process->pid()));
    // So that its memory is known at once.
    process->look();
  }
  core_->handle_ready(run, now());
  pump();
}

void Supervisor::hear_notification(int pid, Notification said) {
  // Anybody may write to the socket, and run_of() reads several files: each sender is looked up once between two looks.
  if (notifiers_.size() >= max_notifiers) notifiers_.clear();
  const auto [known, added] = notifiers_.try_emplace(pid);
  if (added) known->second = run_of(pid);
  const auto run = known->second;
  if (!run) return;
  if (said.ready && (config_.ready == Readiness::notify || config_.ready == Readiness::automatic)) ready(*run);
  if (said.watchdog) core_->handle_heard(*run, now());
}

std::optional<core::RunId> Supervisor::run_of(int pid) const {
  for (int depth = 0; pid > 1 && depth < 8; ++depth, pid = parent_of(pid)) {
    for (const auto& [run, process] : processes_) {
      if (process->pid() == pid) return run;
    }
  }
  return std::nullopt;
}

WorkerProcess* Supervisor::find(Run run) const {
  const auto found = processes_.find(run);
  return found == processes_.end() ? nullptr : found->second.get();
}

void Supervisor::perform(const core::Supervisor::Drain& drain) {
  WorkerProcess* process = find(drain.run);
  if (!process) return;
  // A program without a channel is asked the way programs are asked; so is one that has no server to close.
  if (process->worker().is_connected() && config_.ready != Readiness::delay) {
    process->worker().disconnect();
  } else {
    process->worker().kill(Signal::term);
  }
}

void Supervisor::perform(const core::Supervisor::Terminate& terminate) {
  if (WorkerProcess* process = find(terminate.run)) process->worker().kill(Signal::term);
}

void Supervisor::perform(const core::Supervisor::Kill& kill) {
  if (WorkerProcess* process = find(kill.run)) process->worker().kill(Signal::kill);
}

void Supervisor::perform(const core::Supervisor::Died& died) {
  const WorkerProcess* process = find(died.run);
  Obituary obituary;
  obituary.seat = died.seat;
  if (process) {
    obituary.id = process->id();
    obituary.pid = process->pid();
    obituary.last_words = process->last_words();
  }
  obituary.ended_at = now_ms();
  obituary.lived = static_cast<std::int64_t>(died.lived);
  obituary.was_ready = died.was_ready;
  if (died.cause != Cause::not_started) {
    obituary.code = died.status.code();
    if (const auto signal = died.status.signal()) obituary.signal = signal->name();
  }
  obituary.cause = to_string(died.cause);
  if (const auto detail = details_.extract(died.run)) obituary.detail = detail.mapped();
  const bool expected = died.cause == Cause::reload || died.cause == Cause::scale || died.cause == Cause::stop;
  if (died.next_try) {
    obituary.done =
        *died.next_try == 0 ? "restarts at once" : "restarts after " + duration_text(static_cast<std::int64_t>(*died.next_try));
    obituary.next_try_at = obituary.ended_at + static_cast<std::int64_t>(*died.next_try);
  } else if (died.successor) {
    const WorkerProcess* successor = find(*died.successor);
    obituary.done = successor ? fmt::format("replaced by pid {}", successor->pid()) : "replaced";
  } else {
    obituary.done = died.cause == Cause::scale  ? "not replaced: the app was scaled down"
                    : died.cause == Cause::stop ? "not replaced: the app was stopped"
                                                : "not replaced";
  }
  if (!expected) {
    say(obituary_headline(obituary) + "; " + obituary.done);
  }
  ++ended_[obituary.cause];
  if (process) add(ended_totals_[died.seat], process->status());
  obituaries_.push_front(std::move(obituary));
  if (obituaries_.size() > obituaries_kept) obituaries_.pop_back();
  started_at_.erase(died.run);
  request_limits_.erase(died.run);
}

void Supervisor::perform(const core::Supervisor::ReloadEnded& ended) {
  const std::string took = duration_text(static_cast<std::int64_t>(ended.took));
  const bool ok = ended.why.empty();
  if (ok) {
    ++reloads_;
    last_reload_ = fmt::format("{} replaced in {}", counted(ended.replaced, "worker"), took);
    before_reload_.reset();
    listen_sockets_.keep_only(config_.listen);
    // What only the old version listened on goes with its last worker.
    release_ports_later();
  } else {
    ++failed_reloads_;
    last_reload_ = fmt::format("abandoned after {}: {}", took, ended.why);
    if (ended.replaced > 0) last_reload_ += fmt::format("; {} of {} were replaced before", ended.replaced, ended.wanted);
    if (before_reload_) {
      config_ = *std::exchange(before_reload_, std::nullopt);
      configure();
      try {
        set_worker_settings();
      } catch (const std::exception& error) {
        say(fmt::format("the old settings cannot be had again: {}", error.what()));
      }
      listen_sockets_.keep_only(config_.listen);
    }
    last_reload_ += "; the old version goes on";
    if (!obituaries_.empty()) {
      for (const std::string& line : obituaries_.front().last_words) last_reload_ += "\n  " + line;
    }
  }
  say("reload: " + last_reload_);
  if (reload_done_) finish(reload_done_, ok, last_reload_);
  const unsigned wanted = config_.workers > 0 ? config_.workers : available_parallelism();
  if (ok && wanted != core_->workers()) core_->scale(wanted, now());
}

void Supervisor::perform(const core::Supervisor::Failed& failed) {
  failed_ = failed.why;
  say("the app has failed: " + failed.why);
  if (waiting_) {
    finish(waiting_->first, false, failed.why);
    waiting_.reset();
  }
}

void Supervisor::perform(const core::Supervisor::Stopped&) {
  deadline_.cancel();
  look_timer_.cancel();
  if (waiting_) {
    finish(waiting_->first, false, "the app was stopped");
    waiting_.reset();
  }
  loop_.next_tick([this, alive = std::weak_ptr(alive_)] {
    if (alive.lock()) events_.stopped(failed_.empty() ? std::nullopt : std::optional(failed_));
  });
}

void Supervisor::finish(Done& done, bool ok, std::string text) {
  if (Done call = std::exchange(done, nullptr)) call(Outcome{ok, std::move(text)});
}

void Supervisor::reload(AppConfig config, Done done) {
  if (const auto why_not = core_->state() == State::running ? std::nullopt : core_->reload(now())) {
    // A signal has nobody else to tell.
    say("cannot reload: " + *why_not);
    return finish(done, false, "cannot reload: " + *why_not);
  }
  if (std::string error = listen_sockets_.open(config.listen); !error.empty()) return finish(done, false, error);
  before_reload_ = std::exchange(config_, std::move(config));
  try {
    set_worker_settings();
  } catch (const std::exception& error) {
    config_ = *std::exchange(before_reload_, std::nullopt);
    return finish(done, false, error.what());
  }
  configure();
  reload_done_ = std::move(done);
  say("reloading");
  core_->reload(now());
  pump();
}

void Supervisor::restart(Done done) {
  if (const auto why_not = core_->restart(now())) return finish(done, false, "cannot restart: " + *why_not);
  say("restarting");
  if (waiting_) finish(waiting_->first, false, "another command took its place");
  waiting_ = std::pair{std::move(done), core_->workers()};
  pump();
}

void Supervisor::scale(unsigned workers, Done done) {
  if (const auto why_not = core_->scale(workers, now())) return finish(done, false, "cannot scale: " + *why_not);
  config_.workers = workers;
  say(fmt::format("scaling to {}", counted(workers, "worker")));
  if (waiting_) finish(waiting_->first, false, "another command took its place");
  waiting_ = std::pair{std::move(done), workers};
  pump();
}

void Supervisor::stop() {
  if (core_->state() == State::stopping || core_->state() == State::stopped || core_->state() == State::failed) return;
  // Who is in the queue of a port is served before it is closed.
  listen_sockets_.keep_only({});
  const auto go_on = [this, alive = std::weak_ptr(alive_)] {
    if (!alive.lock()) return;
    core_->stop(now());
    pump();
  };
  cluster_.stop_listening(go_on);
  say("stopping");
  // A worker that hangs takes none of them.
  loop_.set_timeout(config_.kill_timeout, go_on);
}

void Supervisor::terminate() {
  core_->terminate(now());
  pump();
}

void Supervisor::kill() {
  core_->kill(now());
  pump();
}

void Supervisor::look() {
  notifiers_.clear();
  restore_files();
  core_->look(now());
  std::vector<Run> runs;
  runs.reserve(processes_.size());
  for (const auto& [run, process] : processes_) runs.push_back(run);
  for (const Run run : runs) {
    if (WorkerProcess* process = find(run)) look_at(run, *process);
  }
  pump();
}

void Supervisor::look_at(Run run, WorkerProcess& process) {
  process.look();
  const auto* known = core_->find(run);
  if (!known || known->phase != Phase::ready) return;
  const auto limit = request_limits_.find(run);
  if (config_.max_memory > 0 && process.memory() > config_.max_memory) {
    details_[run] = fmt::format("used {} of {}", bytes_text(process.memory()), bytes_text(config_.max_memory));
    core_->replace(run, Cause::memory, now());
  } else if (limit != request_limits_.end() && process.requests() >= limit->second) {
    details_[run] = fmt::format("answered {} requests", process.requests());
    core_->replace(run, Cause::requests, now());
  }
}

void Supervisor::perform(const core::Supervisor::Hung& hung) {
  const Run run = hung.run;
  if (!find(run)) return core_->put_down(run, Cause::hung);
  details_[run] = fmt::format("nothing was heard of it for {}", duration_text(static_cast<std::int64_t>(hung.silence)));
  const int pid = find(run)->pid();
  say(fmt::format("worker {} (pid {}) hangs: {}; it is looked at and killed", find(run)->seat(), pid, details_[run]));
  take_stack(loop_, pid, worker_uid(config_), worker_gid(config_),
             [this, run, alive = std::weak_ptr(alive_)](const std::string& stack) {
               if (!alive.lock() || !find(run)) return;
               if (!stack.empty()) {
                 details_[run] += "\n" + stack;
                 say(fmt::format("the stack of worker {}:\n{}", find(run)->seat(), stack));
               }
               core_->put_down(run, Cause::hung);
               pump();
             });
}

AppStatus Supervisor::status() const {
  AppStatus status;
  status.name = config_.name;
  status.app = config_.app;
  status.cwd = config_.cwd;
  const core::Supervisor::Health health = core_->health(now());
  status.state = core_->state() != State::running || health == core::Supervisor::Health::well ? to_string(core_->state())
                                                                                              : to_string(health);
  status.why = failed_;
  status.policy = is_plain() ? "shared" : name_of(cluster_.scheduling_policy());
  status.workers_wanted = core_->workers();
  status.at = now_ms();
  status.restarts = core_->restarts();
  status.reloads = reloads_;
  status.failed_reloads = failed_reloads_;
  status.last_reload = last_reload_.substr(0, last_reload_.find('\n'));
  status.obituaries.assign(obituaries_.begin(), obituaries_.end());
  status.ended = ended_;
  std::map<unsigned, Totals> totals = ended_totals_;
  std::set<std::string> listening;
  for (const std::string& url : config_.listen) listening.insert(listen_sockets_.bound_url(url));
  const std::uint64_t time = now();
  for (const auto& [number, seat] : core_->seats()) {
    if (seat.current || seat.next) continue;
    WorkerStatus worker;
    worker.seat = number;
    worker.state = "waiting";
    worker.restarts = seat.restarts;
    if (seat.retry) worker.next_try_in = static_cast<std::int64_t>(*seat.retry - std::min(*seat.retry, time));
    status.workers.push_back(std::move(worker));
  }
  for (const auto& [run, known] : core_->runs()) {
    const WorkerProcess* process = find(run);
    WorkerStatus worker = process ? process->status() : WorkerStatus{};
    if (process) {
      add(totals[known.seat], worker);
      worker.pid = process->pid();
      worker.id = process->id();
      listening.insert(process->listening().begin(), process->listening().end());
    }
    worker.seat = known.seat;
    worker.state = state_of(known.phase);
    worker.generation = known.generation;
    if (const auto started = started_at_.find(run); started != started_at_.end()) worker.started_at = started->second;
    worker.uptime = static_cast<std::int64_t>(time - known.started);
    const auto seat = core_->seats().find(known.seat);
    if (seat != core_->seats().end()) worker.restarts = seat->second.restarts;
    status.workers.push_back(std::move(worker));
  }
  std::stable_sort(status.workers.begin(), status.workers.end(),
                   [](const WorkerStatus& a, const WorkerStatus& b) { return a.seat < b.seat; });
  for (auto& [number, of_seat] : totals) {
    of_seat.seat = number;
    add(status.totals, of_seat);
    if (core_->seats().contains(number)) status.seats.push_back(of_seat);
  }
  status.listening.assign(listening.begin(), listening.end());
  return status;
}

}  // namespace muster::cli
