// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <fmt/format.h>

#include "config/capacity.h"
#include "config/config.h"
#include "config/ecosystem.h"
#include "config/listen_url.h"
#include "config/nearest.h"
#include "config/toml_file.h"
#include "config/units.h"
#include "os/file.h"

namespace muster::cli {
namespace {

namespace fs = std::filesystem;
using Shape = Setting::Shape;
using Names = Setting::Names;

constexpr std::string_view default_file = "muster.toml";
constexpr std::string_view config_variable = "MUSTER_CONFIG";

// Of what somebody writes by hand; a pipe may be written by a program.
constexpr std::uint64_t max_file_size = 4 << 20;
constexpr std::chrono::seconds file_patience(10);

// What muster tells a worker, in whose environment it may be run again: not meant for it, whatever else it is the name of.
constexpr std::array<std::string_view, 5> of_a_worker{"MUSTER_APP", "MUSTER_WORKER", "MUSTER_GENERATION", "MUSTER_REPORT_FD",
                                                      "MUSTER_DRAIN_TIMEOUT"};

std::string absolute(const std::string& path, const std::string& folder) {
  fs::path base(folder);
  // `..` from a linked folder is the parent of the real one, as for every program.
  if (const fs::path relative = fs::path(path).lexically_normal(); !relative.empty() && *relative.begin() == "..") {
    std::error_code error;
    if (fs::path real = fs::canonical(folder, error); !error) base = std::move(real);
  }
  return (base / path).lexically_normal().string();
}

bool is_file(const std::string& path) {
  std::error_code none;
  return fs::exists(path, none) && !fs::is_directory(path, none);
}

bool is_folder(const std::string& path) {
  std::error_code none;
  return fs::is_directory(path, none);
}

bool has_slash(std::string_view path) { return path.find('/') != std::string_view::npos; }

bool ends_with_one_of(std::string_view path, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) { return path.ends_with(ending); });
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code none;
    if (!entry->is_directory(none)) names.push_back(entry->path().filename().string());
  }
  // For the same suggestion wherever it is run.
  std::sort(names.begin(), names.end());
  return names;
}

// A suggestion for a file that is not there.
std::string did_you_mean_file(const std::string& path) {
  const fs::path file(path);
  auto names = files_in(file.parent_path().string());
  std::erase(names, file.filename().string());
  return did_you_mean(file.filename().string(), names);
}

// A word on the command line that is a configuration and not an app.
bool is_configuration(std::string_view word) { return word.ends_with(".toml") || is_ecosystem(word); }

// What node runs, when nobody says otherwise.
bool is_for_node(std::string_view app) { return ends_with_one_of(app, {".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"}); }

// What a script that cannot be executed was probably meant for.
std::string_view likely_interpreter(std::string_view app) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> all{
      {{".py", "python3"}, {".rb", "ruby"}, {".sh", "sh"}, {".pl", "perl"}, {".php", "php"}, {".lua", "lua"}}};
  for (const auto& [ending, interpreter] : all) {
    if (app.ends_with(ending)) return interpreter;
  }
  return "PROGRAM";
}

// An app while it is put together.
struct Draft {
  ResolvedApp result;
  std::map<std::string, Assignment> said;  // by setting, the last
  std::string app_folder;                  // its relative paths begin here
  Place place;                             // of the app in its file

  AppConfig& config() { return result.config; }
  bool has(const std::string& setting) const { return said.count(setting) != 0; }
};

class Resolver {
 public:
  explicit Resolver(const Sources& sources) : sources_(sources), config_(sources.config), words_(sources.words) {}

  Resolved run() {
    read_variables();
    std::vector<FileApp> apps = find_apps();
    if (!sources_.env_name.empty() && !is_ecosystem(config_)) {
      warn({}, "--env-name means something to a PM2 file only and is ignored");
    }
    refuse_one_name_for_all(apps);
    for (const auto& app : apps) drafts_.push_back(draft(app));
    for (auto& draft : drafts_) {
      complete(draft);
      contradictions(draft);
    }
    compare_apps();
    for (auto& draft : drafts_) out_.apps.push_back(std::move(draft.result));
    sort_diagnostics();
    return std::move(out_);
  }

