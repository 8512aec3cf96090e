// SPDX-License-Identifier: MIT
#include "commands.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <list>
#include <stdexcept>
#include <thread>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <muster/loop.h>

#include "config/nearest.h"
#include "control.h"
#include "folders.h"
#include "json_text.h"
#include "os/fd.h"
#include "primary/init.h"
#include "primary/log.h"
#include "primary/primary.h"
#include "saved_state.h"
#include "say.h"
#include "show/top.h"
#include "show/units_text.h"
#include "show/view.h"
#include "start_process.h"
#include "states.h"

namespace muster::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// For what answers at once, when the primary is well.
constexpr auto soon = 5s;
// For what ends when workers have: their own limits end it long before.
constexpr auto patience = 1h;

Look look() {
  Look look;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) look.width = size.ws_col;
  look.colour = colour_of_output();
  return look;
}

void print_json(const json& value) { print_lines(json_text(value, 2) + "\n"); }

int fail(const std::string& why, bool as_json = false, int code = exit_failure) {
  if (as_json) {
    print_json(json{{"ok", false}, {"error", why}});
  } else {
    say_error(why);
  }
  return code;
}

// What a primary said at last; nothing when it did not, within the time.
std::optional<json> answer_of(ControlConnection& connection, std::chrono::milliseconds wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    auto line = connection.next(std::max(left, 0ms));
    if (!line || line->contains("ok")) return line;
  }
}

std::optional<ControlConnection> send_to(const Folders& folders, const std::string& app, const json& request,
                                         std::chrono::milliseconds wait) {
  auto opened = ControlConnection::open(folders.socket(app), wait);
  auto* connection = std::get_if<ControlConnection>(&opened);
  if (!connection || !connection->send(request)) return std::nullopt;
  return std::move(*connection);
}

// What a primary that was asked for its status answers.
std::optional<AppStatus> status_from(std::optional<ControlConnection>& asked, std::chrono::milliseconds wait) {
  const auto answer = asked ? answer_of(*asked, wait) : std::nullopt;
  return answer && flag_member(*answer, "ok") ? read_status(*answer) : std::nullopt;
}

std::optional<AppStatus> status_of_running(const Folders& folders, const std::string& app) {
  auto asked = send_to(folders, app, {{"command", "status"}}, soon);
  return status_from(asked, soon);
}

bool is_running(const Folders& folders, const std::string& app) {
  return ControlConnection::is_listened_on(folders.socket(app));
}

std::vector<std::string> all_apps(const Folders& folders) {
  std::vector<std::string> apps = running_apps(folders);
  for (const std::string& app : saved_apps(folders)) {
    if (std::find(apps.begin(), apps.end(), app) == apps.end()) apps.push_back(app);
  }
  std::sort(apps.begin(), apps.end());
  return apps;
}

std::vector<AppStatus> all_statuses(const Folders& folders) {
  std::vector<AppStatus> statuses;
  const std::vector<std::string> apps = all_apps(folders);
  // All are asked before the first is waited for: those that do not answer cost their time once.
  const auto until = std::chrono::steady_clock::now() + soon;
  const auto left = [until] {
    return std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()));
  };
  std::vector<std::optional<ControlConnection>> asked;
  asked.reserve(apps.size());
  for (const std::string& app : apps) asked.push_back(send_to(folders, app, {{"command", "status"}}, left()));
  for (std::size_t i = 0; i < apps.size(); ++i) {
    auto status = status_from(asked[i], left());
    if (!status) status = saved_status(folders, apps[i]);
    if (status) statuses.push_back(std::move(*status));
  }
  return statuses;
}

// `app` is neither running nor remembered: what to say.
std::string unknown(const Folders& folders, const std::string& app) {
  const auto apps = all_apps(folders);
  std::string text = fmt::format("there is no app \"{}\"", app);
  if (const std::string near = did_you_mean(app, apps); !near.empty()) {
    text += near;
  } else if (apps.empty()) {
    text += "; none was started (muster start FILE)";
  } else {
    text += fmt::format("; there are {}", fmt::join(apps, ", "));
  }
  return text;
}

