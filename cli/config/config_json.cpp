#include <nlohmann/json.hpp>

#include "config/config.h"

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

static void to_json(json& json, const Given& given) {
  json = {{"setting", given.setting}, {"values", given.values}, {"called", given.called}};
}

static void from_json(const json& json, Given& given) {
  json.at("setting").get_to(given.setting);
  json.at("values").get_to(given.values);
  json.at("called").get_to(given.called);
}

void to_json(json& json, const Sources& sources) {
  json = {{"words", sources.words},
          {"flags", sources.flags},
          {"config", sources.config},
          {"env_name", sources.env_name},
          {"environment", sources.environment},
          {"cwd", sources.cwd}};
}

void from_json(const json& json, Sources& sources) {
  json.at("words").get_to(sources.words);
  json.at("flags").get_to(sources.flags);
  json.at("config").get_to(sources.config);
  json.at("env_name").get_to(sources.env_name);
  json.at("environment").get_to(sources.environment);
  json.at("cwd").get_to(sources.cwd);
}

static void to_json(json& json, const Remark& remark) {
  json = remark.place;
  json["severity"] = remark.is_warning ? "warning" : "mistake";
  json["text"] = remark.text;
}

static void to_json(json& json, const ResolvedApp& app) { json = {{"config", app.config}, {"origins", app.origins}}; }

void to_json(json& json, const Resolved& resolved) {
  json = {{"file", resolved.file}, {"ok", resolved.ok()}, {"apps", resolved.apps}, {"remarks", resolved.remarks}};
}

}  // namespace muster::cli
