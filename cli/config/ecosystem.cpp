// SPDX-License-Identifier: MIT
#include "config/ecosystem.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <muster/loop.h>

#include "config/units.h"
#include "json_text.h"
#include "os/fd.h"
#include "os/spawn.h"

namespace muster::cli {
namespace {

using nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

// A value that PM2 takes for a text.
std::optional<std::string> as_text(const OrderedJson& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  return std::nullopt;
}

// PM2's numbers are milliseconds.
std::optional<std::string> as_duration(const OrderedJson& value) {
  auto text = as_text(value);
  if (text && parse_count(*text)) *text += "ms";
  return text;
}

// Several keys of PM2 for one meaning; what is in PM2's own words comes first.
constexpr std::array<std::pair<std::string_view, std::string_view>, 15> spellings{{
    {"exec_interpreter", "interpreter"},
    {"node_args", "interpreter_args"},
    {"nodeArgs", "interpreter_args"},
    {"node-args", "interpreter_args"},
    {"interpreterArgs", "interpreter_args"},
    {"exec", "script"},
    {"output", "out_file"},
    {"out", "out_file"},
    {"out_log", "out_file"},
    {"error", "error_file"},
    {"err_file", "error_file"},
    {"err_log", "error_file"},
    {"log", "log_file"},
    {"restartDelay", "restart_delay"},
    {"execMode", "exec_mode"},
}};

std::string_view common_spelling(std::string_view key) {
  for (const auto& [other, common] : spellings) {
    if (key == other) return common;
  }
  return key;
}

// One app of the file.
class AppReader {
 public:
  AppReader(const OrderedJson& object, std::string label, std::string folder, std::string env_name, FileContent& content)
      : object_(object), env_name_(std::move(env_name)), content_(content) {
    app_.folder = std::move(folder);
    app_.place.file = std::move(label);
  }

  void read() {
    for (const auto& [key, value] : object_.items()) keys_.emplace(common_spelling(key), std::pair(key, &value));
    read_folder();
    read_name();
    pass("script", "app", as_text);
    pass("interpreter", "interpreter", as_text);
    read_words("args", "args");
    read_words("interpreter_args", "interpreter_args");
    read_instances();
    read_environment();
    pass("max_memory_restart", "max_memory", as_text);
    read_restarts();
    pass("kill_timeout", "kill_timeout", as_duration);
    pass("listen_timeout", "ready_timeout", as_duration);
    pass("uid", "user", as_text);
    pass("gid", "group", as_text);
    read_readiness();
    read_logs();
    name_the_rest();
    content_.apps.push_back(std::move(app_));
  }

 private:
  using Reading = std::optional<std::string> (*)(const OrderedJson&);

  void report(bool is_warning, std::string text) { content_.diagnostics.push_back({is_warning, app_.place, std::move(text)}); }
  void warn(std::string text) { report(true, std::move(text)); }

  // The value of a key that has one. It counts as known from here on.
  const OrderedJson* take(std::string_view key) {
    const auto found = keys_.find(key);
    if (found == keys_.end()) return nullptr;
    known_.insert_or_assign(std::string(key), found->second.first);
    return found->second.second->is_null() ? nullptr : found->second.second;
  }

  // As it stands in the file.
  std::string spelled(std::string_view key) const { return fmt::format("\"{}\"", keys_.find(key)->second.first); }

  void give(std::string setting, Values values, std::string_view key) {
    app_.given.push_back(
        {.setting = std::move(setting), .values = std::move(values), .called = spelled(key), .place = app_.place});
  }

  void refuse(std::string_view key, const OrderedJson& value, std::string_view accepted) {
    report(false, fmt::format("{} cannot be {}; accepted: {}", spelled(key), value.dump(), accepted));
  }

  // A key that is a setting here.
  void pass(std::string_view key, const char* setting, Reading as) {
    const auto* value = take(key);
    if (!value) return;
    if (auto text = as(*value)) {
      give(setting, {std::move(*text)}, key);
    } else {
      refuse(key, *value, find_setting(setting)->accepted);
    }
  }

