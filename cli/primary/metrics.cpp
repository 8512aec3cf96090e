#include "primary/metrics.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "show/printable.h"

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

constexpr std::string_view app_states[] = {"starting", "running", "reloading", "stopping", "failed"};
constexpr std::string_view worker_states[] = {"starting", "ready", "draining", "stopping", "waiting"};
constexpr std::string_view causes[] = {
    "crashed", "exited", "never became ready", "not started", "memory", "requests", "age", "hung", "reload", "restart",
    "scale",   "stop"};

double seconds(std::int64_t milliseconds) { return static_cast<double>(milliseconds) / 1000; }
double seconds(double milliseconds) { return milliseconds / 1000; }

}  // namespace

std::string metrics_text(const AppStatus& app) {
  Exposition out;
  const std::string_view name = app.name;

  out.metric("muster_info", "gauge", "What runs: always 1.");
  out.sample({{"app", name}, {"version", app.version}, {"policy", app.policy}}, 1);
  out.metric("muster_state", "gauge", "1 for the state that the app is in.");
  for (const std::string_view state : app_states) out.sample({{"app", name}, {"state", state}}, app.state == state);
  out.metric("muster_workers_wanted", "gauge", "How many workers there are to be.");
  out.sample({{"app", name}}, app.workers_wanted);
  out.metric("muster_workers", "gauge", "Workers by their state.");
  for (const std::string_view state : worker_states) {
    const auto count = std::count_if(app.workers.begin(), app.workers.end(), [&](const auto& w) { return w.state == state; });
    out.sample({{"app", name}, {"state", state}}, static_cast<double>(count));
  }
  out.metric("muster_start_time_seconds", "gauge", "When the primary was started, since the epoch.");
  out.sample({{"app", name}}, seconds(app.started_at));
  out.metric("muster_memory_bytes", "gauge", "Memory of the primary.");
  out.sample({{"app", name}}, static_cast<double>(app.memory));
  out.metric("muster_cpu_ratio", "gauge", "Processor time of the primary of late: 1 is one processor.");
  out.sample({{"app", name}}, app.cpu / 100);
  out.metric("muster_restarts_total", "counter", "Workers that were started again.");
  out.sample({{"app", name}}, app.restarts);
  out.metric("muster_reloads_total", "counter", "Reloads that were completed.");
  out.sample({{"app", name}}, app.reloads);
  out.metric("muster_failed_reloads_total", "counter", "Reloads that were abandoned.");
  out.sample({{"app", name}}, app.failed_reloads);

  // Those that may come are there from the start: what appears with 1 has not risen, for Prometheus.
  std::map<std::string_view, unsigned> ended;
  for (const std::string_view cause : causes) ended[cause] = 0;
  for (const auto& [cause, times] : app.ended) ended[cause] = times;
  out.metric("muster_workers_ended_total", "counter", "Workers that ended, by what ended them.");
  for (const auto& [cause, times] : ended) out.sample({{"app", name}, {"cause", cause}}, times);

  struct Seat {
    bool up = false;
    unsigned restarts = 0;
  };
  std::map<unsigned, Seat> seats;
  for (unsigned seat = 1; seat <= app.workers_wanted; ++seat) seats[seat];
  for (const WorkerStatus& worker : app.workers) {
    Seat& seat = seats[worker.seat];
    seat.up |= worker.state == "ready";
    seat.restarts = std::max(seat.restarts, worker.restarts);
  }
  out.metric("muster_worker_up", "gauge", "Whether a worker is ready at this seat.");
  for (const auto& [number, seat] : seats) out.sample({{"app", name}, {"worker", fmt::to_string(number)}}, seat.up);
  out.metric("muster_worker_restarts_total", "counter", "How often a worker was started again at this seat.");
  for (const auto& [number, seat] : seats) out.sample({{"app", name}, {"worker", fmt::to_string(number)}}, seat.restarts);

  // A sample for each process of which it is known.
  const auto each = [&](std::string_view metric, std::string_view type, std::string_view help, auto&& value_of) {
    out.metric(metric, type, help);
    for (const WorkerStatus& worker : app.workers) {
      if (worker.pid <= 0) continue;
      if (const std::optional<double> value = value_of(worker)) {
        out.sample({{"app", name}, {"worker", fmt::to_string(worker.seat)}, {"pid", fmt::to_string(worker.pid)}}, *value);
      }
    }
  };
  using Known = std::optional<double>;
  each("muster_worker_start_time_seconds", "gauge", "When the worker was started, since the epoch.",
       [](const auto& w) { return Known(seconds(w.started_at)); });
  each("muster_worker_memory_bytes", "gauge", "Memory of the worker.",
       [](const auto& w) { return Known(static_cast<double>(w.memory)); });
  each("muster_worker_cpu_ratio", "gauge", "Processor time of the worker of late: 1 is one processor.",
       [](const auto& w) { return Known(w.cpu / 100); });
  each("muster_worker_connections", "gauge", "Connections that the worker has open.",
       [](const auto& w) { return Known(w.connections); });
  each("muster_worker_connections_total", "counter", "Connections that the worker took.",
       [](const auto& w) { return Known(w.accepted); });
  each("muster_worker_requests_total", "counter", "Requests that the worker got.",
       [](const auto& w) { return Known(w.requests); });
  each("muster_worker_messages_total", "counter", "Messages between the worker and its primary, both ways.",
       [](const auto& w) { return Known(w.messages); });
  each("muster_worker_loop_lag_seconds", "gauge", "How late the worker's loop was, at worst in the last second.",
       [](const auto& w) { return w.lag ? Known(seconds(*w.lag)) : Known(); });
  return std::move(out).text();
}

}  // namespace muster::cli
