// SPDX-License-Identifier: MIT
#include "config/options.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <muster/version.h>

#include "config/nearest.h"
#include "config/units.h"

namespace muster::cli {
namespace {

using Words = std::vector<std::string>;

// A flag of a subcommand that is no setting of an app.
struct Flag {
  std::string names;        // as CLI11 reads them: -f,--follow
  std::string placeholder;  // empty for one without a value
  std::string help;
};

// What was read of a command line.
struct Line {
  Words words;
  std::map<std::string, Words> flags;  // by their longest name
  Sources sources;

  bool has(const std::string& flag) const { return flags.count(flag) != 0; }
  std::string value(const std::string& flag) const { return flags.at(flag).back(); }
};

// A mistake, as one line for the user.
struct Mistake {
  std::string text;
};

// A subcommand: how it is called, and what is made of its words.
struct Subcommand {
  std::string name;
  std::string usage;  // the words it takes
  std::string help;   // for `muster --help`, which has 80 columns
  std::string group;
  std::string more;  // for its own --help
  std::size_t least_words;
  std::size_t most_words;
  bool has_settings;
  std::vector<Flag> flags;
  std::function<Command(Line)> make;
};

// --- Values of flags and words.

std::string app_name(const std::string& word) {
  if (word == "all" || valid_app_name(word)) return word;
  throw Mistake{fmt::format("\"{}\" is not the name of an app; accepted: {}", word, find_setting("name")->accepted)};
}

template <class Value>
Value accepted(std::optional<Value> value, std::string_view called, std::string_view text, std::string_view what) {
  if (!value) throw Mistake{fmt::format("{} cannot be \"{}\"; accepted: {}", called, text, what)};
  return *value;
}

Milliseconds duration(const Line& line, const std::string& flag) {
  const std::string text = line.value(flag);
  return accepted(parse_duration(text), flag, text, find_setting("kill_timeout")->accepted);
}

std::optional<Milliseconds> timeout(const Line& line) {
  return line.has("--timeout") ? std::optional(duration(line, "--timeout")) : std::nullopt;
}

std::optional<unsigned> small_number(std::string_view text) {
  const auto number = parse_count(text);
  return number && *number <= 1'000'000 ? std::optional(static_cast<unsigned>(*number)) : std::nullopt;
}

command::Scale scale(const Line& line) {
  command::Scale scale{.name = app_name(line.words[0]), .force = line.has("--force")};
  const std::string& text = line.words[1];
  if (text == "max") {
    scale.how = command::Scale::How::max;
    return scale;
  }
  const bool is_signed = !text.empty() && (text.front() == '+' || text.front() == '-');
  auto number = small_number(std::string_view(text).substr(is_signed ? 1 : 0));
  if (number == 0u) number.reset();
  scale.workers = static_cast<int>(accepted(number, "N", text, "a number from 1, +1 or -1 for more or fewer, max"));
  if (is_signed) scale.how = command::Scale::How::by;
  if (text.front() == '-') scale.workers = -scale.workers;
  return scale;
}

command::Why why(const Line& line) {
  const std::string& word = line.words[0];
  const auto slash = word.find('/');
  command::Why why{.name = app_name(word.substr(0, slash)), .worker = {}};
  if (slash == std::string::npos) return why;
  const std::string text = word.substr(slash + 1);
  auto number = small_number(text);
  if (number == 0u) number.reset();
  why.worker = accepted(number, "WORKER", text, "the number of a worker, from 1");
  return why;
}

command::Logs logs(const Line& line) {
  command::Logs logs{
      .name = line.words.empty() ? "" : app_name(line.words[0]), .follow = line.has("--follow"), .raw = line.has("--raw")};
  if (line.has("--lines")) {
    logs.lines = accepted(small_number(line.value("--lines")), "--lines", line.value("--lines"), "a whole number from 0");
  }
  return logs;
}

command::Top top(const Line& line) {
  command::Top top{.name = line.words.empty() ? "" : app_name(line.words[0]), .once = line.has("--once")};
  if (line.has("--interval")) top.interval = duration(line, "--interval");
  if (top.interval < Milliseconds(100)) throw Mistake{"--interval cannot be so short; accepted: a time from 100ms"};
  return top;
}

// --- The subcommands.

const std::vector<Subcommand>& subcommands() {
  const auto sources = [](auto command) {
    return [command](Line line) mutable {
      command.sources = std::move(line.sources);
      return command;
    };
  };
  const auto named = [](auto command) {
    return [command](const Line& line) mutable {
      command.name = app_name(line.words[0]);
      return command;
    };
  };
  const auto timed = [](auto command) {
    return [command](const Line& line) mutable {
      command.name = app_name(line.words[0]);
      command.timeout = timeout(line);
      return command;
    };
  };
  const auto plain = [](auto command) { return [command](const Line&) { return command; }; };
  const std::vector<Flag> wait{{"--timeout", "TIME", "in place of the app's drain_timeout"}};
  const std::vector<Flag> files{{"--config", "FILE", "in place of ./muster.toml"},
                                {"--env-name", "NAME", "env_NAME of a PM2 file"}};
  const std::string what_runs =
      "APP is a file or a program on the PATH; what follows it is its own. It may also\n"
      "be a file of PM2, or the name of an app in ./muster.toml, which is read without\n"
      "an APP too. Each setting is also a variable, --max-memory MUSTER_MAX_MEMORY,\n"
      "and a key of the file, max_memory. A flag counts before a variable, and that\n"
      "before the file.";
  static const std::vector<Subcommand> all{
      {"run", "[settings] [APP [ARGS...]]", "run an app in the foreground", "Start", what_runs, 0, 0, true, files,
       sources(command::Run{})},
      {"start", "[settings] [APP [ARGS...]]", "run an app in the background", "Start", what_runs, 0, 0, true, files,
       sources(command::Start{})},
      {"check", "[settings] [FILE]", "tell every mistake in a configuration", "Start",
       "FILE is ./muster.toml without one; or anything that `muster run` takes.", 0, 0, true, files, sources(command::Check{})},
      {"list", "", "every app in a line", "Look", "", 0, 0, false, {}, plain(command::List{})},
      {"status", "NAME", "an app and its workers", "Look", "", 1, 1, false, {}, named(command::Status{})},
      {"top",
       "[NAME]",
       "the same, as it changes",
       "Look",
       "",
       0,
       1,
       false,
       {{"--once", "", "print it once and end"}, {"--interval", "TIME", "between two looks [1s]"}},
       top},
      {"logs",
       "[NAME]",
       "what apps said",
       "Look",
       "",
       0,
       1,
       false,
       {{"-f,--follow", "", "go on with what they say"},
        {"-n,--lines", "LINES", "how many of the last lines [15]"},
        {"--raw", "", "with all that is in them, on a terminal too"}},
       logs},
      {"why", "NAME[/WORKER]", "why workers ended, and what was done", "Look", "", 1, 1, false, {}, why},
      {"reload", "NAME", "new workers for old, without a gap", "Change",
       "The configuration is read again. The old workers go as the new ones are ready.", 1, 1, false, wait,
       timed(command::Reload{})},
      {"restart", "NAME", "stop all workers, then start them", "Change", "", 1, 1, false, wait, timed(command::Restart{})},
      {"scale",
       "NAME N",
       "how many workers: 4, +1, -1, max",
       "Change",
       "",
       2,
       2,
       false,
       {{"--force", "", "also more than this machine is likely to carry"}},
       scale},
      {"stop", "NAME|all", "end an app, requests first", "Change", "", 1, 1, false, wait, timed(command::Stop{})},
      {"kill", "NAME|all", "end an app at once", "Change", "", 1, 1, false, {}, named(command::Kill{})},
      {"delete", "NAME|all", "end an app and forget it", "Keep", "", 1, 1, false, {}, named(command::Delete{})},
      {"save", "", "remember which apps run", "Keep", "", 0, 0, false, {}, plain(command::Save{})},
      {"resurrect", "", "start those that were saved", "Keep", "", 0, 0, false, {}, plain(command::Resurrect{})},
  };
  return all;
}

const std::vector<Flag>& flags_of_all() {
  static const std::vector<Flag> all{{"--json", "", "tell it in JSON"}, {"-h,--help", "", "this text"}};
  return all;
}

// What others call them.
std::optional<std::string> known_elsewhere(std::string_view word) {
  static const std::map<std::string_view, std::string_view> all{{"ls", "list"},
                                                                {"ps", "list"},
                                                                {"monit", "top"},
                                                                {"describe", "status"},
                                                                {"show", "status"},
                                                                {"info", "status"},
                                                                {"startOrReload", "start"},
                                                                {"del", "delete"},
                                                                {"rm", "delete"},
                                                                {"dump", "save"},
                                                                {"tail", "logs"}};
  const auto found = all.find(word);
  return found == all.end() ? std::nullopt : std::optional<std::string>(found->second);
}

// --- Help.

std::string row(const std::string& left, const std::string& right, std::size_t width) {
  return fmt::format("  {:<{}}  {}\n", left, width, right);
}

std::string help() {
  std::string text =
      "muster runs a program as many processes, and keeps them alive.\n"
      "\n"
      "usage: muster COMMAND [flags] [words]\n";
  std::string group;
  for (const auto& command : subcommands()) {
    if (command.group != group) text += fmt::format("\n{}:\n", command.group);
    group = command.group;
    text += row(command.name + (command.usage.empty() ? "" : " " + command.usage), command.help, 32);
  }
  return text + "\nEach takes --json, and --help for its flags. `muster --version` is the version.\n";
}

// "--max-memory SIZE"
std::string flag_column(const Flag& flag) {
  std::string names = flag.names;
  if (const auto comma = names.find(','); comma != std::string::npos) names.insert(comma + 1, " ");
  return flag.placeholder.empty() ? names : names + " " + flag.placeholder;
}

std::string flags_of_setting(const Setting& setting) {
  return setting.name == "workers" ? "-n," + flag_name(setting) : flag_name(setting);
}

std::string help(const Subcommand& command) {
  std::string first = command.help;
  first.front() = static_cast<char>(first.front() - ('a' - 'A'));
  std::string text =
      fmt::format("muster {}{}{}\n\n{}.\n", command.name, command.usage.empty() ? "" : " ", command.usage, first);
  if (!command.more.empty()) text += "\n" + command.more + "\n";
  if (command.has_settings) {
    std::string heading;
    const AppConfig defaults;
    for (const auto& setting : settings()) {
      if (setting.heading != heading) text += fmt::format("\n{}:\n", setting.heading);
      heading = setting.heading;
      if (!setting.has_flag) continue;
      const Values values = setting.shape == Setting::Shape::on_off ? Values{} : setting.get(defaults);
      const bool says_something = !values.empty() && values.front() != "0" && values.front() != "0s";
      const std::string preset = says_something ? fmt::format(" [{}]", values.front()) : "";
      text += row(flag_column({flags_of_setting(setting), setting.placeholder, ""}), setting.help + preset, 24);
      if (setting.choices.size() > 4) text += fmt::format("      {}\n", setting.accepted);
    }
  }
  text += "\nFlags:\n";
  for (const auto& flag : command.flags) text += row(flag_column(flag), flag.help, 24);
  for (const auto& flag : flags_of_all()) text += row(flag_column(flag), flag.help, 24);
  return text;
}

// --- Reading.

std::string longest(const std::string& names) {
  const auto comma = names.find(',');
  return comma == std::string::npos ? names : names.substr(comma + 1);
}

bool is_number(std::string_view word) { return word.size() > 1 && parse_count(word.substr(1)).has_value(); }

bool looks_like_flag(std::string_view word) { return word.size() > 1 && word.front() == '-' && !is_number(word); }

class Reader {
 public:
  explicit Reader(const Subcommand& command) : command_(command), app_("", command.name) {
    app_.set_help_flag();
    app_.allow_extras();
    for (const auto& flag : command.flags) add(flag.names, !flag.placeholder.empty());
    for (const auto& flag : flags_of_all()) add(flag.names, !flag.placeholder.empty());
    if (!command.has_settings) return;
    for (const auto& setting : settings()) {
      if (!setting.has_flag) continue;
      const bool has_value = setting.shape != Setting::Shape::on_off;
      add(has_value ? flags_of_setting(setting)
                    : fmt::format("{0},!--no-{1}", flag_name(setting), flag_name(setting).substr(2)),
          has_value);
    }
  }

