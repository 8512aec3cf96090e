// SPDX-License-Identifier: MIT
#include "show/view.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "show/printable.h"
#include "show/units_text.h"
#include "show/worker_table.h"
#include "states.h"

namespace muster::cli {
namespace {

constexpr std::string_view none = "-";

// An app whose primary runs.
bool runs(const AppStatus& app) { return app.pid > 0 && !is(app.state, SupervisorState::stopped); }

std::string workers_text(const AppStatus& app) { return fmt::format("{}/{}", count_ready(app), app.workers_wanted); }

// "127.0.0.1:8000 and 2 more": what most are, without saying that it is TCP.
std::string listening_text(const AppStatus& app) {
  if (app.listening.empty()) return std::string(none);
  std::string_view first = app.listening.front();
  if (first.starts_with("tcp://")) first.remove_prefix(6);
  std::string text = printable(first);
  if (app.listening.size() > 1) text += fmt::format(" +{}", app.listening.size() - 1);
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(printable(word));
  return text;
}

// "exit code 1", "SIGKILL"; empty when neither is known.
std::string status_of(const Obituary& obituary) {
  if (!obituary.signal.empty()) return printable(obituary.signal);
  return obituary.code ? fmt::format("exit code {}", *obituary.code) : std::string();
}

std::string deed(const Obituary& obituary) {
  const CauseRow* const row = find_cause(obituary.cause);
  return row ? std::string(row->deed) : "ended (" + printable(obituary.cause) + ")";
}

std::string worker_name(const Obituary& obituary) {
  if (obituary.pid <= 0) return fmt::format("worker {}", obituary.seat);
  return fmt::format("worker {} (pid {})", obituary.seat, obituary.pid);
}

bool is_fault(const Obituary& obituary) {
  const CauseRow* const row = find_cause(obituary.cause);
  return !row || row->is_fault;
}

std::string sentence(std::string_view text) {
  if (text.empty()) return {};
  std::string result(1, static_cast<char>(text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0]));
  result.append(text.substr(1));
  if (std::string_view(".!?").find(text.back()) == std::string_view::npos) result.push_back('.');
  return result;
}

std::string next_try_text(const AppStatus& app, const Obituary& obituary) {
  if (obituary.next_try_at <= app.at) return {};
  return fmt::format("The next try is at {}, in {}.", time_text(obituary.next_try_at),
                     duration_text(obituary.next_try_at - app.at));
}

// Two texts beside each other; broken, and in no colour, when they do not fit.
std::string head(const std::string& first, Ink first_ink, const std::string& second, Ink second_ink, const Look& look) {
  if (columns_of(first) + 2 + columns_of(second) > look.width) return wrapped(first + "  " + second, look.width, "  ", "");
  return inked(first, first_ink, look.colour) + "  " + inked(second, second_ink, look.colour) + "\n";
}

std::string paragraph(const AppStatus& app, const Obituary& obituary, const Look& look) {
  std::string text = head(time_text(obituary.ended_at), Ink::dim, obituary_headline(obituary),
                          is_fault(obituary) ? Ink::red : Ink::bold, look);
  std::string rest = obituary.was_ready ? "It had been ready." : "It had not been ready.";
  if (!obituary.done.empty()) rest += " " + sentence(printable(obituary.done));
  if (const std::string next = next_try_text(app, obituary); !next.empty()) rest += " " + next;
  text += wrapped(rest, look.width, "  ", "  ");
  for (auto end = obituary.detail.find('\n'); end != std::string::npos;) {
    const auto begin = end + 1;
    end = obituary.detail.find('\n', begin);
    const std::string line = printable(obituary.detail.substr(begin, end - begin));
    if (!line.empty()) text += wrapped(line, look.width, "      ", "    ");
  }
  if (obituary.last_words.empty()) {
    if (is_fault(obituary)) text += "  It left no last words.\n";
    return text;
  }
  text += "  Its last words:\n";
  for (const std::string& line : obituary.last_words) {
    const std::string shown = printable(line);
    text += shown.empty() ? "\n" : wrapped(shown, look.width, "    ", "    ");
  }
  return text;
}

std::string why_failed(const AppStatus& app, const Look& look) {
  if (!is(app.state, SupervisorState::failed) || app.why.empty()) return {};
  return wrapped(fmt::format("{} has failed: {}", printable(app.name), printable(app.why)), look.width, "  ", "");
}

}  // namespace

std::string obituary_headline(const Obituary& obituary) {
  std::string text = worker_name(obituary) + " " + deed(obituary);
  if (obituary.cause != to_string(EndCause::not_started)) text += " after " + duration_text(obituary.lived);
  const std::string status = status_of(obituary);
  // What is more than a line is for a paragraph.
  const std::string detail = printable(obituary.detail.substr(0, obituary.detail.find('\n')));
  if (!status.empty()) text += ": " + status;
  if (!detail.empty()) text += (status.empty() ? ": " : ", ") + detail;
  return text;
}

