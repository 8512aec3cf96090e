// SPDX-License-Identifier: MIT
#include "config/toml_file.h"

#include <algorithm>

#include <toml++/toml.h>

#include <fmt/format.h>

#include "config/nearest.h"
#include "config/units.h"

namespace muster::cli {
namespace {

using Shape = Setting::Shape;

// The text that a setting reads; empty for what is no single value, and for a date.
std::optional<std::string> as_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
  return std::nullopt;
}

std::string kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "a list";
    case toml::node_type::boolean: return "true or false";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time: return "a date or a time of day";
    default: return "one value";
  }
}

// Each part of a key is a table in a table, for which the parser calls itself.
bool has_endless_key(std::string_view text) {
  constexpr int most = 100;
  int parts = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote || c == '\n') quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '.') {
      if (++parts > most) return true;
    } else if (c == '=' || c == ',' || c == '\n' || c == '[' || c == ']' || c == '{' || c == '}') {
      parts = 0;
    }
  }
  return false;
}

class Reader {
 public:
  Reader(const std::string& file, const std::string& folder) : file_(file), folder_(folder) {}

  FileContent read(std::string_view text) {
    toml::table root;
    if (has_endless_key(text)) {
      mistake(place({}), "has a key of too many parts");
      return std::move(content_);
    }
    try {
      root = toml::parse(text, file_);
    } catch (const toml::parse_error& error) {
      // Nothing behind it can be told.
      mistake(place(error.source()), std::string(error.description()));
      return std::move(content_);
    }
    const toml::node* apps = root.get("apps");
    const bool several = apps != nullptr;
    const auto shared = settings_of(root, several, "apps");
    if (!several) {
      Place whole_file;
      whole_file.file = file_;
      content_.apps.push_back({.folder = folder_, .place = whole_file, .given = shared});
    } else if (const auto* tables = apps->as_table()) {
      for (const auto& [key, node] : in_order(*tables)) read_app(*key, *node, shared);
      if (tables->empty()) mistake(place(apps->source()), "[apps] has no app; accepted: a table [apps.NAME] for each");
    } else {
      mistake(place(apps->source()),
              fmt::format("apps cannot be {}; accepted: a table [apps.NAME] for each app", kind_of(*apps)));
    }
    return std::move(content_);
  }

 private:
  using Entry = std::pair<const toml::key*, const toml::node*>;

  Place place(const toml::source_region& region) const {
    return {.file = file_, .line = region.begin.line, .column = region.begin.column};
  }

  void mistake(Place place, std::string text) {
    content_.diagnostics.push_back({.place = std::move(place), .text = std::move(text)});
  }

  // As they stand in the file; toml++ sorts them by name.
  static std::vector<Entry> in_order(const toml::table& table) {
    std::vector<Entry> entries;
    for (auto&& [key, node] : table) entries.emplace_back(&key, &node);
    std::sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) {
      const auto& a = left.first->source().begin;
      const auto& b = right.first->source().begin;
      return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    return entries;
  }

  void read_app(const toml::key& key, const toml::node& node, const std::vector<Assignment>& shared) {
    const Place at = place(key.source());
    const std::string name(key.str());
    const auto* table = node.as_table();
    if (!table) {
      const std::string what = find_setting(name) ? fmt::format("; \"{}\" for every app goes above [apps]", name) : "";
      return mistake(at,
                     fmt::format("the app \"{}\" cannot be {}; accepted: a table [apps.NAME]{}", name, kind_of(node), what));
    }
    if (!valid_app_name(name)) {
      mistake(at, fmt::format("an app cannot be called \"{}\"; accepted: {}", name, find_setting("name")->accepted));
    }
    FileApp app{.name = name, .folder = folder_, .place = at, .given = shared};
    for (auto& given : settings_of(*table, true, {})) app.given.push_back(std::move(given));
    content_.apps.push_back(std::move(app));
  }

  // `named`: the app has its name from its table. `other`: a key that is no setting and no mistake.
  std::vector<Assignment> settings_of(const toml::table& table, bool named, std::string_view other) {
    std::vector<Assignment> all;
    for (const auto& [key, node] : in_order(table)) {
      const std::string name(key->str());
      const Place at = place(key->source());
      if (!other.empty() && name == other) continue;
      const Setting* setting = find_setting(name);
      if (!setting) {
        auto names = setting_names();
        if (!other.empty()) names.emplace_back(other);
        mistake(at, fmt::format("unknown key \"{}\"{}", name, did_you_mean(name, names)));
      } else if (named && name == "name") {
        mistake(at, "the name of an app is that of its table: [apps.NAME]");
      } else if (auto values = values_of(*setting, *node)) {
        all.push_back({.setting = name, .values = std::move(*values), .called = name, .place = at});
      }
    }
    return all;
  }

  std::optional<Values> values_of(const Setting& setting, const toml::node& node) {
    if (setting.shape == Shape::entries) return entries_of(setting, node);
    const bool is_list = setting.shape == Shape::list || setting.shape == Shape::words;
    if (const auto* array = node.as_array(); array && is_list) {
      Values values;
      bool good = true;
      for (const auto& element : *array) {
        if (auto text = as_text(element)) {
          values.push_back(std::move(*text));
        } else {
          refuse(setting, element);
          good = false;
        }
      }
      return good ? std::optional(values) : std::nullopt;
    }
    auto text = as_text(node);
    if (!text || (node.is_boolean() && setting.shape != Shape::on_off)) {
      refuse(setting, node);
      return std::nullopt;
    }
    if (setting.shape == Shape::words) return split_words(*text);
    return Values{std::move(*text)};
  }

  std::optional<Values> entries_of(const Setting& setting, const toml::node& node) {
    const auto* table = node.as_table();
    if (!table) {
      mistake(place(node.source()),
              fmt::format("{0} cannot be {1}; accepted: a table [{0}] of KEY = \"VALUE\"", setting.name, kind_of(node)));
      return std::nullopt;
    }
    Values values;
    for (const auto& [key, value] : in_order(*table)) {
      if (const auto text = as_text(*value)) {
        values.push_back(fmt::format("{}={}", key->str(), *text));
      } else {
        mistake(place(key->source()),
                fmt::format("the variable \"{}\" cannot be {}; accepted: a text or a number", key->str(), kind_of(*value)));
      }
    }
    return values;
  }

  void refuse(const Setting& setting, const toml::node& node) {
    const std::string hint = node.is_table() ? "; several apps are tables [apps.NAME]" : "";
    mistake(place(node.source()),
            fmt::format("{} cannot be {}; accepted: {}{}", setting.name, kind_of(node), setting.accepted, hint));
  }

  std::string file_;
  std::string folder_;
  FileContent content_;
};

}  // namespace

FileContent read_toml(std::string_view text, const std::string& file, const std::string& folder) {
  return Reader(file, folder).read(text);
}

}  // namespace muster::cli