  // Of the words after the name of the command.
  Line read(const Words& words) {
    const auto own_end = end_of_own(words);
    Words own(words.begin(), own_end);
    refuse_empty(own);
    Line line;
    try {
      // CLI11 takes them from the end.
      Words reversed(own.rbegin(), own.rend());
      app_.parse(std::move(reversed));
    } catch (const CLI::ArgumentMismatch&) {
      throw Mistake{fmt::format("{} needs a value{}", own.back(), accepted_by(own.back()))};
    } catch (const CLI::Error& error) {
      throw Mistake{error.what()};
    }
    for (const auto& [name, option] : options_) {
      if (!option->count()) continue;
      line.flags[name] = option->results();
      const bool is_setting = command_.has_settings && find_setting_by_flag(name);
      if (!is_setting && option->get_items_expected_max() == 0 && line.value(name) != "true") {
        throw Mistake{fmt::format("{} takes no value", name)};
      }
    }
    if (line.has("--help")) return line;
    line.words = app_.remaining();
    refuse_unknown(line.words);
    if (command_.has_settings) {
      take_settings(line);
      auto rest = own_end;
      if (rest != words.end() && *rest == "--") ++rest;
      line.sources.words.assign(rest, words.end());
    } else {
      line.words.erase(std::remove(line.words.begin(), line.words.end(), "--"), line.words.end());
      count_words(line.words);
    }
    return line;
  }

