// SPDX-License-Identifier: MIT
#include "primary/control_commands.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "config/capacity.h"
#include "json_text.h"

namespace muster::cli {

void ControlCommands::run(const nlohmann::json& request, ControlServer::Client client) {
  try {
    run_named(request.at("command"), request, client);
  } catch (const nlohmann::json::exception& error) {
    client.fail(fmt::format("the command has a part that it cannot have: {}", error.what()));
  }
}

void ControlCommands::run_named(const std::string& what, const nlohmann::json& request, ControlServer::Client client) {
  if (what == "reload" || what == "restart" || what == "scale") {
    if (const auto why_not = actions_.why_not_changed()) return client.fail(fmt::format("cannot {} now: {}", what, *why_not));
  }
  Workers::Done answer = [client](const Workers::Outcome& outcome) mutable {
    if (outcome.ok) {
      client.succeed({{"text", outcome.text}});
    } else {
      client.fail(outcome.text);
    }
  };
  if (what == "status") {
    client.succeed({{"status", actions_.status()}});
  } else if (what == "logs") {
    send_logs(request, std::move(client));
  } else if (what == "reload") {
    actions_.reload(std::move(answer));
  } else if (what == "restart") {
    workers_.restart(std::move(answer));
  } else if (what == "scale") {
    scale(request, std::move(client), std::move(answer));
  } else if (what == "upgrade") {
    actions_.upgrade(std::move(answer));
  } else if (what == "stop") {
    actions_.stop();
    client.tell({{"text", "stopping"}});
  } else if (what == "kill") {
    actions_.kill();
    client.tell({{"text", "killed"}});
  } else {
    client.fail(
        fmt::format("there is no command \"{}\"; there are status, logs, reload, restart, scale, upgrade, stop, kill", what));
  }
}

void ControlCommands::scale(const nlohmann::json& request, ControlServer::Client client, Workers::Done done) {
  const auto found = request.find("workers");
  const std::string how = request.value("how", "to");
  if (how != "max" && (found == request.end() || !found->is_number_integer())) {
    return client.fail("scale needs how many \"workers\"");
  }
  std::int64_t workers = how == "max" ? available_parallelism() : found->get<std::int64_t>();
  constexpr std::int64_t most = 65'536;
  if (how == "by") workers = std::clamp(workers, -most, most) + workers_.wanted();
  if (workers < 1 || workers > most) return client.fail(fmt::format("an app has 1 to {} workers, not {}", most, workers));
  if (const auto why = too_many_workers(static_cast<unsigned>(workers));
      why && workers > workers_.wanted() && !flag_member(request, "force")) {
    return client.fail(fmt::format("{}; accepted: fewer, or {} with --force", *why, workers));
  }
  workers_.scale(static_cast<unsigned>(workers), std::move(done));
}

void ControlCommands::send_logs(const nlohmann::json& request, ControlServer::Client client) {
  const auto line_of = [this](const LogLine& line) {
    return nlohmann::json{{"line", nlohmann::json::parse(json_text(line, app_))}};
  };
  const std::size_t wanted = request.value("lines", std::size_t{15});
  const auto& latest = log_.latest();
  for (std::size_t i = latest.size() - std::min(wanted, latest.size()); i < latest.size(); ++i) client.tell(line_of(latest[i]));
  if (!request.value("follow", false)) return client.succeed();
  auto number = std::make_shared<unsigned>(0);
  *number = log_.follow([client, line_of](const LogLine& line) mutable { client.tell(line_of(line)); });
  client.on_gone([this, number] { log_.unfollow(*number); });
}

}  // namespace muster::cli