std::string not_running(const Folders& folders, const std::string& app) {
  if (is_running(folders, app)) return fmt::format("{}: its primary does not answer: it hangs, or is stopped", app);
  return saved_status(folders, app) ? fmt::format("the app \"{}\" does not run; muster start {} starts it", app, app)
                                    : unknown(folders, app);
}

// Tells one primary something and prints what it answers.
int tell(const std::string& app, json request, bool as_json, std::optional<Milliseconds> timeout) {
  const Folders folders = make_folders();
  auto opened = ControlConnection::open(folders.socket(app), timeout ? std::chrono::milliseconds(*timeout) : soon);
  auto* connection = std::get_if<ControlConnection>(&opened);
  if (!connection) return fail(not_running(folders, app), as_json);
  if (!connection->send(request)) return fail("the primary does not take commands", as_json);
  const auto wait = timeout ? std::chrono::milliseconds(*timeout) : std::chrono::milliseconds(patience);
  while (const auto line = connection->next(wait)) {
    if (!line->contains("ok")) continue;
    if (as_json) {
      print_json(*line);
    } else if (flag_member(*line, "ok")) {
      print_lines(fmt::format("{}: {}\n", app, text_member(*line, "text", "done")));
    } else {
      say_error(fmt::format("{}: {}", app, text_member(*line, "error", "it could not be done")));
    }
    return flag_member(*line, "ok") ? exit_ok : exit_failure;
  }
  return fail(fmt::format("{}: no answer{}", app, timeout ? " in time; what was begun goes on" : ": its primary has ended"),
              as_json);
}

// The same, of each that runs.
int tell_one_or_all(const std::string& app, const json& request, bool as_json, std::optional<Milliseconds> timeout) {
  if (app != "all") return tell(app, request, as_json, timeout);
  const Folders folders = make_folders();
  int code = exit_ok;
  for (const std::string& each : running_apps(folders)) {
    if (is_running(folders, each)) code = std::max(code, tell(each, request, as_json, timeout));
  }
  return code;
}