  // To PM2 every path is relative to the folder that the app runs in.
  void read_folder() {
    const auto* value = take("cwd");
    const auto text = value ? as_text(*value) : std::nullopt;
    if (value && !text) refuse("cwd", *value, "a folder");
    if (text) app_.folder = (std::filesystem::path(app_.folder) / *text).lexically_normal().string();
    app_.given.push_back({.setting = "cwd",
                          .values = {app_.folder},
                          .called = text ? spelled("cwd") : std::string("\"cwd\""),
                          .place = app_.place});
  }

  void read_name() {
    const auto* value = take("name");
    const auto text = value ? as_text(*value) : std::nullopt;
    if (value && !text) refuse("name", *value, find_setting("name")->accepted);
    if (text && !valid_app_name(*text)) {
      refuse("name", *value, find_setting("name")->accepted);
    } else if (text) {
      app_.name = *text;
    }
    const auto script = object_.find("script");
    if (app_.name.empty() && script != object_.end() && script->is_string())
      app_.name = app_name_of(script->get<std::string>());
  }

  void read_words(std::string_view key, const char* setting) {
    const auto* value = take(key);
    if (!value) return;
    Values words;
    if (value->is_string()) {
      words = split_words(value->get<std::string>());
    } else if (value->is_array() &&
               std::all_of(value->begin(), value->end(), [](const auto& word) { return as_text(word).has_value(); })) {
      for (const auto& word : *value) words.push_back(*as_text(word));
    } else {
      return refuse(key, *value, find_setting(setting)->accepted);
    }
    give(setting, std::move(words), key);
  }

  void read_instances() {
    const auto* instances = take("instances");
    const auto text = instances ? as_text(*instances) : std::nullopt;
    if (instances) {
      int number = 0;
      const bool negative = text && text->size() > 1 && text->front() == '-' && parse_count(text->substr(1));
      if (text && (*text == "0" || *text == "max")) {
        give("workers", {"max"}, "instances");
      } else if (negative && parse_count(text->substr(1)) < 65'536u) {
        // All processors but so many.
        number = std::max(1, static_cast<int>(available_parallelism()) + std::stoi(*text));
        give("workers", {std::to_string(number)}, "instances");
      } else if (text) {
        give("workers", {*text}, "instances");
      } else {
        refuse("instances", *instances, "a number, 0 or \"max\" for all processors, -1 for all but one");
      }
    }
    const auto* mode = take("exec_mode");
    const auto mode_text = mode ? as_text(*mode) : std::nullopt;
    if (mode_text == "fork" || mode_text == "fork_mode") {
      warn(fmt::format("{} \"fork\" has no meaning here: {}, and workers share the ports they listen on", spelled("exec_mode"),
                       instances ? fmt::format("{} says how many run", spelled("instances")) : "one worker runs"));
    } else if (mode && mode_text != "cluster" && mode_text != "cluster_mode") {
      refuse("exec_mode", *mode, "cluster, fork");
    }
  }

  // env, and over it env_NAME.
  void read_environment() {
    std::map<std::string, std::string> variables;
    const auto add = [&](const std::string& key) {
      const auto* value = take(key);
      if (!value) return false;
      if (!value->is_object()) {
        refuse(key, *value, "an object of variables");
        return true;
      }
      for (const auto& [name, content] : value->items()) {
        if (content.is_null()) continue;
        // PM2 writes what is no text as JSON.
        variables[name] = as_text(content).value_or(content.dump());
      }
      return true;
    };
    const bool any = add("env");
    bool named = false;
    if (!env_name_.empty()) {
      named = add("env_" + env_name_);
      if (!named) warn(fmt::format("there is no \"env_{}\", which --env-name asks for", env_name_));
    }
    if (any || named) {
      Values entries;
      for (const auto& [name, value] : variables) entries.push_back(fmt::format("{}={}", name, value));
      give("env", std::move(entries), any ? "env" : "env_" + env_name_);
    }
    // Those of other names wait for them.
    for (const auto& [key, value] : keys_) {
      if (key.starts_with("env_") && value.second->is_object()) known_.emplace(key, key);
    }
  }

