// SPDX-License-Identifier: MIT
#include "core/runs.h"

#include <algorithm>
#include <utility>

namespace muster::core {

using Phase = WorkerPhase;

Run& Runs::add(unsigned seat, unsigned generation, Phase phase, std::uint64_t now) {
  const RunId id{next_run_++};
  return runs_.emplace(id, Run{id, seat, generation, phase, now}).first->second;
}

Runs::Fork Runs::fork(unsigned seat, unsigned generation, std::uint64_t now) {
  Run& run = add(seat, generation, Phase::starting, now);
  if (timeouts_.ready > 0) run.deadline = now + timeouts_.ready;
  return {run.id, seat, generation};
}

RunId Runs::adopt(unsigned seat, std::uint64_t now) {
  Run& run = add(seat, 0, Phase::ready, now);
  run.ready = now;
  return run.id;
}

Run* Runs::find(RunId id) {
  const auto found = runs_.find(id);
  return found == runs_.end() ? nullptr : &found->second;
}

const Run* Runs::find(RunId id) const {
  const auto found = runs_.find(id);
  return found == runs_.end() ? nullptr : &found->second;
}

unsigned Runs::count(Phase phase) const {
  return static_cast<unsigned>(
      std::count_if(runs_.begin(), runs_.end(), [phase](const auto& entry) { return entry.second.phase == phase; }));
}

std::optional<Runs::Effect> Runs::drain(RunId id, EndCause cause, std::uint64_t now) {
  Run* run = find(id);
  if (!run || run->phase >= Phase::draining) return std::nullopt;
  if (run->phase == Phase::starting) return terminate(id, cause, now);
  run->phase = Phase::draining;
  run->leaving = cause;
  run->deadline = now + timeouts_.drain;
  return Drain{id};
}

std::optional<Runs::Effect> Runs::terminate(RunId id, EndCause cause, std::uint64_t now) {
  Run* run = find(id);
  if (!run || run->phase >= Phase::terminating) return std::nullopt;
  run->phase = Phase::terminating;
  if (!run->leaving) run->leaving = cause;
  run->deadline = now + timeouts_.kill;
  return Terminate{id};
}

std::optional<Runs::Effect> Runs::kill(RunId id, EndCause cause) {
  Run* run = find(id);
  if (!run || run->phase == Phase::killing) return std::nullopt;
  run->phase = Phase::killing;
  if (!run->leaving) run->leaving = cause;
  run->deadline.reset();
  return Kill{id};
}

bool Runs::handle_ready(RunId id, std::uint64_t now) {
  Run* run = find(id);
  if (!run || run->phase != Phase::starting) return false;
  run->phase = Phase::ready;
  run->ready = now;
  run->deadline.reset();
  return true;
}

std::optional<Run> Runs::handle_exited(RunId id) {
  auto node = runs_.extract(id);
  if (node.empty()) return std::nullopt;
  return node.mapped();
}

std::vector<Runs::Effect> Runs::handle_time(std::uint64_t now) {
  std::vector<Effect> effects;
  for (const auto& [id, run] : runs_) {
    if (!run.deadline || *run.deadline > now) continue;
    std::optional<Effect> next;
    switch (run.phase) {
      case Phase::starting: next = terminate(id, EndCause::never_ready, now); break;
      case Phase::draining: next = terminate(id, EndCause::stop, now); break;
      case Phase::terminating: next = kill(id, EndCause::stop); break;
      case Phase::ready:
      case Phase::killing: break;
    }
    if (next) effects.push_back(*next);
  }
  return effects;
}

std::optional<std::uint64_t> Runs::next_deadline() const {
  std::optional<std::uint64_t> next;
  for (const auto& [id, run] : runs_) {
    if (run.deadline && (!next || *run.deadline < *next)) next = run.deadline;
  }
  return next;
}

EndCause Runs::cause_of(const Run& run, const ExitStatus& status, bool started) {
  if (!started) return EndCause::not_started;
  if (run.leaving) return *run.leaving;
  if (!run.ready) return EndCause::never_ready;
  return status.success() ? EndCause::exited : EndCause::crashed;
}

std::string Runs::why_not_ready(const Run& run, EndCause cause, const ExitStatus& status) const {
  if (cause == EndCause::not_started) return "could not be started";
  if (cause == EndCause::never_ready && run.leaving) return "was not ready within " + seconds_text(timeouts_.ready);
  return "ended before it was ready, " + exit_text(status);
}

}  // namespace muster::core
