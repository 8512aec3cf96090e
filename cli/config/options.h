// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace muster::cli {

// What the command line asks for: one struct for each subcommand. A name is checked to be one, "all" included; whether there is
// such an app is the caller's business.
namespace command {

// What to print, and how to exit: --help and --version, or a mistake (code 2, on standard error, beginning with "muster: ").
struct Say {
  std::string text;  // ends with a newline
  int code = 0;
};

// In the foreground.
struct Run {
  Sources sources;
  bool json = false;
};
// In the background. The words may also name an app that was stopped: sources.words has them.
struct Start {
  Sources sources;
  bool json = false;
};
struct Check {
  Sources sources;
  bool json = false;
};

struct List {
  bool json = false;
};
struct Status {
  std::string name;
  bool json = false;
};
struct Reload {
  std::string name;
  std::optional<Milliseconds> timeout;
  bool json = false;
};
struct Restart {
  std::string name;
  std::optional<Milliseconds> timeout;
  bool json = false;
};
struct Scale {
  enum class How { to, by, max };
  std::string name;
  How how = How::to;
  int workers = 0;  // 4, or +1 -1 for `by`; 0 for `max`
  bool force = false;
  bool json = false;
};
struct Stop {
  std::string name;  // or all
  std::optional<Milliseconds> timeout;
  bool json = false;
};
struct Kill {
  std::string name;  // or all
  bool json = false;
};
struct Logs {
  std::string name;  // empty: of every app
  bool follow = false;
  unsigned lines = 15;
  bool raw = false;
  bool json = false;
};
struct Top {
  std::string name;  // empty: every app
  bool once = false;
  Milliseconds interval{1'000};
  bool json = false;
};
struct Why {
  std::string name;
  std::optional<unsigned> worker;  // its seat: api/2
  bool json = false;
};
struct Delete {
  std::string name;  // or all
  bool json = false;
};
struct Save {
  bool json = false;
};
struct Resurrect {
  bool json = false;
};

}  // namespace command

using Command = std::variant<command::Say, command::Run, command::Start, command::Check, command::List, command::Status,
                             command::Reload, command::Restart, command::Scale, command::Stop, command::Kill, command::Logs,
                             command::Top, command::Why, command::Delete, command::Save, command::Resurrect>;

// Never throws. `environment` and `cwd` become those of the sources.
Command parse(int argc, const char* const* argv, Environment environment, std::string cwd);
// With this process's.
Command parse(int argc, const char* const* argv);

}  // namespace muster::cli