 private:
  void mistake(Place place, std::string text) {
    out_.diagnostics.push_back({.place = std::move(place), .text = std::move(text)});
  }
  void warn(Place place, std::string text) {
    out_.diagnostics.push_back({.is_warning = true, .place = std::move(place), .text = std::move(text)});
  }

  // --- The environment.

  void read_variables() {
    std::vector<std::string> names{std::string(config_variable)};
    for (const auto& setting : settings()) names.push_back(variable_name(setting));
    const bool in_worker = sources_.environment.count("MUSTER_WORKER") != 0;
    for (const auto& entry : sources_.environment) {
      const std::string& name = entry.first;
      const std::string& value = entry.second;
      if (name.rfind("MUSTER_", 0) != 0) continue;
      if (in_worker && std::find(of_a_worker.begin(), of_a_worker.end(), name) != of_a_worker.end()) continue;
      if (name == config_variable) {
        if (config_.empty()) config_ = value;
        continue;
      }
      const auto known = std::find_if(settings().begin(), settings().end(),
                                      [&](const Setting& setting) { return variable_name(setting) == name; });
      if (known == settings().end()) {
        warn_of_variable(name, names);
      } else if (!value.empty()) {
        const bool one = known->shape == Shape::text || known->shape == Shape::on_off;
        variables_.push_back({.setting = known->name, .values = one ? Values{value} : split_words(value), .called = name});
      }
    }
  }

  void warn_of_variable(const std::string& name, const std::vector<std::string>& names) {
    // The letters they all begin with say nothing.
    std::vector<std::string> rests;
    rests.reserve(names.size());
    for (const auto& known : names) rests.push_back(known.substr(7));
    if (const auto rest = nearest(name.substr(7), rests)) {
      warn({}, fmt::format("{} means nothing; did you mean \"MUSTER_{}\"?", name, *rest));
    }
  }

  // --- Which apps.

  std::vector<FileApp> find_apps() {
    if (config_.empty() && !words_.empty() && is_configuration(words_.front())) {
      config_ = words_.front();
      words_.erase(words_.begin());
    }
    if (!config_.empty()) return choose(read(config_));
    const std::string beside = absolute(std::string(default_file), sources_.cwd);
    if (is_file(beside)) {
      if (words_.empty()) {
        config_ = default_file;
        return choose(read(config_));
      }
      // Maybe the name of an app in it.
      if (valid_app_name(words_.front())) return maybe_in_default_file();
    }
    if (words_.empty() && !said_by_variable("app")) {
      no_app();
      return {};
    }
    return {FileApp{.folder = sources_.cwd}};
  }

  bool said_by_variable(std::string_view setting) const {
    return std::any_of(variables_.begin(), variables_.end(), [&](const Assignment& given) { return given.setting == setting; });
  }

  void no_app() {
    std::string text = fmt::format("no app: name one, as in `muster run server.js`, or describe it in {}", default_file);
    for (const auto& name : files_in(sources_.cwd)) {
      if (name.rfind("ecosystem.", 0) == 0 && is_ecosystem(name)) text += fmt::format("; there is {0}: `muster run {0}`", name);
    }
    mistake({}, text);
  }

  std::vector<FileApp> maybe_in_default_file() {
    const std::string word = words_.front();
    FileContent content = read(std::string(default_file));
    // Then nothing can be told of the names in it.
    const bool broken = content.apps.empty();
    const auto found =
        std::find_if(content.apps.begin(), content.apps.end(), [&](const FileApp& app) { return name_of(app) == word; });
    if (found != content.apps.end()) {
      config_ = default_file;
      return choose(std::move(content));
    }
    // The file is beside the point, unless it may be the reason why the word means nothing.
    const bool runs = is_file(absolute(word, sources_.cwd)) || !program(word).empty();
    if (!runs) {
      if (broken) out_.diagnostics.insert(out_.diagnostics.end(), content.diagnostics.begin(), content.diagnostics.end());
      for (const auto& app : content.apps) names_beside_.push_back(name_of(app));
    }
    out_.file.clear();
    out_.file_name.clear();
    return {FileApp{.folder = sources_.cwd}};
  }