 private:
  void add(const std::string& names, bool has_value) {
    CLI::Option* option = has_value ? app_.add_option(names) : app_.add_flag(names);
    if (has_value) option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->expected(1);
    if (!has_value) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    const std::string name = names.find('!') == std::string::npos ? longest(names) : names.substr(0, names.find(','));
    options_.emplace_back(name, option);
  }

  bool takes_value(const std::string& flag) const {
    const auto* option = app_.get_option_no_throw(flag);
    return option && option->get_items_expected_min() > 0;
  }

  // Everything from the app on belongs to it.
  Words::const_iterator end_of_own(const Words& words) const {
    if (!command_.has_settings) return words.end();
    for (auto word = words.begin(); word != words.end(); ++word) {
      if (*word == "--" || word->size() < 2 || word->front() != '-') return word;
      // -n 4, but not -n4 and --workers=4
      if (takes_value(*word) && word + 1 != words.end()) ++word;
    }
    return words.end();
  }

  // `--cwd= x` would take x.
  static void refuse_empty(const Words& own) {
    for (const auto& word : own) {
      if (word.rfind("--", 0) == 0 && word.find('=') == word.size() - 1) {
        throw Mistake{fmt::format("{} needs a value", word.substr(0, word.size() - 1))};
      }
    }
  }

