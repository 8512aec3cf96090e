// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/cluster.h>
#include <muster/loop.h>

#include "config/config.h"
#include "control.h"
#include "folders.h"
#include "primary/admin.h"
#include "primary/control_commands.h"
#include "primary/log.h"
#include "primary/name_lock.h"
#include "primary/order.h"
#include "primary/workers.h"
#include "primary/takeover.h"
#include "primary/worker_files.h"

namespace muster::cli {

// How this command ends.
enum ExitCode : int {
  exit_ok = 0,
  exit_failure = 1,  // it could not be done; an app that never became ready
  exit_usage = 2,
  exit_app_failed = 3,  // it worked once, and then spent its budget of restarts
};

// The primary of one app: a process that runs from the moment the app is known until its last worker has gone.
class Primary {
 public:
  Primary(Order order, AppConfig config);
  Primary(const Primary&) = delete;
  Primary& operator=(const Primary&) = delete;
  ~Primary();

  // Returns what main() should.
  int run();

 private:
  std::string begin();
  std::string take_name();
  // What is on disk may vanish: makes it again.
  void restore_files();
  void adopt(std::vector<ListeningSocket> sockets);
  void watch_signals();
  // Why workers may not be changed now; empty when they may.
  std::optional<std::string> why_not_changed() const;
  void listen_to_commands();
  void open_control();
  void reload(Workers::Done done);
  void reload(const Resolved& resolved, Workers::Done done);
  void changed();
  void became_ready();
  void stopped(const std::optional<std::string>& failed);
  void upgrade(Workers::Done done);
  void hand_over();
  void take_over();
  // Ends the app, and a primary that was to take this one's place.
  void end(void (Workers::*how)());
  void end(Successor::How how);
  void finish();
  // Whether the names and the ports are this one's.
  bool in_charge() const { return !order_.takes_over || took_over_; }
  void tell_starter(const nlohmann::json& message);
  void save(bool running);
  AppStatus status();

  Order order_;
  AppConfig config_;
  std::string name_;
  std::optional<Folders> folders_;
  NameLock lock_;
  WorkerFiles files_;
  Loop loop_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<ControlCommands> commands_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<Predecessor> predecessor_;
  std::unique_ptr<Successor> successor_;
  std::vector<std::unique_ptr<Successor>> failed_successors_;  // to be reaped
  Workers::Done upgraded_;
  std::string program_;  // that this process runs, by the name that it was started by
  std::int64_t started_at_ = 0;
  bool was_ready_ = false;
  bool without_files_ = false;  // they could not be made again, and that was said
  bool resolving_ = false;      // the configuration is being read again
  bool told_to_stop_ = false;
  bool terminal_ = false;  // there was one at the start
  bool took_over_ = false;
  bool replaced_ = false;  // by another primary, which has the names and the ports now
  bool stopped_ = false;
  unsigned asked_to_end_ = 0;
  int exit_code_ = exit_ok;
  std::uint64_t cpu_time_ = 0;
  std::int64_t cpu_seen_at_ = 0;
  double cpu_ = 0;
};

}  // namespace muster::cli