std::string list_text(const std::vector<AppStatus>& apps, const Look& look) {
  using enum Column::Side;
  if (apps.empty()) return "No apps.\n";
  Table table({{.title = "NAME", .shortest = 8},
               {.title = "STATE"},
               {.title = "WORKERS", .side = right},
               {.title = "PID", .side = right, .expendable = 6},
               {.title = "UPTIME", .side = right, .expendable = 3},
               {.title = "RESTARTS", .side = right, .expendable = 2},
               {.title = "CPU", .side = right, .expendable = 5},
               {.title = "MEMORY", .side = right, .expendable = 1},
               {.title = "LISTENING", .expendable = 4, .shortest = 15}});
  std::string failures;
  for (const AppStatus& app : apps) {
    const bool there = runs(app);
    std::uint64_t memory = app.memory;
    double cpu = app.cpu;
    for (const WorkerStatus& worker : app.workers) {
      memory += worker.memory;
      cpu += worker.cpu;
    }
    const auto when = [there](std::string text) { return Cell{there ? std::move(text) : std::string(none)}; };
    table.add({{printable(app.name), Ink::bold},
               {printable(app.state), ink_of_state(app.state)},
               {workers_text(app)},
               when(fmt::format("{}", app.pid)),
               when(duration_text(app.uptime)),
               {fmt::format("{}", app.restarts)},
               when(percent_text(cpu)),
               when(bytes_text(memory)),
               when(listening_text(app))});
    failures += why_failed(app, look);
  }
  return table.text(look.width, look.colour) + (failures.empty() ? "" : "\n" + failures);
}

std::string status_text(const AppStatus& app, const Look& look) {
  std::string text = head(printable(app.name), Ink::bold, printable(app.state), ink_of_state(app.state), look);
  const auto line = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    text += wrapped(value, look.width, std::string(13, ' '), fmt::format("  {:<11}", name));
  };
  if (is(app.state, SupervisorState::failed)) line("why", printable(app.why));
  line("app", printable(app.app));
  line("in", printable(app.cwd));
  const bool there = runs(app);
  if (there) {
    line("primary", fmt::format("pid {}, up {} since {}, {}, {} CPU{}", app.pid, duration_text(app.uptime),
                                time_text(app.started_at), bytes_text(app.memory), percent_text(app.cpu),
                                app.version.empty() ? "" : ", muster " + printable(app.version)));
  }
  line("workers", fmt::format("{} of {} ready{}", count_ready(app), app.workers_wanted,
                              app.policy.empty() ? "" : ", connections by " + printable(app.policy)));
  line("listening", joined(app.listening));
  line("restarts", fmt::format("{}", app.restarts));
  std::string reloads = fmt::format("{}", app.reloads);
  if (app.failed_reloads > 0) reloads += fmt::format(", {} failed", app.failed_reloads);
  if (!app.last_reload.empty()) reloads += "; the last: " + printable(app.last_reload);
  line("reloads", reloads);

  Table table = worker_table();
  for (const WorkerStatus& worker : app.workers) table.add(worker_row(worker));
  if (table.size() > 0) text += "\n" + table.text(look.width, look.colour, "  ");

  if (!app.obituaries.empty()) {
    constexpr std::size_t shown = 3;
    text += "\n" + inked("Ended last", Ink::bold, look.colour) + "\n";
    for (std::size_t i = 0; i < std::min(shown, app.obituaries.size()); ++i) {
      const Obituary& obituary = app.obituaries[i];
      std::string line_text = time_text(obituary.ended_at) + "  " + obituary_headline(obituary);
      if (!obituary.done.empty()) line_text += "; " + printable(obituary.done);
      text += wrapped(line_text, look.width, "    ", "  ");
    }
    text += wrapped(fmt::format("`muster why {}` says more.", printable(app.name)), look.width, "  ", "  ");
  }
  return text;
}

std::string why_text(const AppStatus& app, std::optional<unsigned> seat, const Look& look) {
  std::string text = why_failed(app, look);
  std::size_t count = 0;
  for (const Obituary& obituary : app.obituaries) {
    if (seat && obituary.seat != *seat) continue;
    if (!text.empty()) text += "\n";
    text += paragraph(app, obituary, look);
    ++count;
  }
  if (count == 0) {
    const std::string name = printable(app.name);
    const bool known =
        !seat || (*seat >= 1 && *seat <= app.workers_wanted) ||
        std::any_of(app.workers.begin(), app.workers.end(), [&](const WorkerStatus& worker) { return worker.seat == *seat; });
    std::string nothing =
        seat ? fmt::format("Worker {} of {} has not ended", *seat, name) : fmt::format("No worker of {} has ended", name);
    if (runs(app)) nothing += fmt::format(" since {}, when it was started", time_text(app.started_at));
    if (!known) nothing = fmt::format("{} has no worker {}", name, *seat);
    text += wrapped(nothing + ".", look.width, "  ", "");
  } else if (!seat) {
    std::size_t ended = 0;
    for (const auto& [cause, times] : app.ended) ended += times;
    if (ended > count)
      text += "\n" + wrapped(fmt::format("{} that ended before are not kept.", ended - count), look.width, "", "");
  }
  return text;
}

}  // namespace muster::cli