  static bool find_setting_by_flag(const std::string& name) {
    return std::any_of(settings().begin(), settings().end(),
                       [&](const Setting& setting) { return flag_name(setting) == name; });
  }

  static std::string accepted_by(const std::string& flag) {
    for (const auto& setting : settings()) {
      const std::string names = flags_of_setting(setting);
      if (flag == longest(names) || flag == names.substr(0, names.find(','))) return "; accepted: " + setting.accepted;
    }
    return {};
  }

  void refuse_unknown(const Words& words) const {
    std::vector<std::string> names;
    for (const auto* option : app_.get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back(name);
    }
    for (const auto& word : words) {
      if (word == "--") return;
      if (!looks_like_flag(word)) continue;
      const std::string flag = word.substr(0, word.find('='));
      const auto near = flag.size() < 4 ? std::nullopt : nearest(flag.substr(flag.find_first_not_of('-')), names);
      std::string hint = fmt::format("; `muster {} --help` lists them", command_.name);
      if (command_.has_settings) hint += ", those of the app come after it";
      throw Mistake{fmt::format("unknown flag \"{}\"{}", flag, near ? fmt::format("; did you mean \"--{}\"?", *near) : hint)};
    }
  }

  void take_settings(Line& line) const {
    for (const auto& setting : settings()) {
      const std::string name = flag_name(setting);
      const auto found = line.flags.find(name);
      if (!setting.has_flag || found == line.flags.end()) continue;
      Values values;
      for (const auto& value : found->second) {
        if (setting.shape == Setting::Shape::words) {
          for (auto& word : split_words(value)) values.push_back(std::move(word));
        } else {
          values.push_back(value);
        }
      }
      const bool one = setting.shape == Setting::Shape::text || setting.shape == Setting::Shape::on_off;
      if (one) values = {values.back()};
      line.sources.flags.push_back({.setting = setting.name, .values = std::move(values), .called = name});
    }
    if (line.has("--config")) line.sources.config = line.value("--config");
    if (line.has("--env-name")) line.sources.env_name = line.value("--env-name");
  }

