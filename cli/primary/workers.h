// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <muster/cluster.h>
#include <muster/loop.h>
#include <muster/supervisor.h>

#include "config/app_config.h"
#include "primary/listen_sockets.h"
#include "primary/log.h"
#include "primary/notify.h"
#include "primary/obituaries.h"
#include "primary/worker_files.h"
#include "primary/worker_process.h"
#include "status.h"

namespace muster::cli {

// The workers of one app. A muster::Supervisor keeps them; this starts them as the configuration says, watches them, and
// reports their status and their ends.
class Workers {
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
  Workers(Loop& loop, Cluster& cluster, Log& log, AppConfig config, WorkerFiles& files, Events events);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

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
  SupervisorState state() const { return supervisor_.state(); }
  unsigned ready() const { return supervisor_.ready(); }
  unsigned wanted() const { return supervisor_.wanted(); }
  // All that were asked for are ready.
  bool complete() const { return ready() >= wanted(); }
  // Without what the primary knows of itself.
  AppStatus status() const;
  bool is_plain() const { return config_.is_plain(); }

 private:
  void handle_change();
  void handle_ready(Worker worker);
  void handle_end(const WorkerEnd& end);
  void handle_hang(Worker worker, Milliseconds silence);
  void handle_reload(const RolloutResult& result);
  void handle_stop();

  Worker fork(unsigned seat, unsigned generation);
  void drain(const Worker& worker);
  void set_worker_settings();
  WorkerProcess* find(int id) const;
  // Of a process, or of one that it started.
  WorkerProcess* process_of(int pid) const;
  void hear_notification(int pid, Notification said);
  // What workers need on disk may have vanished.
  void restore_files();
  void open_notify_socket();
  bool is_starting(int id) const;
  void look_for_servers(int id, Milliseconds wait);
  void check_progress();
  void check_limits(const SupervisedWorker& known, WorkerProcess& process);
  // Ports for which nobody asks any more are closed, once there was time to ask.
  void release_ports_later();
  // Tells `done` how a restart or scale has ended.
  Function<void(const std::string&)> report_to(Done done);
  static void finish(Done& done, bool ok, std::string text);
  void say(std::string_view text) { log_.say(text); }

  Loop& loop_;
  Cluster& cluster_;
  Log& log_;
  AppConfig config_;
  std::optional<AppConfig> before_reload_;
  WorkerFiles& files_;
  std::string agent_;  // that new workers load; empty where they load none
  Events events_;
  std::mt19937_64 random_{std::random_device{}()};
  muster::Supervisor supervisor_;
  ListenSockets listen_sockets_;
  std::unique_ptr<NotifySocket> notify_;
  std::map<int, std::unique_ptr<WorkerProcess>> processes_;  // by their numbers in the cluster
  Obituaries obituaries_;
  std::map<int, int> notifiers_;             // who wrote to the notify socket since the last look, and whose it is; 0: nobody's
  std::map<unsigned, Totals> ended_totals_;  // of those that ended, by seat
  unsigned reloads_ = 0, failed_reloads_ = 0;
  std::string last_reload_;
  std::string failed_;
  Done reload_done_;
  Timer look_timer_, release_timer_;
  bool was_complete_ = false;
  // Stands for "this still exists" in what comes later.
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace muster::cli