// Whether some primary has the name, or is about to have it.
bool is_taken(const Folders& folders, const std::string& app) {
  const OwnedFd lock(open(folders.lock(app).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  return lock && flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

// The process that holds the name, as a pidfd. None when nobody does.
OwnedFd primary_of(const Folders& folders, const std::string& app) {
  std::ifstream file(folders.lock(app));
  int pid = 0;
  if (!(file >> pid) || pid <= 0) return {};
  OwnedFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  // It held the name when its number was its own already.
  return is_taken(folders, app) ? std::move(process) : OwnedFd();
}

int report_ended(const std::string& app, std::string_view how, bool as_json) {
  if (as_json) {
    print_json(json{{"ok", true}, {"name", app}});
  } else {
    print(fmt::format("{}: {}\n", app, how));
  }
  return exit_ok;
}

// Of a primary that takes no commands. Its workers go with it. Nothing when it is gone already.
std::optional<int> kill_primary(const Folders& folders, const std::string& app, bool as_json, std::chrono::milliseconds wait) {
  const OwnedFd process = primary_of(folders, app);
  if (!process) return std::nullopt;
  if (syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH) {
    return fail(fmt::format("{}: its primary does not answer, and cannot be killed: {}", app, std::strerror(errno)), as_json);
  }
  pollfd ended{process.get(), POLLIN, 0};
  if (poll(&ended, 1, static_cast<int>(std::min<std::int64_t>(wait.count(), 1 << 30))) <= 0) {
    return fail(fmt::format("{}: its primary was killed, and has not ended in time", app), as_json);
  }
  // Another one was about to take its place, and has it now.
  if (is_taken(folders, app)) return std::nullopt;
  return report_ended(app, "killed: its primary did not answer", as_json);
}

// Tells the primary there is to end, and waits for that. Nothing when it was another one's turn before it heard: its successor
// is to be told then.
std::optional<int> end_once(const Folders& folders, const std::string& app, const char* command, bool as_json,
                            std::chrono::steady_clock::time_point begun, std::chrono::steady_clock::time_point until) {
  const bool is_kill = std::strcmp(command, "kill") == 0;
  const auto left = [until] {
    return std::max(0ms, std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()));
  };
  auto opened = ControlConnection::open(folders.socket(app), std::min<std::chrono::milliseconds>(left(), soon));
  auto* connection = std::get_if<ControlConnection>(&opened);
  if (!connection && left().count() <= 0) return fail(not_running(folders, app), as_json);
  if (!connection && is_kill && is_running(folders, app)) return kill_primary(folders, app, as_json, left());
  // Whoever has the name takes commands soon, unless it hangs.
  if (!connection && is_kill && std::chrono::steady_clock::now() - begun > soon) {
    if (const auto code = kill_primary(folders, app, as_json, left())) return code;
  }
  if (!connection) return is_taken(folders, app) ? std::nullopt : std::optional(fail(not_running(folders, app), as_json));
  bool heard = false;
  if (connection->send({{"command", command}})) {
    for (bool told = false;;) {
      const auto line = connection->next(std::min<std::chrono::milliseconds>(left(), soon));
      if (line && line->contains("ok")) return fail(text_member(*line, "error", "it could not be done"), as_json);
      heard |= line.has_value();
      if (line) continue;
      if (connection->ended() || left().count() <= 0) break;
      // Workers that finish what they have take their time; a primary that answers nothing at all does not end by itself.
      if (told || status_of_running(folders, app) || !is_running(folders, app)) continue;
      if (is_kill) return kill_primary(folders, app, as_json, left());
      told = true;
      say_error(fmt::format("{}: its primary does not answer: it hangs, or is stopped; muster kill {} ends it", app, app));
    }
  }
  if (!connection->ended() && std::chrono::steady_clock::now() >= until)
    return fail(fmt::format("{}: it has not ended in time, and goes on ending", app), as_json);
  if (!heard && is_taken(folders, app)) return std::nullopt;
  // The connection ends after it has remembered how it ended and freed its name.
  return report_ended(app, is_kill ? "killed" : "stopped", as_json);
}

// stop and kill: until it has gone.
int end(const std::string& app, const char* command, bool as_json, std::optional<Milliseconds> timeout) {
  const Folders folders = make_folders();
  if (app == "all") {
    // At the same time: each may take as long as its requests do.
    std::vector<std::string> apps;
    for (const std::string& each : running_apps(folders)) {
      if (is_running(folders, each)) apps.push_back(each);
    }
    std::vector<int> codes(apps.size(), exit_ok);
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < apps.size(); ++i) {
        threads.emplace_back([&, i] { codes[i] = end(apps[i], command, as_json, timeout); });
      }
    }
    return codes.empty() ? exit_ok : *std::max_element(codes.begin(), codes.end());
  }
  const auto begun = std::chrono::steady_clock::now();
  const auto until = begun + (timeout ? std::chrono::milliseconds(*timeout) : std::chrono::milliseconds(patience));
  for (;;) {
    if (const auto code = end_once(folders, app, command, as_json, begun, until)) return *code;
    if (std::chrono::steady_clock::now() >= until) return fail(fmt::format("{}: its primary takes no commands", app), as_json);
    std::this_thread::sleep_for(20ms);
  }
}

void print_diagnostics(const Resolved& resolved) {
  for (const Diagnostic& diagnostic : resolved.diagnostics) {
    say_error(to_string(diagnostic));
  }
}

struct Started {
  std::string name;
  bool ok = false;
  int pid = 0;
  std::string text = {};
  int code = exit_failure;
};