  static std::string name_of(const FileApp& app) {
    std::string name = app.name;
    std::string file;
    for (const auto& given : app.given) {
      if (given.setting == "name" && name.empty() && !given.values.empty()) name = given.values.back();
      if (given.setting == "app" && !given.values.empty()) file = given.values.back();
    }
    return name.empty() ? app_name_of(file) : name;
  }

  FileContent read(const std::string& name) {
    const std::string path = absolute(name, sources_.cwd);
    const std::string folder = fs::path(path).parent_path().string();
    out_.file = path;
    out_.file_name = name;
    Place at;
    at.file = name;
    FileContent content;
    const os::FileText file = os::read_file(path, max_file_size, file_patience);
    if (file.error != 0) {
      const std::string why = file.error == ETIMEDOUT
                                  ? fmt::format("nothing has been written to it for {} s", file_patience.count())
                              : file.error == EFBIG ? fmt::format("it is larger than {}", format_size(max_file_size))
                                                    : std::strerror(file.error);
      content.diagnostics.push_back({.place = at, .text = fmt::format("cannot be read: {}{}", why, did_you_mean_file(path))});
      return content;
    }
    if (is_ecosystem(name) && !name.ends_with(".json")) {
      auto evaluated = evaluate_ecosystem(path, name, sources_.environment, sources_.cwd);
      if (!evaluated.diagnostics.empty()) return {.diagnostics = std::move(evaluated.diagnostics)};
      return read_ecosystem(evaluated.json, name, folder, sources_.env_name);
    }
    if (is_ecosystem(name)) return read_ecosystem(file.text, name, folder, sources_.env_name);
    return read_toml(file.text, name, folder);
  }

  // The apps of a file that the words name: all without words. Of a file that is settings only, the words say what runs.
  std::vector<FileApp> choose(FileContent content) {
    out_.diagnostics.insert(out_.diagnostics.end(), content.diagnostics.begin(), content.diagnostics.end());
    if (words_.empty()) return std::move(content.apps);
    if (content.apps.empty()) return {};
    std::vector<std::string> names;
    for (const auto& app : content.apps) names.push_back(name_of(app));
    const auto is_named = [&](const std::string& word) { return std::find(names.begin(), names.end(), word) != names.end(); };
    if (content.apps.size() == 1 && content.apps[0].name.empty() && !is_named(words_.front())) return std::move(content.apps);
    std::vector<FileApp> chosen;
    for (const auto& word : words_) {
      const auto found = std::find(names.begin(), names.end(), word);
      if (found != names.end()) {
        chosen.push_back(content.apps[static_cast<std::size_t>(found - names.begin())]);
      } else {
        Place at;
        at.file = config_;
        mistake(at, fmt::format("has no app \"{}\"; accepted: {}{}", word, fmt::join(names, ", "), did_you_mean(word, names)));
      }
    }
    words_.clear();
    return chosen;
  }

  void refuse_one_name_for_all(const std::vector<FileApp>& apps) {
    if (apps.size() < 2) return;
    for (const auto* all : {&std::as_const(variables_), &sources_.flags}) {
      for (const auto& given : *all) {
        if (given.setting != "name" && given.setting != "app") continue;
        mistake({}, fmt::format("{} cannot be for {} apps at once", given.called, apps.size()));
      }
    }
  }

  // --- One app.

