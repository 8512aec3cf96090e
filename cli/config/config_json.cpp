// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include "config/config.h"
#include "json_text.h"

// What `check --json` prints, and what is kept of an app for `resurrect`.
namespace muster::cli {

using nlohmann::json;

void to_json(json& json, const AppConfig& config) {
  json = json::object();
  for (const auto& setting : settings()) {
    const Values values = setting.get(config);
    if (setting.clear || setting.shape == Setting::Shape::entries) {
      json[setting.name] = values;
    } else if (!values.empty()) {
      json[setting.name] = values.front();
    }
  }
}

void from_json(const json& json, AppConfig& config) {
  config = {};
  for (const auto& setting : settings()) {
    const auto found = json.find(setting.name);
    if (found == json.end()) continue;
    const Values values = found->is_array() ? found->get<Values>() : Values{found->get<std::string>()};
    for (const auto& value : values) setting.set(config, value);
  }
}

static void to_json(json& json, const Place& place) {
  json = json::object();
  json["file"] = place.file;
  if (place.line) json["line"] = place.line;
  if (place.column) json["column"] = place.column;
}

// Words, variables and paths may hold what bytes they like, and are kept as they are.
static json to_json(const std::vector<std::string>& texts) {
  json list = json::array();
  for (const std::string& text : texts) list.push_back(bytes_to_json(text));
  return list;
}

static std::vector<std::string> texts_from_json(const json& list) {
  std::vector<std::string> texts;
  for (const json& text : list) texts.push_back(bytes_from_json(text));
  return texts;
}

static void to_json(json& json, const Assignment& given) {
  json = {{"setting", given.setting}, {"values", to_json(given.values)}, {"called", bytes_to_json(given.called)}};
}

static void from_json(const json& json, Assignment& given) {
  json.at("setting").get_to(given.setting);
  given.values = texts_from_json(json.at("values"));
  given.called = bytes_from_json(json.at("called"));
}

void to_json(nlohmann::json& json, const Sources& sources) {
  json = {{"words", to_json(sources.words)},         {"flags", sources.flags},
          {"config", bytes_to_json(sources.config)}, {"env_name", bytes_to_json(sources.env_name)},
          {"environment", nlohmann::json::object()}, {"cwd", bytes_to_json(sources.cwd)}};
  // A name that is no text cannot be a member's.
  for (const auto& [name, value] : sources.environment) {
    if (bytes_to_json(name).is_string()) {
      json["environment"][name] = bytes_to_json(value);
    } else {
      json["environment_of_bytes"].push_back({bytes_to_json(name), bytes_to_json(value)});
    }
  }
}

void from_json(const nlohmann::json& json, Sources& sources) {
  sources.words = texts_from_json(json.at("words"));
  json.at("flags").get_to(sources.flags);
  sources.config = bytes_from_json(json.at("config"));
  sources.env_name = bytes_from_json(json.at("env_name"));
  sources.cwd = bytes_from_json(json.at("cwd"));
  for (const auto& [name, value] : json.at("environment").items()) sources.environment[name] = bytes_from_json(value);
  for (const auto& variable : json.value("environment_of_bytes", nlohmann::json::array())) {
    sources.environment[bytes_from_json(variable.at(0))] = bytes_from_json(variable.at(1));
  }
}

static void to_json(json& json, const Diagnostic& diagnostic) {
  json = diagnostic.place;
  json["severity"] = diagnostic.is_warning ? "warning" : "mistake";
  json["text"] = diagnostic.text;
}

static void to_json(json& json, const ResolvedApp& app) { json = {{"config", app.config}, {"origins", app.origins}}; }

void to_json(json& json, const Resolved& resolved) {
  json = {{"file", resolved.file}, {"ok", resolved.ok()}, {"apps", resolved.apps}, {"remarks", resolved.diagnostics}};
}

}  // namespace muster::cli