Started start_one(const Folders& folders, const Sources& sources, const std::string& name) {
  Started result{name};
  const StartedProcess started =
      start_primary(own_program(), {.sources = sources, .name = name, .background = true}, folders.log(name));
  if (!started.error.empty()) {
    result.text = started.error;
    return result;
  }
  std::string text;
  char bytes[4096];
  for (ssize_t size = 0; (size = read(started.line, bytes, sizeof bytes)) != 0;) {
    if (size > 0) text.append(bytes, static_cast<std::size_t>(size));
    if (size < 0 && errno != EINTR) break;
  }
  close(started.line);
  const json answer = parse_json(text);
  result.pid = started.pid;
  result.ok = answer.is_object() && answer.contains("ready");
  if (result.ok) {
    result.text = text_member(answer, "text");
    result.code = exit_ok;
  } else if (answer.is_object()) {
    result.text = text_member(answer, "error", "it did not start");
    const auto code = answer.find("code");
    result.code = code != answer.end() && code->is_number_integer() ? code->get<int>() : static_cast<int>(exit_failure);
  } else {
    result.text = fmt::format("it ended before it was ready; {} has more", folders.log(name));
  }
  return result;
}

int report_started(const std::vector<Started>& all, bool as_json) {
  int code = exit_ok;
  json list = json::array();
  for (const Started& one : all) {
    code = std::max(code, one.code);
    if (as_json) {
      list.push_back({{"name", one.name}, {"ok", one.ok}, {"pid", one.pid}, {"text", one.text}});
    } else if (one.ok) {
      print_lines(fmt::format("{}: {} (pid {})\n", one.name, one.text, one.pid));
    } else {
      say_error(fmt::format("{}: {}", one.name, one.text));
    }
  }
  if (as_json) print_json(list);
  return code;
}

int run(const command::Say& say) {
  if (say.code == 0) {
    print(say.text);
  } else {
    say_error(say.text.starts_with("muster: ") ? std::string_view(say.text).substr(8) : say.text);
  }
  return say.code;
}

int run(const command::Run& run) {
  Sources sources = run.sources;
  if (run.json) sources.flags.push_back({.setting = "log_format", .values = {"json"}, .called = "--json"});
  const Resolved resolved = resolve(sources);
  print_diagnostics(resolved);
  if (!resolved.ok()) return exit_usage;
  if (resolved.apps.size() != 1) {
    std::vector<std::string> names;
    for (const ResolvedApp& app : resolved.apps) names.push_back(app.config.name);
    return fail(fmt::format("run runs one app; {} has {}: name one, or `muster start` them all", resolved.file_name,
                            fmt::join(names, ", ")),
                run.json, exit_usage);
  }
  init::become_child_of_init();
  const AppConfig& config = resolved.apps.front().config;
  return Primary({.sources = std::move(sources), .name = config.name}, config).run();
}

int run(const command::Start& start) {
  const Folders folders = make_folders();
  // One that was started before, by its name.
  if (start.sources.words.size() == 1 && valid_app_name(start.sources.words[0])) {
    const std::string& name = start.sources.words[0];
    if (has_saved_state(folders, name) && access(name.c_str(), F_OK) != 0) {
      return report_started({start_one(folders, saved_sources(folders, name), name)}, start.json);
    }
  }
  const Resolved resolved = resolve(start.sources);
  print_diagnostics(resolved);
  if (!resolved.ok()) return exit_usage;
  std::vector<Started> all;
  for (const ResolvedApp& app : resolved.apps) all.push_back(start_one(folders, start.sources, app.config.name));
  return report_started(all, start.json);
}

int run(const command::Check& check) {
  const Resolved resolved = resolve(check.sources);
  if (check.json) {
    print_json(json(resolved));
  } else {
    print_lines(report(resolved));
  }
  return resolved.ok() ? exit_ok : exit_usage;
}

int run(const command::List& list) {
  const auto statuses = all_statuses(make_folders());
  if (list.json) {
    print_json(json(statuses));
  } else {
    print(list_text(statuses, look()));
  }
  return exit_ok;
}

std::optional<AppStatus> status_of(const Folders& folders, const std::string& app) {
  auto status = status_of_running(folders, app);
  return status ? status : saved_status(folders, app);
}

int run(const command::Status& command) {
  const Folders folders = make_folders();
  const auto status = status_of(folders, command.name);
  if (!status) return fail(unknown(folders, command.name), command.json);
  if (command.json) {
    print_json(json(*status));
  } else {
    print(status_text(*status, look()));
  }
  return is(status->state, SupervisorState::failed) ? exit_app_failed : exit_ok;
}