  Draft draft(const FileApp& app) {
    Draft draft;
    draft.place = app.place;
    draft.config().name = app.name;
    for (const auto& given : app.given) assign(draft, given, app.folder);
    for (const auto& given : variables_) assign(draft, given, sources_.cwd);
    for (const auto& given : sources_.flags) assign(draft, given, sources_.cwd);
    if (!words_.empty()) {
      assign(draft, {.setting = "app", .values = {words_.front()}, .called = "APP"}, sources_.cwd);
      // The arguments in a file are those of the app in it.
      assign(draft, {.setting = "args", .values = {words_.begin() + 1, words_.end()}, .called = "ARGS"}, sources_.cwd);
    }
    return draft;
  }

  void assign(Draft& draft, const Assignment& given, const std::string& folder) {
    const Setting* setting = find_setting(given.setting);
    if (!setting) return;
    if (setting->clear) setting->clear(draft.config());
    bool good = true;
    for (const auto& value : given.values) {
      if (setting->set(draft.config(), based(*setting, value, folder))) continue;
      good = false;
      mistake(given.place, fmt::format("{} cannot be \"{}\"; accepted: {}{}", given.called, value, setting->accepted,
                                       did_you_mean(value, setting->choices)));
    }
    if (setting->name == "app") draft.app_folder = folder;
    // What was refused contradicts nothing.
    if (!good && setting->name != "app") return;
    draft.said[setting->name] = given;
    draft.result.origins[setting->name] = given.place.file.empty() ? given.called : to_string(given.place);
  }

  // A path that is relative to where it was said.
  static std::string based(const Setting& setting, const std::string& value, const std::string& folder) {
    if (value.empty()) return value;
    if (setting.names == Names::path) return absolute(value, folder);
    // The app is looked for when all is known.
    if (setting.names == Names::program && setting.name != "app" && has_slash(value)) return absolute(value, folder);
    if (setting.names == Names::socket) {
      auto url = parse_listen(value);
      if (!url || url->type != ListenUrl::Type::unix_stream) return value;
      url->options.path = absolute(url->options.path, folder);
      return to_string(*url);
    }
    return value;
  }

  // Where a setting was said, and how it was called there.
  static Place place_of(const Draft& draft, const std::string& setting) {
    const auto found = draft.said.find(setting);
    return found == draft.said.end() ? draft.place : found->second.place;
  }
  static std::string called(const Draft& draft, const std::string& setting) {
    const auto found = draft.said.find(setting);
    return found == draft.said.end() ? setting : found->second.called;
  }

  std::string program(const std::string& name) const { return find_program(name, sources_.environment, sources_.cwd); }

  void complete(Draft& draft) {
    AppConfig& config = draft.config();
    const bool is_script = locate_app(draft);
    complete_interpreter(draft, is_script);
    if (config.name.empty()) config.name = app_name_of(config.app);
    if (config.cwd.empty()) config.cwd = sources_.cwd;
    if (!is_folder(config.cwd)) {
      mistake(place_of(draft, "cwd"), fmt::format("there is no folder {}, which is {}", config.cwd, called(draft, "cwd")));
    }
    const auto is_number = [](const std::string& text) { return parse_count(text).has_value(); };
    if (!config.user.empty() && !is_number(config.user) && !getpwnam(config.user.c_str())) {
      mistake(place_of(draft, "user"), fmt::format("there is no user \"{}\", which is {}", config.user, called(draft, "user")));
    }
    if (!config.group.empty() && !is_number(config.group) && !getgrnam(config.group.c_str())) {
      mistake(place_of(draft, "group"),
              fmt::format("there is no group \"{}\", which is {}", config.group, called(draft, "group")));
    }
    if (!config.user.empty() && config.group.empty() && is_number(config.user) &&
        !getpwuid(static_cast<uid_t>(*parse_count(config.user)))) {
      mistake(place_of(draft, "user"), fmt::format("{} is {}, which has no entry and so no group; --group must say it",
                                                   called(draft, "user"), config.user));
    }
    // A default gives way to what was said.
    if (config.backoff > config.max_backoff && !draft.has("max_backoff")) config.max_backoff = config.backoff;
    if (config.backoff > config.max_backoff && !draft.has("backoff")) config.backoff = config.max_backoff;
  }

