// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace muster::cli {

// What a primary knows of itself and its workers at one moment: what `status --json` prints, the control socket carries, and
// top, list, the page and the metrics are made from. Times are milliseconds; `at` and `*_at` since the epoch.
struct WorkerStatus {
  unsigned seat = 0;        // 1..N; a successor has its predecessor's
  int id = 0;               // cluster's id, new for each process
  int pid = 0;              // 0 while nothing runs there
  std::string state = {};   // starting ready draining stopping waiting (for its next try)
  unsigned generation = 0;  // how many reloads came before it
  std::int64_t started_at = 0;
  std::int64_t uptime = 0;
  unsigned restarts = 0;  // of the seat
  double cpu = 0;         // percent of one processor, since the last look
  std::uint64_t memory = 0;
  // What a worker reports of itself; empty for one that does not.
  std::optional<std::uint64_t> connections = {};  // open now
  std::optional<std::uint64_t> accepted = {};     // since it started
  std::optional<std::uint64_t> requests = {};     // since it started
  std::optional<std::uint64_t> messages = {};     // since it started, both ways
  std::optional<double> connections_per_second = {};
  std::optional<double> requests_per_second = {};
  std::optional<double> messages_per_second = {};
  std::optional<double> lag = {};                // how late its loop is, worst of the last second
  std::optional<std::int64_t> next_try_in = {};  // waiting
};

// What the workers of a seat, or all of an app, have had since the primary started: it never falls. Empty where none reports.
struct Totals {
  unsigned seat = 0;  // 0: all
  std::optional<std::uint64_t> accepted = {};
  std::optional<std::uint64_t> requests = {};
  std::optional<std::uint64_t> messages = {};
};

// What ended a worker, and what was done about it.
struct Obituary {
  unsigned seat = 0;
  int id = 0;
  int pid = 0;
  std::int64_t ended_at = 0;
  std::int64_t lived = 0;
  bool was_ready = false;
  std::optional<int> code = {};
  std::string signal = {};  // SIGKILL; empty when it exited
  // crashed, exited, never became ready, not started, memory, requests, age, hung, reload, restart, scale, stop
  std::string cause = {};
  std::string detail = {};                   // "used 210 MiB of 200 MiB"; "spawn ENOENT"; what its stack was
  std::string done = {};                     // "restarts after 200 ms"; "replaced by 1234"; "not restarted: the app has failed"
  std::int64_t next_try_at = 0;              // 0: none
  std::vector<std::string> last_words = {};  // the last lines of its standard error
};

struct AppStatus {
  std::string name = {};
  std::string version = {};  // of muster
  int pid = 0;
  // starting running degraded, crash loop, reloading stopping failed; of one that is gone: stopped failed
  std::string state = {};
  std::string why = {};  // of a failed one
  std::string app = {};
  std::string cwd = {};
  std::string policy = {};
  unsigned workers_wanted = 0;
  std::int64_t started_at = 0;
  std::int64_t uptime = 0;
  std::int64_t at = 0;    // when this was seen
  unsigned restarts = 0;  // of all workers, since the primary started
  unsigned reloads = 0;   // completed
  unsigned failed_reloads = 0;
  std::string last_reload = {};  // "4 workers replaced in 812 ms"; "abandoned: worker 1 never became ready ..."
  std::uint64_t memory = 0;      // of the primary
  double cpu = 0;
  std::vector<std::string> listening = {};  // tcp://127.0.0.1:8000 unix:/run/app.sock udp://[::]:53
  std::vector<WorkerStatus> workers = {};
  std::vector<Totals> seats = {};              // of the workers of each, as far as any has sat there
  Totals totals = {};                          // of all
  std::vector<Obituary> obituaries = {};       // newest first; so many as are kept
  std::map<std::string, unsigned> ended = {};  // workers since the primary started, by the cause of their obituary; all
};

void to_json(nlohmann::json& json, const WorkerStatus& status);
void from_json(const nlohmann::json& json, WorkerStatus& status);
void to_json(nlohmann::json& json, const Totals& totals);
void from_json(const nlohmann::json& json, Totals& totals);
void to_json(nlohmann::json& json, const Obituary& obituary);
void from_json(const nlohmann::json& json, Obituary& obituary);
void to_json(nlohmann::json& json, const AppStatus& status);
void from_json(const nlohmann::json& json, AppStatus& status);

}  // namespace muster::cli