  void read_restarts() {
    pass("max_restarts", "max_restarts", as_text);
    if (take("exp_backoff_restart_delay")) {
      pass("exp_backoff_restart_delay", "backoff", as_duration);
      if (take("restart_delay")) warn("\"restart_delay\" is ignored: \"exp_backoff_restart_delay\" says how long");
    } else {
      // Always the same.
      pass("restart_delay", "backoff", as_duration);
      pass("restart_delay", "max_backoff", as_duration);
    }
    if (const auto* value = take("min_uptime")) read_min_uptime(*value);
    const auto* again = take("autorestart");
    if (again && *again == false) warn("\"autorestart\" has no meaning here and is ignored: a worker that ends is replaced");
  }

  // PM2 gives up after max_restarts lives in a row that were shorter than min_uptime. So many, and the waiting between them, is
  // how long restarts are counted here.
  void read_min_uptime(const OrderedJson& value) {
    const auto text = as_duration(value);
    const auto uptime = text ? parse_duration(*text) : std::nullopt;
    if (!uptime) return refuse("min_uptime", value, find_setting("ready_timeout")->accepted);
    AppConfig config;
    for (const auto& given : app_.given) {
      for (const auto* setting : {"max_restarts", "backoff", "max_backoff"}) {
        if (given.setting == setting) find_setting(setting)->set(config, given.values.front());
      }
    }
    const unsigned most = std::min(config.max_restarts, 1'000'000u);
    Milliseconds window = *uptime * (std::int64_t{most} + 1);
    Milliseconds delay = config.backoff;
    for (unsigned i = 0; i < most; ++i) {
      window += std::min(delay, config.max_backoff);
      delay = std::min(delay * 2, config.max_backoff);
    }
    give("restart_window", {format_duration(std::clamp(window, Milliseconds(1), longest_duration))}, "min_uptime");
  }

  void read_readiness() {
    const auto* wait = take("wait_ready");
    if (!wait || *wait == false) return;
    if (*wait == true) return give("ready", {"message"}, "wait_ready");
    refuse("wait_ready", *wait, "true or false");
  }

  // Here one file has all that an app says.
  void read_logs() {
    const auto* out = take("out_file");
    const auto* error = take("error_file");
    const auto* both = take("log_file");
    std::string_view key = both && both->is_string() ? "log_file" : out ? "out_file" : "error_file";
    const auto* chosen = take(key);
    if (!chosen) return;
    auto text = as_text(*chosen);
    if (!text || chosen->is_boolean()) return refuse(key, *chosen, "a file");
    if (*text == "NULL") text = "/dev/null";
    for (const auto& [other, value] : {std::pair("out_file", out), std::pair("error_file", error)}) {
      if (value && key != other && *value != *chosen) {
        warn(fmt::format("{} is ignored: what an app says is in one file, that of {}", spelled(other), spelled(key)));
      }
    }
    give("log_file", {*text}, key);
  }

  void name_the_rest() {
    if (take("instance_var")) warn("\"instance_var\" has no meaning here and is ignored: NODE_APP_INSTANCE has the number");
    for (const auto& [key, value] : object_.items()) {
      const std::string common(common_spelling(key));
      const auto found = known_.find(common);
      if (found == known_.end() || found->second != key) warn(fmt::format("\"{}\" has no meaning here and is ignored", key));
    }
  }

