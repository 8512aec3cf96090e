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

// Carries out the commands that arrive on a primary's control socket, such as {"command": "status"}.
class ControlCommands {
 public:
  // What the primary does itself.
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

  // Takes any JSON. A malformed request is answered with an error.
  void run(const nlohmann::json& request, ControlServer::Client client);

 private:
  void run_named(const std::string& command, const nlohmann::json& request, ControlServer::Client client);
  void scale(const nlohmann::json& request, ControlServer::Client client, Workers::Done done);
  void send_logs(const nlohmann::json& request, ControlServer::Client client);

  std::string app_;
  Workers& workers_;
  Log& log_;
  Actions actions_;
};

}  // namespace muster::cli