int run(const command::Why& why) {
  const Folders folders = make_folders();
  auto status = status_of(folders, why.name);
  if (!status) return fail(unknown(folders, why.name), why.json);
  if (why.json) {
    std::erase_if(status->obituaries, [&why](const Obituary& obituary) { return why.worker && obituary.seat != *why.worker; });
    print_json(
        json{{"name", status->name}, {"state", status->state}, {"why", status->why}, {"obituaries", status->obituaries}});
  } else {
    print(why_text(*status, why.worker, look()));
  }
  return exit_ok;
}

int run(const command::Reload& reload) {
  return tell_one_or_all(reload.name, {{"command", "reload"}}, reload.json, reload.timeout);
}
int run(const command::Restart& restart) {
  return tell_one_or_all(restart.name, {{"command", "restart"}}, restart.json, restart.timeout);
}
int run(const command::Stop& stop) { return end(stop.name, "stop", stop.json, stop.timeout); }
int run(const command::Kill& kill) { return end(kill.name, "kill", kill.json, {}); }

int run(const command::Scale& scale) {
  const char* how = scale.how == command::Scale::How::by ? "by" : scale.how == command::Scale::How::max ? "max" : "to";
  return tell(scale.name, {{"command", "scale"}, {"how", how}, {"workers", scale.workers}, {"force", scale.force}}, scale.json,
              {});
}

// The end of a file, in lines.
std::vector<std::string> last_lines(const std::string& path, std::size_t count) {
  std::error_code none;
  std::deque<std::string> lines;
  // A log that is a pipe is somebody else's to read.
  if (!std::filesystem::is_regular_file(path, none)) return {};
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    lines.push_back(std::move(line));
    if (lines.size() > count) lines.pop_front();
  }
  return {lines.begin(), lines.end()};
}

std::string text_of(const json& line, bool as_json) {
  if (as_json) return json_text(line) + "\n";
  const auto seat = line.find("worker");
  std::string who = text_member(line, "app");
  if (seat != line.end() && seat->is_number_unsigned()) who += fmt::format("/{}", seat->get<unsigned>());
  return fmt::format("{} {} | {}\n", text_member(line, "time"), who, text_member(line, "text"));
}

// The last of one that runs no more.
bool print_saved_logs(const Folders& folders, const std::string& app, const command::Logs& logs) {
  const auto log = saved_log(folders, app);
  if (!log) return false;
  const auto put = logs.raw ? print : print_lines;
  for (const std::string& line : last_lines(*log, logs.lines)) {
    put((logs.json && !line.starts_with('{') ? json_text({{"app", app}, {"text", line}}) : line) + "\n");
  }
  return true;
}

int run(const command::Logs& logs) {
  struct Source {
    std::string app;
    ControlConnection connection;
    bool answered = false;
  };
  const Folders folders = make_folders();
  const std::vector<std::string> apps = logs.name.empty() ? all_apps(folders) : std::vector{logs.name};
  const auto put = logs.raw ? print : print_lines;
  std::list<Source> sources;
  for (const std::string& app : apps) {
    auto opened = ControlConnection::open(folders.socket(app), soon);
    if (auto* connection = std::get_if<ControlConnection>(&opened)) {
      connection->send({{"command", "logs"}, {"lines", logs.lines}, {"follow", logs.follow}});
      sources.push_back({app, std::move(*connection)});
    } else if (!print_saved_logs(folders, app, logs)) {
      return fail(unknown(folders, app), logs.json);
    }
  }
  // One app's lines as they come; those of several in turn.
  while (!sources.empty()) {
    for (auto source = sources.begin(); source != sources.end();) {
      const auto line = source->connection.next(sources.size() == 1 ? std::chrono::milliseconds(patience) : 20ms);
      if (line) source->answered = true;
      if (line && line->contains("line")) {
        put(text_of((*line)["line"], logs.json));
      } else if (line || source->connection.ended()) {
        // It was about to end.
        if (!source->answered) print_saved_logs(folders, source->app, logs);
        source = sources.erase(source);
        continue;
      }
      ++source;
    }
  }
  return exit_ok;
}