  const OrderedJson& object_;
  std::string env_name_;
  FileContent& content_;
  FileApp app_;
  std::map<std::string, std::pair<std::string, const OrderedJson*>, std::less<>> keys_;  // by their common spelling
  std::map<std::string, std::string> known_;                                             // by their common spelling, as spelled
};

// Where a byte is.
std::pair<unsigned, unsigned> position(std::string_view text, std::size_t byte) {
  const auto before = text.substr(0, byte);
  const auto line = static_cast<unsigned>(std::count(before.begin(), before.end(), '\n')) + 1;
  const auto last = before.rfind('\n');
  return {line, static_cast<unsigned>(last == std::string_view::npos ? before.size() : before.size() - last - 1) + 1};
}

}  // namespace

bool is_ecosystem(std::string_view path) {
  return path.ends_with(".json") || path.ends_with(".config.js") || path.ends_with(".config.cjs") ||
         path.ends_with(".config.mjs");
}

FileContent read_ecosystem(std::string_view text, const std::string& file, const std::string& folder,
                           const std::string& env_name) {
  FileContent content;
  Place place;
  place.file = file;
  OrderedJson root;
  if (is_too_deep(text)) {
    content.diagnostics.push_back({.place = place, .text = "nests too deep"});
    return content;
  }
  try {
    // As PM2 does, with comments.
    root = OrderedJson::parse(text, nullptr, true, true);
  } catch (const json::parse_error& error) {
    std::tie(place.line, place.column) = position(text, error.byte ? error.byte - 1 : 0);
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ... - what"
    std::string what = error.what();
    if (const auto dash = what.rfind(" - "); dash != std::string::npos) what.erase(0, dash + 3);
    content.diagnostics.push_back({.place = place, .text = "not JSON: " + what});
    return content;
  } catch (const json::exception& error) {
    // "[json.exception.out_of_range.406] number overflow parsing '1e400'"
    const std::string what = error.what();
    content.diagnostics.push_back({.place = place, .text = what.substr(what.find("] ") + 2)});
    return content;
  }
  // { apps: [...] }, or the list, or one app.
  const OrderedJson* apps = &root;
  if (root.is_object()) {
    for (const auto* key : {"apps", "pm2"}) {
      if (const auto found = root.find(key); found != root.end()) apps = &*found;
    }
    for (const auto& [key, value] : root.items()) {
      if (apps != &root && &value != apps) {
        content.diagnostics.push_back({true, place, fmt::format("\"{}\" has no meaning here and is ignored", key)});
      }
    }
  }
  const OrderedJson list = apps->is_array() ? *apps : OrderedJson::array({*apps});
  if (list.empty() || !std::all_of(list.begin(), list.end(), [](const auto& app) { return app.is_object(); })) {
    content.diagnostics.push_back({.place = place, .text = "has no apps; accepted: { \"apps\": [{ \"script\": ... }] }"});
    return content;
  }
  std::size_t number = 0;
  for (const auto& app : list) {
    ++number;
    const auto name = app.find("name") != app.end() ? app.find("name") : app.find("script");
    const bool named = name != app.end() && name->is_string();
    std::string label = named ? fmt::format("{}: app \"{}\"", file, name->template get<std::string>())
                              : fmt::format("{}: app {}", file, number);
    AppReader(app, std::move(label), folder, env_name, content).read();
  }
  return content;
}

namespace {

// Evaluates the file and writes {"value": ...} or {"error", "line", "column"} to descriptor 3, since the file may print. It
// ends itself: the file may have left something running.
constexpr const char* evaluation = R"js(
const { pathToFileURL } = require('url');
const file = require('fs').realpathSync(process.argv[1]);
const tell = (result) => {
  const bytes = Buffer.from(JSON.stringify(result));
  for (let at = 0; at < bytes.length;) at += require('fs').writeSync(3, bytes, at);
  process.exit(0);
};
const fail = (error) => {
  const stack = String(error && error.stack || '');
  const at = stack.split(file)[1]?.match(/^:(\d+)(?::(\d+))?/) || [];
  const what = error instanceof Error ? `${error.name}: ${error.message}` : `threw ${String(error)}`;
  tell({ error: what.split('\n')[0], line: Number(at[1] || 0), column: Number(at[2] || 0) });
};
process.on('uncaughtException', fail);
import(pathToFileURL(file)).then((module) => {
  const value = module.default ?? (module.apps ? { apps: module.apps } : undefined);
  return Promise.resolve(value).then((value) => tell({ value: value === undefined ? null : value }));
}).catch(fail);
)js";

constexpr std::chrono::seconds patience{30};
constexpr std::size_t max_text = 16 << 20;

bool open_pipe(OwnedFd& reader, OwnedFd& writer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  reader = OwnedFd(ends[0]);
  writer = OwnedFd(ends[1]);
  return true;
}

// Reads both until nobody can write to them any more. Says why that cannot be done.
std::string read_both(const OwnedFd& answer, std::string& answer_text, const OwnedFd& output, std::string& output_text) {
  std::array<pollfd, 2> all{{{answer.get(), POLLIN, 0}, {output.get(), POLLIN, 0}}};
  const std::array<std::string*, 2> texts{&answer_text, &output_text};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  // What the file started may have its output as long as it likes.
  while (all[0].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fmt::format("was not evaluated within {} s", patience.count());
    if (poll(all.data(), all.size(), static_cast<int>(left.count())) < 0) {
      if (errno == EINTR) continue;
      return fmt::format("cannot be read: {}", std::strerror(errno));
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].fd < 0 || !(all[i].revents & (POLLIN | POLLHUP | POLLERR))) continue;
      std::array<char, 4096> buffer{};
      const auto size = read(all[i].fd, buffer.data(), buffer.size());
      if (size > 0) {
        if (texts[i]->size() + static_cast<std::size_t>(size) > max_text) {
          return fmt::format("{} more than {} MiB", i == 0 ? "is" : "prints", max_text >> 20);
        }
        texts[i]->append(buffer.data(), static_cast<std::size_t>(size));
      } else if (size == 0 || errno != EINTR) {
        all[i].fd = -1;
      }
    }
  }
  return {};
}

}  // namespace

