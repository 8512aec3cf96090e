// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "config/app_config.h"

namespace muster::cli {

using Values = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;
Environment own_environment();

// One setting. Its name is a flag (--max-memory), a key of a file (max_memory) and a variable (MUSTER_MAX_MEMORY).
struct Setting {
  enum class Shape {
    text,     // one value
    on_off,   // a flag without a value, true or false elsewhere
    list,     // a flag that may be repeated
    words,    // as list, but a text is split at its spaces wherever it is
    entries,  // KEY=VALUE, a flag that may be repeated; a table in a file
  };
  enum class Names { nothing, path, program, socket };  // what is relative to where it was said

  std::string name = {};
  std::string heading = {};  // of --help: those of app_config.h
  std::string placeholder = {};
  std::string help = {};      // one line
  std::string accepted = {};  // in words, after "accepted: "
  std::vector<std::string> choices = {};
  Shape shape = Shape::text;
  Names names = Names::nothing;
  bool has_flag = true;  // the app and its arguments are words of the command line instead
  // False when the text is not accepted. A list gets a text for each of its values, after clear().
  bool (*set)(AppConfig&, const std::string&) = nullptr;
  void (*clear)(AppConfig&) = nullptr;
  // Texts that set() reads as the same; none for what is empty.
  Values (*get)(const AppConfig&) = nullptr;
};

// Every setting there is, in the order of app_config.h.
const std::vector<Setting>& settings();
const Setting* find_setting(std::string_view name);
// All names, for did_you_mean().
std::vector<std::string> setting_names();
std::string flag_name(const Setting& setting);      // --max-memory
std::string variable_name(const Setting& setting);  // MUSTER_MAX_MEMORY

// Where something was said. Line and column count from 1, and are 0 where there are none.
struct Place {
  std::string file = {};  // as it was called: "muster.toml"; `ecosystem.config.js: app "api"`; empty for a flag or a variable
  unsigned line = 0;
  unsigned column = 0;
};

std::string to_string(const Place& place);  // muster.toml:3:1

// What there is to say to the user about what was said: a mistake, with which nothing is started, or a warning.
struct Diagnostic {
  bool is_warning = false;
  Place place = {};
  std::string text = {};
};

std::string to_string(const Diagnostic& diagnostic);  // muster.toml:3:1: unknown key "max_memroy"; did you mean "max_memory"?

// What was said for a setting.
struct Assignment {
  std::string setting = {};
  Values values = {};
  std::string called = {};  // by its author: --workers, MUSTER_WORKERS, workers, "instances"
  Place place = {};
};

// What a file says of an app.
struct FileApp {
  std::string name = {};    // empty: of the file that runs
  std::string folder = {};  // absolute: where relative paths begin
  Place place = {};
  std::vector<Assignment> given = {};  // a later one counts, but variables are added
};

struct FileContent {
  std::vector<FileApp> apps = {};
  std::vector<Diagnostic> diagnostics = {};
};

// All that apps are configured from; the same sources can be resolved again when their files have changed.
struct Sources {
  std::vector<std::string> words = {};  // the app and its arguments; a configuration file, or an app in one
  std::vector<Assignment> flags = {};
  std::string config = {};    // --config FILE
  std::string env_name = {};  // --env-name NAME: env_NAME of a PM2 file
  Environment environment = {};
  std::string cwd = {};  // where words are relative to; absolute
};

struct ResolvedApp {
  // Complete: app is an absolute path unless it is a program on the PATH, name, cwd and interpreter are filled in (an empty
  // interpreter: none), all paths are absolute.
  AppConfig config = {};
  // By setting, who said it: muster.toml:3:1, --workers, MUSTER_WORKERS. Nothing for a default.
  std::map<std::string, std::string> origins = {};
};

struct Resolved {
  std::vector<ResolvedApp> apps = {};  // not to be used when there are mistakes
  std::vector<Diagnostic> diagnostics = {};
  std::string file = {};       // that was read, absolute; empty without one
  std::string file_name = {};  // as it was called

  std::size_t mistakes() const;
  std::size_t warnings() const;
  bool ok() const { return mistakes() == 0; }
};

// Reads the file, if there is one, and looks for the apps. Never throws. A file in JavaScript is evaluated by node, which is
// waited for: some 50 ms, at most 30 s.
Resolved resolve(const Sources& sources);

// Every diagnostic on a line, then `muster.toml: 2 apps, no mistakes`.
std::string report(const Resolved& resolved);

// [A-Za-z0-9._-]{1,64}, no dot first, not "all".
bool valid_app_name(std::string_view name);
// The name of an app that has none: of its file.
std::string app_name_of(std::string_view app);

// On the PATH of the environment; empty when it is not there.
std::string find_program(const std::string& name, const Environment& environment, const std::string& cwd);

// Settings by their names, as texts.
void to_json(nlohmann::json& json, const AppConfig& config);
void from_json(const nlohmann::json& json, AppConfig& config);
void to_json(nlohmann::json& json, const Sources& sources);
void from_json(const nlohmann::json& json, Sources& sources);
void to_json(nlohmann::json& json, const Resolved& resolved);

}  // namespace muster::cli
