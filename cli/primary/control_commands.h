// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <muster/function.h>
#include <nlohmann/json_fwd.hpp>

#include "control.h"
#include "primary/log.h"
#include "primary/workers.h"
#include "status.h"

namespace muster::cli {

// What a primary does as it is told on its control socket: {"command": "status"} and the like.
class ControlCommands {
 public:
  // What is the primary's own, not its workers'.
  struct Actions {
    Function<AppStatus()> status;
    Function<std::optional<std::string>()> why_not_changed;  // empty when workers may be changed
    Function<void(Workers::Done)> reload;
    Function<void(Workers::Done)> upgrade;
    Function<void()> stop;
    Function<void()> kill;
  };
  ControlCommands(std::string app, Workers& workers, Log& log, Actions actions)
      : app_(std::move(app)), workers_(workers), log_(log), actions_(std::move(actions)) {}

  // Whatever somebody has sent: the client is told what is wrong with it.
  void obey(const nlohmann::json& request, ControlServer::Client client);

 private:
  void obey_named(const std::string& command, const nlohmann::json& request, ControlServer::Client client);
  void scale(const nlohmann::json& request, ControlServer::Client client, Workers::Done done);
  void send_logs(const nlohmann::json& request, ControlServer::Client client);

  std::string app_;
  Workers& workers_;
  Log& log_;
  Actions actions_;
};

}  // namespace muster::cli
