// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <muster/scheduling.h>

namespace muster::cli {

using Milliseconds = std::chrono::milliseconds;

// When a worker counts as ready to take the place of another.
enum class ReadySign {
  automatic,  // `listening` for a worker with a channel; for any other program READY=1, or ready_delay without it
  listening,  // a server of it listens
  message,    // it sent the message "ready"
  notify,     // it sent READY=1 to NOTIFY_SOCKET
  delay,      // it has lived for ready_delay: for one that listens on nothing
};

enum class LogFormat { text, json };

// All that is known of an app before it runs: what the command line, the environment and a file say, in that order of
// precedence, over these defaults. config.cpp has the one table of their names and meanings. resolve() fills in the defaults
// that depend on the app, so that afterwards an empty interpreter is none.
struct AppConfig {
  // What runs.
  std::string name = {};  // default: the file name of `app` without its extension
  std::string app = {};   // a file, or the name of a program on the PATH
  std::vector<std::string> args = {};
  std::string interpreter = {};  // default: node for .js .mjs .cjs .ts; none for a program
  std::vector<std::string> interpreter_args = {};
  std::string cwd = {};  // default: this process's
  std::map<std::string, std::string> env = {};
  std::vector<std::string> listen =
      {};                 // tcp://host:port unix:/path udp://host:port: passed on by LISTEN_FDS, without a channel
  std::string user = {};  // of the workers; names or numbers
  std::string group = {};
  // Where workers of that user may listen beside what the user itself may: 80, host:port, unix:/path.
  std::vector<std::string> may_listen = {};
  bool no_new_privileges = false;

  // How many, and who gets a connection.
  unsigned workers = 1;  // 0: max, as many as there are processors to use
  bool force = false;    // also more than this machine is likely to carry
  SchedulingPolicy policy = SchedulingPolicy::round_robin;
  bool pin = false;  // worker n on one processor

  // Keeping it alive.
  ReadySign ready = ReadySign::automatic;
  Milliseconds ready_timeout{30'000};
  Milliseconds ready_delay{1'000};
  Milliseconds backoff{100};  // before the first restart; doubles each time
  Milliseconds max_backoff{15'000};
  unsigned max_restarts = 10;  // for each worker, within restart_window; more, and the app has failed
  Milliseconds restart_window{60'000};
  std::uint64_t max_memory = 0;  // bytes of a worker; 0: no limit
  std::uint64_t max_requests = 0;
  Milliseconds max_age{0};
  Milliseconds heartbeat{10'000};  // a worker silent for longer hangs; 0: never

  // Letting go of a worker.
  unsigned parallel = 1;               // of a reload: how many at a time
  Milliseconds drain_timeout{30'000};  // then SIGTERM
  Milliseconds kill_timeout{5'000};    // then SIGKILL

  // Being looked at.
  LogFormat log_format = LogFormat::text;
  bool raw = false;                   // lines of workers go to a terminal with all that is in them
  std::string log_file = {};          // default: standard output in the foreground, a file of its own in the background
  std::uint64_t log_size = 10 << 20;  // rotated when it is larger
  unsigned log_files = 5;             // how many old ones are kept
  std::string admin = {};             // host:port of /metrics, /healthz, /readyz and the page

  // The app is a program that gets its sockets by LISTEN_FDS and has no channel.
  bool is_plain() const { return !listen.empty(); }

  friend bool operator==(const AppConfig&, const AppConfig&) = default;
};

}  // namespace muster::cli
