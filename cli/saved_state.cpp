// SPDX-License-Identifier: MIT
#include "saved_state.h"

#include <unistd.h>

#include <stdexcept>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "control.h"
#include "json_text.h"
#include "states.h"

namespace muster::cli {

using nlohmann::json;

void save_state(const Folders& folders, const SavedState& state) {
  write_file(folders.state_file(state.name), json_text({{"sources", state.sources},
                                                        {"name", state.name},
                                                        {"running", state.running},
                                                        {"log", bytes_to_json(state.log)},
                                                        {"status", state.status}}));
}

bool has_saved_state(const Folders& folders, const std::string& app) {
  return access(folders.state_file(app).c_str(), F_OK) == 0;
}

std::optional<AppStatus> read_status(const nlohmann::json& object) {
  try {
    const json& status = object.at("status");
    return status.is_object() && status.contains("name") ? std::optional(status.get<AppStatus>()) : std::nullopt;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::optional<AppStatus> saved_status(const Folders& folders, const std::string& app) {
  if (!has_saved_state(folders, app)) return std::nullopt;
  const json saved = read_json(folders.state_file(app));
  auto known = read_status(saved);
  AppStatus status = known.value_or(AppStatus());
  status.name = app;
  if (!known) {
    status.state = to_string(SupervisorState::failed);
    status.why = fmt::format("what {} says of it cannot be read; `muster delete {}` forgets it", folders.state_file(app), app);
  } else if (flag_member(saved, "running")) {
    // It was not there to say how it ended, or is there and says nothing.
    status.state = to_string(SupervisorState::failed);
    status.why =
        ControlConnection::is_listened_on(folders.socket(app))
            ? fmt::format("its primary (pid {}) does not answer: it hangs, or is stopped", status.pid)
            : fmt::format("its primary (pid {}) is gone without a word: killed, or the machine was switched off", status.pid);
  } else if (!is(status.state, SupervisorState::failed)) {
    status.state = to_string(SupervisorState::stopped);
  }
  status.pid = 0;
  status.workers.clear();
  return status;
}

Sources saved_sources(const Folders& folders, const std::string& app) {
  try {
    return read_json(folders.state_file(app)).at("sources").get<Sources>();
  } catch (const json::exception&) {
    throw std::runtime_error(
        fmt::format("what {} says of \"{}\" cannot be read; `muster delete {}` forgets it", folders.state_file(app), app, app));
  }
}

std::optional<std::string> saved_log(const Folders& folders, const std::string& app) {
  try {
    return bytes_from_json(read_json(folders.state_file(app)).at("log"));
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace muster::cli
