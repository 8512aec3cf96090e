// SPDX-License-Identifier: MIT
#include "config/config.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>

#include "config/listen_url.h"
#include "config/units.h"

namespace muster::cli {
namespace {

using Shape = Setting::Shape;
using Names = Setting::Names;

// What a setting holds: how a text sets the member, and the member becomes a text.

template <auto member>
Setting text(std::string accepted, Names names = Names::nothing) {
  return {.accepted = std::move(accepted),
          .names = names,
          .set =
              [](AppConfig& config, const std::string& text) {
                config.*member = text;
                return !text.empty();
              },
          .get = [](const AppConfig& config) { return (config.*member).empty() ? Values{} : Values{config.*member}; }};
}

template <auto member, bool (*valid)(std::string_view)>
Setting checked_text(std::string accepted) {
  Setting setting = text<member>(std::move(accepted));
  setting.set = [](AppConfig& config, const std::string& text) {
    config.*member = text;
    return valid(text);
  };
  return setting;
}

template <auto member>
Setting list(std::string accepted, Shape shape, Names names = Names::nothing) {
  return {.accepted = std::move(accepted),
          .shape = shape,
          .names = names,
          .set =
              [](AppConfig& config, const std::string& text) {
                (config.*member).push_back(text);
                return true;
              },
          .clear = [](AppConfig& config) { (config.*member).clear(); },
          .get = [](const AppConfig& config) { return config.*member; }};
}

template <auto member>
Setting on_off() {
  return {.accepted = "true or false",
          .shape = Shape::on_off,
          .set =
              [](AppConfig& config, const std::string& text) {
                const auto value = parse_switch(text);
                config.*member = value.value_or(false);
                return value.has_value();
              },
          .get = [](const AppConfig& config) { return Values{config.*member ? "true" : "false"}; }};
}

template <auto member, std::uint64_t least = 0>
Setting count() {
  using Number = std::remove_reference_t<decltype(std::declval<AppConfig&>().*member)>;
  return {.accepted = fmt::format("a whole number from {}", least),
          .set =
              [](AppConfig& config, const std::string& text) {
                const auto number = parse_count(text);
                if (!number || *number < least || *number > std::numeric_limits<Number>::max()) return false;
                config.*member = static_cast<Number>(*number);
                return true;
              },
          .get = [](const AppConfig& config) { return Values{std::to_string(config.*member)}; }};
}

template <auto member, int least = 0>
Setting duration() {
  return {.accepted = least > 0 ? "a time longer than 0, such as 500ms, 30s, 5m, 2h or 1d; without a unit, seconds"
                                : "a time, such as 500ms, 30s, 5m, 2h or 1d; without a unit, seconds",
          .set =
              [](AppConfig& config, const std::string& text) {
                const auto value = parse_duration(text);
                if (!value || value->count() < least) return false;
                config.*member = *value;
                return true;
              },
          .get = [](const AppConfig& config) { return Values{format_duration(config.*member)}; }};
}

template <auto member>
Setting size() {
  return {.accepted = "a size, such as 512K, 200M or 1.5G; without a unit, bytes",
          .set =
              [](AppConfig& config, const std::string& text) {
                const auto value = parse_size(text);
                if (value) config.*member = *value;
                return value.has_value();
              },
          .get = [](const AppConfig& config) { return Values{format_size(config.*member)}; }};
}

// One of a few words, in `names`: an array of pairs, of which the first with a value is what it is called.
template <auto member, const auto& names>
Setting choice() {
  Setting setting{.set =
                      [](AppConfig& config, const std::string& text) {
                        std::string word = text;
                        std::replace(word.begin(), word.end(), '-', '_');
                        for (const auto& [name, value] : names) {
                          if (word != name) continue;
                          config.*member = value;
                          return true;
                        }
                        return false;
                      },
                  .get =
                      [](const AppConfig& config) {
                        for (const auto& [name, value] : names) {
                          if (config.*member == value) return Values{std::string(name)};
                        }
                        return Values{};
                      }};
  for (const auto& [name, value] : names) setting.choices.emplace_back(name);
  setting.accepted = fmt::format("{}", fmt::join(setting.choices, ", "));
  return setting;
}

constexpr std::array policies{
    std::pair<std::string_view, SchedulingPolicy>{"round_robin", SchedulingPolicy::round_robin},
    std::pair<std::string_view, SchedulingPolicy>{"rr", SchedulingPolicy::round_robin},
    std::pair<std::string_view, SchedulingPolicy>{"none", SchedulingPolicy::none},
    std::pair<std::string_view, SchedulingPolicy>{"least_connections", SchedulingPolicy::least_connections},
    std::pair<std::string_view, SchedulingPolicy>{"ip_hash", SchedulingPolicy::ip_hash},
    std::pair<std::string_view, SchedulingPolicy>{"kernel", SchedulingPolicy::kernel}};

constexpr std::array readiness{std::pair<std::string_view, ReadySign>{"automatic", ReadySign::automatic},
                               std::pair<std::string_view, ReadySign>{"listening", ReadySign::listening},
                               std::pair<std::string_view, ReadySign>{"message", ReadySign::message},
                               std::pair<std::string_view, ReadySign>{"notify", ReadySign::notify},
                               std::pair<std::string_view, ReadySign>{"delay", ReadySign::delay}};

constexpr std::array formats{std::pair<std::string_view, LogFormat>{"text", LogFormat::text},
                             std::pair<std::string_view, LogFormat>{"json", LogFormat::json}};

// The settings that are like no other.

Setting workers() {
  Setting setting = count<&AppConfig::workers, 1>();
  setting.accepted += ", or max: one for each processor";
  setting.choices = {"max"};
  setting.set = [](AppConfig& config, const std::string& text) {
    if (text == "max") {
      config.workers = 0;
      return true;
    }
    const auto number = parse_count(text);
    // No machine has so many processes.
    if (!number || *number < 1 || *number > 65'536) return false;
    config.workers = static_cast<unsigned>(*number);
    return true;
  };
  setting.get = [](const AppConfig& config) { return Values{config.workers == 0 ? "max" : std::to_string(config.workers)}; };
  return setting;
}

Setting variables() {
  return {.accepted = "KEY=VALUE",
          .shape = Shape::entries,
          .set =
              [](AppConfig& config, const std::string& text) {
                const auto sign = text.find('=');
                if (sign == std::string::npos || sign == 0) return false;
                config.env[text.substr(0, sign)] = text.substr(sign + 1);
                return true;
              },
          .get =
              [](const AppConfig& config) {
                Values values;
                for (const auto& [key, value] : config.env) values.push_back(fmt::format("{}={}", key, value));
                return values;
              }};
}

Setting sockets() {
  Setting setting =
      list<&AppConfig::listen>("tcp://host:port, tcp://[::]:port, unix:/path or udp://host:port", Shape::list, Names::socket);
  setting.set = [](AppConfig& config, const std::string& text) {
    config.listen.push_back(text);
    return parse_listen(text).has_value();
  };
  return setting;
}

Setting grants() {
  Setting setting = list<&AppConfig::may_listen>("a port from 1, host:port or unix:/path", Shape::list, Names::socket);
  setting.set = [](AppConfig& config, const std::string& text) {
    config.may_listen.push_back(text);
    return parse_may_listen(text).has_value();
  };
  return setting;
}

bool valid_host_port(std::string_view text) { return parse_host_port(text).has_value(); }

Setting words_of_the_command_line(Setting setting) {
  setting.has_flag = false;
  return setting;
}

std::vector<Setting> make_settings() {
  std::vector<Setting> all;
  std::string heading;
  const auto add = [&](std::string name, std::string placeholder, std::string help, Setting setting) {
    setting.name = std::move(name);
    setting.heading = heading;
    setting.placeholder = std::move(placeholder);
    setting.help = std::move(help);
    all.push_back(std::move(setting));
  };
  using C = AppConfig;

  heading = "What runs";
  add("name", "NAME", "what it is called; else as its file is",
      checked_text<&C::name, valid_app_name>("up to 64 letters, digits and . _ -, no dot first, not \"all\""));
  add("app", "APP", "what runs: a file, or a program on the PATH",
      words_of_the_command_line(text<&C::app>("a file, or the name of a program on the PATH", Names::program)));
  add("args", "ARGS", "its arguments",
      words_of_the_command_line(list<&C::args>("a list of texts, or one text that is split at spaces", Shape::words)));
  add("interpreter", "PROGRAM", "what runs the file, or none; else node for .js",
      text<&C::interpreter>("a file, the name of a program on the PATH, or none", Names::program));
  add("interpreter_args", "ARGS", "its arguments before the file",
      list<&C::interpreter_args>("a list of texts, or one text that is split at spaces", Shape::words));
  add("cwd", "FOLDER", "where it runs; else here", text<&C::cwd>("a folder", Names::path));
  add("env", "KEY=VALUE", "a variable of its environment; repeatable", variables());
  add("listen", "URL", "a socket for LISTEN_FDS, tcp://*:80; repeatable", sockets());
  add("user", "USER", "the user that the workers run as", text<&C::user>("a name or a number"));
  add("group", "GROUP", "the same of its group", text<&C::group>("a name or a number"));
  add("may_listen", "PORT", "where such workers may listen: 80; repeatable", grants());
  add("no_new_privileges", "", "they get no more rights by set-user-ID", on_off<&C::no_new_privileges>());

  heading = "How many, and who gets a connection";
  add("workers", "N", "how many processes; max: one per processor", workers());
  add("force", "", "also more than this machine is likely to carry", on_off<&C::force>());
  add("policy", "POLICY", "who gets a connection", choice<&C::policy, policies>());
  add("pin", "", "each worker on a processor of its own", on_off<&C::pin>());

  heading = "Keeping it alive";
  add("ready", "WHEN", "listening, message, notify or delay", choice<&C::ready, readiness>());
  add("ready_timeout", "TIME", "then a worker that is not ready has failed", duration<&C::ready_timeout, 1>());
  add("ready_delay", "TIME", "when one that says nothing is ready", duration<&C::ready_delay>());
  add("backoff", "TIME", "before the first restart; doubles", duration<&C::backoff>());
  add("max_backoff", "TIME", "the most it becomes", duration<&C::max_backoff>());
  add("max_restarts", "N", "more of a worker, and the app has failed", count<&C::max_restarts>());
  add("restart_window", "TIME", "within which they count", duration<&C::restart_window, 1>());
  add("max_memory", "SIZE", "replace a worker that uses more; 0: never", size<&C::max_memory>());
  add("max_requests", "N", "replace a worker after so many; 0: never", count<&C::max_requests>());
  add("max_age", "TIME", "replace a worker that is older; 0: never", duration<&C::max_age>());
  add("heartbeat", "TIME", "one silent for longer hangs; 0: never", duration<&C::heartbeat>());

  heading = "Letting go of a worker";
  add("parallel", "N", "how many at a time a reload replaces", count<&C::parallel, 1>());
  add("drain_timeout", "TIME", "to finish its connections; then SIGTERM", duration<&C::drain_timeout>());
  add("kill_timeout", "TIME", "to end on SIGTERM; then SIGKILL", duration<&C::kill_timeout>());

  heading = "Being looked at";
  add("log_format", "FORMAT", "text or json", choice<&C::log_format, formats>());
  add("raw", "", "its lines as they are, on a terminal too", on_off<&C::raw>());
  add("log_file", "FILE", "where its output goes; else the terminal", text<&C::log_file>("a file", Names::path));
  add("log_size", "SIZE", "a new file when it is larger", size<&C::log_size>());
  add("log_files", "N", "how many old ones are kept", count<&C::log_files>());
  add("admin", "HOST:PORT", "/metrics, /healthz, /readyz and a page",
      checked_text<&C::admin, valid_host_port>("host:port, such as 127.0.0.1:9000 or [::1]:9000"));
  return all;
}

bool name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

constexpr std::size_t longest_name = 64;

}  // namespace

Environment own_environment() {
  Environment environment;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const auto sign = text.find('=');
    if (sign != std::string_view::npos) environment.emplace(text.substr(0, sign), text.substr(sign + 1));
  }
  return environment;
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> all = make_settings();
  return all;
}

const Setting* find_setting(std::string_view name) {
  for (const auto& setting : settings()) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const auto& setting : settings()) names.push_back(setting.name);
  return names;
}

