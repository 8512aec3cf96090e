// SPDX-License-Identifier: MIT
#include "primary/obituaries.h"

#include <utility>

#include <fmt/core.h>

#include "primary/log.h"
#include "show/units_text.h"

namespace muster::cli {
namespace {

constexpr std::size_t max_kept = 100;

std::string done_about(const WorkerEnd& end) {
  if (end.next_try) {
    return end.next_try->count() == 0 ? "restarts at once" : "restarts after " + duration_text(end.next_try->count());
  }
  if (end.successor) return fmt::format("replaced by pid {}", end.successor->process().pid());
  switch (end.cause) {
    case EndCause::scale: return "not replaced: the app was scaled down";
    case EndCause::stop: return "not replaced: the app was stopped";
    default: return "not replaced";
  }
}

}  // namespace

const Obituary& Obituaries::write(const WorkerEnd& end, const WorkerProcess* process) {
  Obituary obituary;
  obituary.seat = end.seat;
  obituary.detail = end.failure;
  if (process) {
    obituary.id = process->id();
    obituary.pid = process->pid();
    obituary.last_words = process->last_words();
    obituary.detail = end.cause == EndCause::not_started ? process->failure() : process->detail;
    if (obituary.detail.empty()) obituary.detail = end.failure;
  }
  obituary.ended_at = now_ms();
  obituary.lived = end.lived.count();
  obituary.was_ready = end.was_ready;
  if (end.cause != EndCause::not_started) {
    obituary.code = end.status.code();
    if (const auto signal = end.status.signal()) obituary.signal = signal->name();
  }
  obituary.cause = to_string(end.cause);
  obituary.done = done_about(end);
  if (end.next_try) obituary.next_try_at = obituary.ended_at + end.next_try->count();
  ++ended_[obituary.cause];
  latest_.push_front(std::move(obituary));
  if (latest_.size() > max_kept) latest_.pop_back();
  return latest_.front();
}

std::vector<std::string> Obituaries::last_words() const {
  return latest_.empty() ? std::vector<std::string>() : latest_.front().last_words;
}

}  // namespace muster::cli