  void count_words(const Words& words) const {
    if (words.size() >= command_.least_words && words.size() <= command_.most_words) return;
    const std::string usage = fmt::format("muster {} {}", command_.name, command_.usage);
    if (words.size() < command_.least_words) throw Mistake{fmt::format("{} needs more: {}", command_.name, usage)};
    throw Mistake{fmt::format("\"{}\" is one word too many: {}", words[command_.most_words], usage)};
  }

  const Subcommand& command_;
  CLI::App app_;
  std::vector<std::pair<std::string, CLI::Option*>> options_;
};

command::Say mistake(std::string_view text) { return {fmt::format("muster: {}\n", text), 2}; }

const Subcommand* find_subcommand(const std::string& name) {
  for (const auto& command : subcommands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

command::Say unknown_command(const std::string& word) {
  if (looks_like_flag(word)) {
    return mistake(fmt::format("unknown flag \"{}\"{}", word, did_you_mean(word, {"--help", "--version"})));
  }
  if (const auto name = known_elsewhere(word))
    return mistake(fmt::format("unknown command \"{}\"; here it is \"{}\"", word, *name));
  std::vector<std::string> names;
  for (const auto& command : subcommands()) names.push_back(command.name);
  if (const auto hint = did_you_mean(word, names); !hint.empty())
    return mistake(fmt::format("unknown command \"{}\"{}", word, hint));
  if (word.find_first_of("./") != std::string::npos) {
    return mistake(fmt::format("unknown command \"{0}\"; to run a file: muster run {0}", word));
  }
  return mistake(fmt::format("unknown command \"{}\"; `muster --help` lists them", word));
}

Command parse_words(Words words, Environment environment, std::string cwd) {
  if (words.empty()) return command::Say{"muster: what is to be done?\n\n" + help(), 2};
  if (words.front() == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  const std::string name = words.front();
  if (name == "--help" || name == "-h") return command::Say{help(), 0};
  if (name == "--version" || name == "-V" || name == "-v") return command::Say{"muster " MUSTER_VERSION "\n", 0};
  const Subcommand* command = find_subcommand(name);
  if (!command) return unknown_command(name);
  words.erase(words.begin());
  try {
    Line line = Reader(*command).read(words);
    if (line.has("--help")) return command::Say{help(*command), 0};
    line.sources.environment = std::move(environment);
    if (cwd.empty() && command->has_settings)
      throw Mistake{"the folder that this is run in was removed; change to one that is there"};
    line.sources.cwd = std::move(cwd);
    const bool json = line.has("--json");
    Command made = command->make(std::move(line));
    std::visit(
        [json](auto& command) {
          if constexpr (requires { command.json; }) command.json = json;
        },
        made);
    return made;
  } catch (const Mistake& error) {
    return mistake(error.text);
  }
}

// By the name that the shell has for it: where that has a link to the current release in it, the next one is found by it too.
// Empty when it was removed: most commands need none.
std::string working_folder() {
  std::error_code error;
  const char* named = std::getenv("PWD");
  const std::filesystem::path name = named ? named : "";
  // Below /proc/self a name means another folder in each process.
  const bool is_proc = name.string().starts_with("/proc/");
  if (name.is_absolute() && !is_proc && name == name.lexically_normal() && std::filesystem::equivalent(name, ".", error))
    return name.string();
  const auto real = std::filesystem::current_path(error);
  return error ? "" : real.string();
}

}  // namespace

Command parse(int argc, const char* const* argv, Environment environment, std::string cwd) {
  try {
    return parse_words(Words(argv + std::min(argc, 1), argv + argc), std::move(environment), std::move(cwd));
  } catch (const std::exception& error) {
    return mistake(error.what());
  }
}

Command parse(int argc, const char* const* argv) { return parse(argc, argv, own_environment(), working_folder()); }

}  // namespace muster::cli