  // Whether it is a file, rather than a program on the PATH.
  bool locate_app(Draft& draft) {
    AppConfig& config = draft.config();
    const std::string value = config.app;
    const Place at = place_of(draft, "app");
    if (value.empty()) {
      if (draft.has("app")) return false;  // which has been said
      mistake(draft.place, config.name.empty() ? std::string("app is missing: what runs?")
                                               : fmt::format("app is missing: what runs as \"{}\"?", config.name));
      return false;
    }
    const std::string path = absolute(value, draft.app_folder);
    if (is_file(path)) {
      config.app = path;
      return true;
    }
    if (!has_slash(value) && !program(value).empty()) return false;
    if (is_folder(path)) {
      mistake(at, fmt::format("{} is a folder; accepted: a file, or the name of a program on the PATH", path));
      return false;
    }
    const fs::path folder = fs::path(path).parent_path();
    std::string text = fmt::format("there is no file \"{}\" in {}", fs::path(path).filename().string(), folder.string());
    if (!is_folder(folder.string())) text = fmt::format("there is no folder {} for \"{}\"", folder.string(), value);
    if (!has_slash(value)) text += ", nor a program of that name on the PATH";
    std::string hint = did_you_mean_file(path);
    if (hint.empty()) hint = did_you_mean(value, names_beside_);
    mistake(at, text + hint);
    return false;
  }

  void complete_interpreter(Draft& draft, bool is_script) {
    AppConfig& config = draft.config();
    const bool by_default = config.interpreter.empty();
    if (by_default && is_script && is_for_node(config.app)) config.interpreter = "node";
    if (config.interpreter == "none") config.interpreter.clear();
    if (config.interpreter.empty()) {
      if (!config.interpreter_args.empty()) {
        mistake(place_of(draft, "interpreter_args"),
                fmt::format("{} without an interpreter", called(draft, "interpreter_args")));
      }
      if (is_script && access(config.app.c_str(), X_OK) != 0) {
        mistake(place_of(draft, "app"),
                fmt::format("{} is not executable; accepted: a program, or a script with --interpreter {}", config.app,
                            likely_interpreter(config.app)));
      }
      return;
    }
    const auto& interpreter = config.interpreter;
    if (has_slash(interpreter) ? is_file(interpreter) : !program(interpreter).empty()) return;
    mistake(place_of(draft, by_default ? "app" : "interpreter"),
            has_slash(interpreter)
                ? fmt::format("there is no interpreter {}{}", interpreter, did_you_mean_file(interpreter))
                : fmt::format("there is no program \"{}\" on the PATH, which is to run {}", interpreter, config.app));
  }

  // What is right by itself and wrong together.
  void contradictions(const Draft& draft) {
    const AppConfig& config = draft.result.config;
    if (draft.has("may_listen") && config.user.empty()) {
      warn(place_of(draft, "may_listen"),
           fmt::format("{} has no meaning without a user: the workers may listen where this process may",
                       called(draft, "may_listen")));
    }
    if (!config.listen.empty()) {
      if (config.ready == ReadySign::message || config.ready == ReadySign::listening) {
        mistake(place_of(draft, "ready"),
                fmt::format("{} cannot be \"{}\" with {}: the app has its sockets from LISTEN_FDS and no channel to tell so; "
                            "accepted: automatic, notify, delay",
                            called(draft, "ready"), find_setting("ready")->get(config).front(), called(draft, "listen")));
      }
      for (const std::string setting : {"policy", "max_requests"}) {
        const bool means_something = setting == "policy" && config.policy == SchedulingPolicy::none;
        if (!draft.has(setting) || means_something) continue;
        warn(place_of(draft, setting), fmt::format("{} has no meaning with {}: the workers take connections themselves",
                                                   called(draft, setting), called(draft, "listen")));
      }
    }
    if (const auto why = too_many_workers(config.workers); why && !config.force) {
      mistake(place_of(draft, "workers"),
              fmt::format("{} cannot be {}: {}; accepted: fewer, or {} with {}", called(draft, "workers"), config.workers, *why,
                          config.workers, draft.place.file.empty() ? "--force" : "force = true"));
    }
    if (config.backoff > config.max_backoff) {
      mistake(place_of(draft, "max_backoff"),
              fmt::format("{} of {} is less than {} of {}", called(draft, "max_backoff"), format_duration(config.max_backoff),
                          called(draft, "backoff"), format_duration(config.backoff)));
    }
    if (draft.has("ready_delay") && config.ready_delay > config.ready_timeout) {
      mistake(place_of(draft, "ready_delay"),
              fmt::format("{} of {} is longer than {} of {}", called(draft, "ready_delay"), format_duration(config.ready_delay),
                          called(draft, "ready_timeout"), format_duration(config.ready_timeout)));
    }
  }

