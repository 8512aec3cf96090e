// SPDX-License-Identifier: MIT
#include "primary/metrics.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "show/printable.h"
#include "states.h"

namespace muster::cli {
namespace {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// Prometheus takes nothing of an answer in which a byte is no UTF-8.
std::string escaped(std::string_view text, bool in_quotes) {
  std::string result;
  for (const char c : valid_utf8(text)) {
    if (c == '\\') {
      result += "\\\\";
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '"' && in_quotes) {
      result += "\\\"";
    } else {
      result += c;
    }
  }
  return result;
}

class Exposition {
 public:
  // Begins a metric; its samples follow. It is not mentioned when none do.
  void metric(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    head_ = fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped(help, false), name, type);
  }
  void sample(Labels labels, double value) {
    text_ += std::exchange(head_, {});
    text_ += name_;
    char before = '{';
    for (const auto& [name, content] : labels) {
      text_ += std::exchange(before, ',');
      text_.append(name).append("=\"").append(escaped(content, true)).append("\"");
    }
    text_ += fmt::format("}} {}\n", number(value));
  }
  std::string text() && { return std::move(text_); }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
  }

  std::string text_, name_, head_;
};

double seconds(std::int64_t milliseconds) { return static_cast<double>(milliseconds) / 1000; }
double seconds(double milliseconds) { return milliseconds / 1000; }

}  // namespace

std::string metrics_text(const AppStatus& app) {
  Exposition out;
  const std::string_view name = app.name;

  out.metric("muster_info", "gauge", "What runs: always 1.");
  out.sample({{"app", name}, {"version", app.version}, {"policy", app.policy}}, 1);
  out.metric("muster_state", "gauge", "1 for the state that the app is in.");
  for (const StateRow& state : app_states()) {
    if (state.tone != Tone::gone) out.sample({{"app", name}, {"state", state.name}}, app.state == state.name);
  }
  out.metric("muster_workers_wanted", "gauge", "How many workers there are to be.");
  out.sample({{"app", name}}, app.workers_wanted);
  out.metric("muster_workers", "gauge", "Workers by their state.");
  for (const StateRow& state : worker_states()) {
    const auto count =
        std::count_if(app.workers.begin(), app.workers.end(), [&](const auto& w) { return w.state == state.name; });
    out.sample({{"app", name}, {"state", state.name}}, static_cast<double>(count));
  }
  out.metric("muster_start_time_seconds", "gauge", "When the primary was started, since the epoch.");
  out.sample({{"app", name}}, seconds(app.started_at));
  out.metric("muster_memory_bytes", "gauge", "Memory of the primary.");
  out.sample({{"app", name}}, static_cast<double>(app.memory));
  out.metric("muster_cpu_ratio", "gauge", "Recent processor time of the primary: 1 is one processor.");
  out.sample({{"app", name}}, app.cpu / 100);
  out.metric("muster_restarts_total", "counter", "Workers that were started again.");
  out.sample({{"app", name}}, app.restarts);
  out.metric("muster_reloads_total", "counter", "Reloads that were completed.");
  out.sample({{"app", name}}, app.reloads);
  out.metric("muster_failed_reloads_total", "counter", "Reloads that were abandoned.");
  out.sample({{"app", name}}, app.failed_reloads);

  // Those that may come are there from the start: what appears with 1 has not risen, for Prometheus.
  std::map<std::string_view, unsigned> ended;
  for (const CauseRow& row : causes()) ended[to_string(row.cause)] = 0;
  for (const auto& [cause, times] : app.ended) ended[cause] = times;
  out.metric("muster_workers_ended_total", "counter", "Workers that ended, by what ended them.");
  for (const auto& [cause, times] : ended) out.sample({{"app", name}, {"cause", cause}}, times);

  // One series for a seat, whoever sits there: a reload begins no new ones.
  struct Seat {
    bool up = false;
    unsigned restarts = 0;
    std::optional<double> started, memory, cpu, connections, lag;
    Totals totals = {};
  };
  std::map<unsigned, Seat> seats;
  for (unsigned seat = 1; seat <= app.workers_wanted; ++seat) seats[seat];
  for (const WorkerStatus& worker : app.workers) {
    Seat& seat = seats[worker.seat];
    seat.restarts = std::max(seat.restarts, worker.restarts);
    if (worker.pid <= 0) continue;
    const bool ready = is_ready(worker);
    // During a reload a seat has two processes: usage is summed, and the start time is that of the ready one.
    if (!seat.started || (ready && !seat.up)) seat.started = seconds(worker.started_at);
    seat.up |= ready;
    if (worker.memory > 0) seat.memory = seat.memory.value_or(0) + static_cast<double>(worker.memory);
    seat.cpu = seat.cpu.value_or(0) + worker.cpu / 100;
    if (worker.connections) seat.connections = seat.connections.value_or(0) + static_cast<double>(*worker.connections);
    if (worker.lag) seat.lag = std::max(seat.lag.value_or(0), seconds(*worker.lag));
  }
  for (const Totals& totals : app.seats) seats[totals.seat].totals = totals;

  const auto each = [&](std::string_view metric, std::string_view type, std::string_view help, auto&& value_of) {
    out.metric(metric, type, help);
    for (const auto& [number, seat] : seats) {
      const std::optional<double> value = value_of(seat);
      if (value) out.sample({{"app", name}, {"worker", fmt::to_string(number)}}, *value);
    }
  };
  using Known = std::optional<double>;
  each("muster_worker_up", "gauge", "Whether a worker is ready at this seat.", [](const Seat& s) { return Known(s.up); });
  each("muster_worker_restarts_total", "counter", "How often a worker was started again at this seat.",
       [](const Seat& s) { return Known(s.restarts); });
  each("muster_worker_start_time_seconds", "gauge", "When the worker was started, since the epoch.",
       [](const Seat& s) { return s.started; });
  each("muster_worker_memory_bytes", "gauge", "Memory of the worker.", [](const Seat& s) { return s.memory; });
  each("muster_worker_cpu_ratio", "gauge", "Recent processor time of the worker: 1 is one processor.",
       [](const Seat& s) { return s.cpu; });
  each("muster_worker_connections", "gauge", "Connections that the worker has open.",
       [](const Seat& s) { return s.connections; });
  each("muster_worker_loop_lag_seconds", "gauge", "How late the worker's loop was, at worst in the last second.",
       [](const Seat& s) { return s.lag; });
  each("muster_worker_connections_total", "counter", "Connections that the workers of this seat accepted.",
       [](const Seat& s) { return Known(s.totals.accepted); });
  each("muster_worker_requests_total", "counter", "Requests that the workers of this seat received.",
       [](const Seat& s) { return Known(s.totals.requests); });
  each("muster_worker_messages_total", "counter", "Messages between the workers of this seat and the primary, both ways.",
       [](const Seat& s) { return Known(s.totals.messages); });

  const auto total = [&](std::string_view metric, std::string_view help, const std::optional<std::uint64_t>& value) {
    out.metric(metric, "counter", help);
    if (value) out.sample({{"app", name}}, static_cast<double>(*value));
  };
  total("muster_connections_total", "Connections that all workers accepted since the primary started.", app.totals.accepted);
  total("muster_requests_total", "Requests that all workers received since the primary started.", app.totals.requests);
  total("muster_messages_total", "Messages between all workers and the primary since it started, both ways.",
        app.totals.messages);
  return std::move(out).text();
}

}  // namespace muster::cli