std::string flag_name(const Setting& setting) {
  std::string name = "--" + setting.name;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string variable_name(const Setting& setting) {
  std::string name = "MUSTER_" + setting.name;
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  }
  return name;
}

bool valid_app_name(std::string_view name) {
  return !name.empty() && name.size() <= longest_name && name.front() != '.' && name != "all" &&
         std::all_of(name.begin(), name.end(), name_letter);
}

std::string app_name_of(std::string_view app) {
  const auto slash = app.rfind('/');
  std::string name(slash == std::string_view::npos ? app : app.substr(slash + 1));
  if (const auto dot = name.rfind('.'); dot != std::string::npos && dot > 0) name.resize(dot);
  name.erase(0, name.find_first_not_of('.'));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !name_letter(c); }, '-');
  if (name.size() > longest_name) name.resize(longest_name);
  return valid_app_name(name) ? name : name.empty() ? "app" : name + "-app";
}

std::string to_string(const Place& place) {
  std::string text = place.file;
  if (place.line) text += fmt::format(":{}", place.line);
  if (place.column) text += fmt::format(":{}", place.column);
  return text;
}

std::string to_string(const Diagnostic& diagnostic) {
  const std::string place = to_string(diagnostic.place);
  return fmt::format("{}{}{}{}", place, place.empty() ? "" : ": ", diagnostic.is_warning ? "warning: " : "", diagnostic.text);
}

std::size_t Resolved::mistakes() const { return diagnostics.size() - warnings(); }

std::size_t Resolved::warnings() const {
  return static_cast<std::size_t>(std::count_if(diagnostics.begin(), diagnostics.end(),
                                                [](const Diagnostic& diagnostic) { return diagnostic.is_warning; }));
}

std::string report(const Resolved& resolved) {
  const auto number = [](std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
  };
  std::string text;
  for (const auto& diagnostic : resolved.diagnostics) text += to_string(diagnostic) + "\n";
  text += resolved.file_name.empty() ? "command line" : resolved.file_name;
  text += resolved.ok() ? fmt::format(": {}, no mistakes", number(resolved.apps.size(), "app"))
                        : fmt::format(": {}", number(resolved.mistakes(), "mistake"));
  if (resolved.warnings()) text += fmt::format(", {}", number(resolved.warnings(), "warning"));
  return text + "\n";
}

}  // namespace muster::cli