int run(const command::Top& top) {
  const Folders folders = make_folders();
  if (!top.name.empty() && !status_of(folders, top.name)) return fail(unknown(folders, top.name), top.json);
  const auto statuses = [folders, name = top.name] {
    auto all = all_statuses(folders);
    if (!name.empty()) std::erase_if(all, [&name](const AppStatus& status) { return status.name != name; });
    return all;
  };
  if (top.json) {
    print_json(json(statuses()));
    return exit_ok;
  }
  Loop loop;
  // Keys are obeyed meanwhile: a primary that does not answer is waited for.
  return run_top(
      loop,
      [&loop, statuses](DeliverStatuses deliver) {
        auto all = std::make_shared<std::vector<AppStatus>>();
        loop.run_in_thread([all, statuses] { *all = statuses(); },
                           [all, statuses, deliver = std::move(deliver)](std::error_code error) mutable {
                             // Without a thread the keys wait.
                             deliver(error ? statuses() : std::move(*all));
                           });
      },
      top.interval, top.once);
}

int run(const command::Delete& command) {
  const Folders folders = make_folders();
  const std::vector<std::string> apps = command.name == "all" ? all_apps(folders) : std::vector{command.name};
  for (const std::string& app : apps) {
    if (is_running(folders, app)) {
      if (const int code = end(app, "stop", command.json, {}); code != exit_ok) return code;
    } else if (!saved_status(folders, app)) {
      return fail(unknown(folders, app), command.json);
    }
    // Only a log that is ours: one that was named is the user's.
    if (saved_log(folders, app) == folders.log(app)) {
      unlink(folders.log(app).c_str());
      for (unsigned old = 1; unlink(fmt::format("{}.{}", folders.log(app), old).c_str()) == 0; ++old) {
      }
    }
    if (unlink(folders.state_file(app).c_str()) != 0 && errno != ENOENT) {
      return fail(fmt::format("cannot remove {}: {}", folders.state_file(app), std::strerror(errno)), command.json);
    }
    unlink(folders.socket(app).c_str());
    if (command.json) {
      print_json(json{{"ok", true}, {"name", app}});
    } else {
      print(fmt::format("{}: deleted\n", app));
    }
  }
  return exit_ok;
}

int run(const command::Save& save) {
  const Folders folders = make_folders();
  json names = json::array();
  for (const std::string& app : running_apps(folders)) {
    if (is_running(folders, app)) names.push_back(app);
  }
  write_file(folders.saved(), json_text(names) + "\n");
  if (save.json) {
    print_json(json{{"ok", true}, {"saved", names}});
  } else {
    print(fmt::format("{} saved, for muster resurrect to start again\n", counted(names.size(), "app")));
  }
  return exit_ok;
}

int run(const command::Resurrect& resurrect) {
  const Folders folders = make_folders();
  const json names = read_json(folders.saved());
  if (!names.is_array() || names.empty())
    return fail("nothing was saved; muster save remembers which apps run", resurrect.json);
  std::vector<Started> all;
  for (const json& entry : names) {
    if (!entry.is_string() || !valid_app_name(entry.get<std::string>())) continue;
    const std::string name = entry;
    if (is_running(folders, name)) continue;
    if (!has_saved_state(folders, name)) {
      all.push_back({name, false, 0, "it was deleted since it was saved"});
      continue;
    }
    try {
      all.push_back(start_one(folders, saved_sources(folders, name), name));
    } catch (const std::exception& error) {
      all.push_back({name, false, 0, error.what()});
    }
  }
  if (all.empty() && !resurrect.json) print(std::string("every app that was saved runs already\n"));
  return report_started(all, resurrect.json);
}

}  // namespace

int run(const Command& command) {
  try {
    return std::visit([](const auto& c) { return run(c); }, command);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

}  // namespace muster::cli
