// SPDX-License-Identifier: MIT
#include "show/worker_table.h"

#include <iterator>

#include <fmt/format.h>

#include "show/printable.h"
#include "show/units_text.h"

namespace muster::cli {
namespace {

struct WorkerColumn {
  Column column;
  // Empty when there is nothing to show.
  std::string (*text)(const WorkerStatus&);
};

bool has_process(const WorkerStatus& worker) { return worker.pid > 0; }

std::string optional_count(const std::optional<std::uint64_t>& count) {
  return count ? count_text(static_cast<double>(*count)) : "";
}
std::string optional_rate(const std::optional<double>& rate) { return rate ? count_text(*rate) : ""; }

std::string state_text(const WorkerStatus& worker) {
  std::string text = printable(worker.state);
  if (worker.next_try_in) text += " " + duration_text(*worker.next_try_in);
  return text;
}

using enum Column::Side;
using W = const WorkerStatus&;
const WorkerColumn columns[] = {
    {{.title = "WORKER", .side = right}, [](W w) { return fmt::to_string(w.seat); }},
    {{.title = "PID", .side = right}, [](W w) { return has_process(w) ? fmt::to_string(w.pid) : ""; }},
    {{.title = "STATE"}, state_text},
    {{.title = "UPTIME", .side = right, .expendable = 5}, [](W w) { return has_process(w) ? duration_text(w.uptime) : ""; }},
    {{.title = "RESTARTS", .side = right, .expendable = 7}, [](W w) { return fmt::to_string(w.restarts); }},
    {{.title = "CPU", .side = right, .expendable = 2}, [](W w) { return has_process(w) ? percent_text(w.cpu) : ""; }},
    {{.title = "MEMORY", .side = right, .expendable = 1},
     [](W w) { return has_process(w) && w.memory > 0 ? bytes_text(w.memory) : ""; }},
    {{.title = "OPEN", .side = right, .expendable = 6}, [](W w) { return optional_count(w.connections); }},
    {{.title = "CONN/S", .side = right, .expendable = 8}, [](W w) { return optional_rate(w.connections_per_second); }},
    {{.title = "REQ/S", .side = right, .expendable = 3}, [](W w) { return optional_rate(w.requests_per_second); }},
    {{.title = "LAG", .side = right, .expendable = 4}, [](W w) { return w.lag ? lag_text(*w.lag) : ""; }},
    {{.title = "MSG/S", .side = right, .expendable = 9}, [](W w) { return optional_rate(w.messages_per_second); }},
};

}  // namespace

Table worker_table() {
  std::vector<Column> titles;
  for (const WorkerColumn& one : columns) titles.push_back(one.column);
  return Table(std::move(titles));
}

std::vector<Cell> worker_row(const WorkerStatus& worker) {
  std::vector<Cell> row;
  for (const WorkerColumn& one : columns) {
    std::string text = one.text(worker);
    row.push_back({text.empty() ? "-" : std::move(text), one.text == state_text ? ink_of_state(worker.state) : Ink::plain});
  }
  return row;
}

}  // namespace muster::cli