  // --- All of them.

  // What two apps cannot share.
  void compare_apps() {
    for (auto later = drafts_.begin(); later != drafts_.end(); ++later) {
      for (auto earlier = drafts_.begin(); earlier != later; ++earlier) {
        const AppConfig& a = earlier->config();
        const AppConfig& b = later->config();
        if (a.name == b.name) mistake(later->place, fmt::format("two apps are called \"{}\"", a.name));
        const auto shared = [&](const std::string& setting, const std::string& value) {
          mistake(place_of(*later, setting), fmt::format("the apps \"{}\" and \"{}\" cannot both have {} {}", a.name, b.name,
                                                         called(*later, setting), value));
        };
        if (!a.admin.empty() && a.admin == b.admin && !a.admin.ends_with(":0")) shared("admin", a.admin);
        if (!a.log_file.empty() && a.log_file == b.log_file && a.log_file.rfind("/dev/", 0) != 0)
          shared("log_file", a.log_file);
        for (const auto& url : a.listen) {
          if (!url.ends_with(":0") && std::find(b.listen.begin(), b.listen.end(), url) != b.listen.end()) shared("listen", url);
        }
      }
    }
  }

  // In the order of the file and each once, although settings above [apps] are those of each app.
  void sort_diagnostics() {
    auto& diagnostics = out_.diagnostics;
    const auto position = [](const Diagnostic& diagnostic) {
      return std::tuple(diagnostic.place.file.empty(), diagnostic.place.line, diagnostic.place.column);
    };
    std::stable_sort(diagnostics.begin(), diagnostics.end(),
                     [&](const Diagnostic& left, const Diagnostic& right) { return position(left) < position(right); });
    std::vector<Diagnostic> once;
    for (auto& diagnostic : diagnostics) {
      const bool known = std::any_of(once.begin(), once.end(),
                                     [&](const Diagnostic& other) { return to_string(other) == to_string(diagnostic); });
      if (!known) once.push_back(std::move(diagnostic));
    }
    diagnostics = std::move(once);
  }

  const Sources& sources_;
  std::string config_;
  std::vector<std::string> words_;
  std::vector<Assignment> variables_;
  std::vector<Draft> drafts_;
  std::vector<std::string> names_beside_;  // of the apps in the file that was not asked for
  Resolved out_;
};

}  // namespace

std::string find_program(const std::string& name, const Environment& environment, const std::string& cwd) {
  const auto path = environment.find("PATH");
  std::istringstream folders(path == environment.end() ? "/usr/local/bin:/usr/bin:/bin" : path->second);
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string candidate = absolute(name, absolute(folder, cwd));
    if (is_file(candidate) && faccessat(AT_FDCWD, candidate.c_str(), X_OK, AT_EACCESS) == 0) return candidate;
  }
  return {};
}

Resolved resolve(const Sources& sources) {
  try {
    return Resolver(sources).run();
  } catch (const std::exception& error) {
    // Nothing that a file says may end who reads it.
    Resolved resolved;
    resolved.diagnostics.push_back({.place = {}, .text = fmt::format("cannot be read: {}", error.what())});
    return resolved;
  }
}

}  // namespace muster::cli
