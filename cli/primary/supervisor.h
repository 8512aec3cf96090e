#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/cluster.h>
#include <muster/loop.h>

#include "config/app_config.h"
#include "core/supervisor.h"
#include "primary/listen_sockets.h"
#include "primary/log.h"
#include "primary/notify.h"
#include "primary/worker_files.h"
#include "primary/worker_process.h"
#include "status.h"

namespace muster::cli {

// Runs the workers of one app: does what core::Supervisor decides, and tells it what happens.
class Supervisor {
 public:
  // A reload, restart or scale that was asked for has ended: what to tell whoever asked. `ok` is false when it was abandoned.
  struct Outcome {
    bool ok = true;
    std::string text = {};
  };
  using Done = Function<void(const Outcome&)>;

  struct Events {
    // Each time the state may have changed.
    Function<void()> changed;
    // Nothing runs any more, and nothing will. `failed` says why, where it was not asked for.
    Function<void(const std::optional<std::string>& failed)> stopped;
  };

  // All that are references outlive it.
  Supervisor(Loop& loop, Cluster& cluster, Log& log, AppConfig config, WorkerFiles& files, Events events);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor();

  // Sockets of somebody else, before start().
  ListenSockets& listen_sockets() { return listen_sockets_; }
  // What cannot be, or nothing.
  std::string start();
  // With another configuration, which is dropped again when the reload is abandoned.
  void reload(AppConfig config, Done done);
  void restart(Done done);
  void scale(unsigned workers, Done done);
  // Lets each worker finish what it has; closes the ports first. Again, by a signal: terminate() and kill() do not wait.
  void stop();
  void terminate();
  void kill();

  const AppConfig& config() const { return config_; }
  core::Supervisor::State state() const { return core_->state(); }
  unsigned ready() const { return core_->ready(); }
  unsigned workers() const { return core_->workers(); }
  // All that were asked for are ready.
  bool complete() const { return core_->ready() >= core_->workers(); }
  // Without what the primary knows of itself.
  AppStatus status() const;
  bool is_plain() const { return !config_.listen.empty(); }

 private:
  using Run = core::RunId;

  void pump();
  void perform(const core::Supervisor::Effect& effect);
  void perform(const core::Supervisor::Fork& fork);
  void perform(const core::Supervisor::Drain& drain);
  void perform(const core::Supervisor::Terminate& terminate);
  void perform(const core::Supervisor::Kill& kill);
  void perform(const core::Supervisor::Hung& hung);
  void perform(const core::Supervisor::Died& died);
  void perform(const core::Supervisor::ReloadEnded& ended);
  void perform(const core::Supervisor::Failed& failed);
  void perform(const core::Supervisor::Stopped& stopped);

  void configure();
  void set_worker_settings();
  Env environment(unsigned seat, unsigned generation) const;
  WorkerProcess* find(Run run) const;
  // Of a process, or of one that it started.
  std::optional<Run> run_of(int pid) const;
  void hear_notification(int pid, Notification said);
  // What workers need on disk may have vanished.
  void restore_files();
  void open_notify_socket();
  void ready(Run run);
  void look_for_servers(Run run, Milliseconds wait);
  void look();
  void look_at(Run run, WorkerProcess& process);
  // Ports for which nobody asks any more are closed, once there was time to ask.
  void release_ports_later();
  void finish(Done& done, bool ok, std::string text);
  std::uint64_t now() const;
  void say(std::string_view text) { log_.say(text); }

  Loop& loop_;
  Cluster& cluster_;
  Log& log_;
  AppConfig config_;
  std::optional<AppConfig> before_reload_;
  WorkerFiles& files_;
  std::string agent_;  // that new workers load; empty where they load none
  Events events_;
  std::unique_ptr<core::Supervisor> core_;
  ListenSockets listen_sockets_;
  std::unique_ptr<NotifySocket> notify_;
  std::map<Run, std::unique_ptr<WorkerProcess>> processes_;
  std::map<Run, std::string> details_;  // of what is to end: for its obituary
  std::map<Run, std::int64_t> started_at_;
  std::map<Run, std::uint64_t> request_limits_;
  std::deque<Obituary> obituaries_;
  std::map<int, std::optional<Run>> notifiers_;  // who wrote to the notify socket since the last look, and whose it is
  std::map<std::string, unsigned> ended_;
  std::map<unsigned, Totals> ended_totals_;  // of those that ended, by seat
  unsigned reloads_ = 0, failed_reloads_ = 0;
  std::string last_reload_;
  std::string failed_;
  Done reload_done_;
  std::optional<std::pair<Done, unsigned>> waiting_;  // for so many to be ready: restart, scale
  std::uint64_t random_;
  Timer deadline_, look_timer_, release_timer_;
  bool was_complete_ = false;
  bool pumping_ = false;
  // Stands for "this still exists" in what comes later.
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace muster::cli