Evaluated evaluate_ecosystem(const std::string& path, const std::string& file, const Environment& environment,
                             const std::string& cwd) {
  Place place;
  place.file = file;
  const auto failed = [&](std::string why) {
    Evaluated evaluated;
    evaluated.diagnostics.push_back({.place = place, .text = std::move(why)});
    return evaluated;
  };
  const std::string node = find_program("node", environment, cwd);
  if (node.empty()) return failed("is read by node, and there is no node on the PATH; accepted without: ecosystem.config.json");

  OwnedFd answer, answer_end, output, output_end;
  if (!open_pipe(answer, answer_end) || !open_pipe(output, output_end))
    return failed(fmt::format("cannot be read: {}", std::strerror(errno)));

  os::SpawnOptions options;
  options.file = node;
  options.argv = {"node", "--input-type=commonjs", "-e", evaluation, "--", path};
  for (const auto& [name, value] : environment) options.env.push_back(fmt::format("{}={}", name, value));
  options.cwd = cwd;
  options.descriptors = {-1, output_end.get(), output_end.get(), answer_end.get()};
  // Who has asked may be gone before it has answered.
  options.parent_death_signal = SIGKILL;
  const os::Spawned started = os::spawn(options);
  if (started.error != 0) return failed(fmt::format("node cannot be started: {}", std::strerror(started.error)));
  answer_end.reset();
  output_end.reset();

  std::string answer_text, output_text;
  std::string why_not = read_both(answer, answer_text, output, output_text);
  // It has said all it has to say. What the file has started in it would keep it.
  kill(started.pid, SIGKILL);
  os::reap(started.pid, std::chrono::seconds(1));
  if (!why_not.empty()) return failed(std::move(why_not));

  if (is_too_deep(answer_text)) return failed("nests too deep");
  const auto result = OrderedJson::parse(answer_text, nullptr, false);
  if (!result.is_object()) {
    const auto first = output_text.substr(0, output_text.find('\n'));
    return failed(fmt::format("node told nothing{}{}", first.empty() ? "" : ": ", first));
  }
  if (const auto why = result.find("error"); why != result.end()) {
    place.line = result.value("line", 0u);
    place.column = result.value("column", 0u);
    return failed(why->get<std::string>());
  }
  return {.json = result.value("value", OrderedJson()).dump()};
}

}  // namespace muster::cli
