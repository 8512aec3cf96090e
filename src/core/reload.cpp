// SPDX-License-Identifier: MIT
#include "core/reload.h"

#include <utility>

namespace muster::core {
namespace {

std::deque<unsigned> numbers(unsigned count) {
  std::deque<unsigned> result;
  for (unsigned number = 0; number < count; ++number) result.push_back(number);
  return result;
}

}  // namespace

Reload::Reload(unsigned workers, const Options& options, std::uint64_t now)
    : runs_(options.timeouts), rollout_(numbers(workers), options.parallel, now) {
  for (unsigned number = 0; number < workers; ++number) seats_.push_back({runs_.adopt(number, now)});
  advance(now);
}

void Reload::push(const std::optional<Runs::Effect>& effect) {
  if (effect) std::visit([this](const auto& e) { effects_.emplace_back(e); }, *effect);
}

void Reload::advance(std::uint64_t now) {
  if (ended_) return;
  while (const auto number = rollout_.next()) {
    Seat& seat = seats_[*number];
    if (!runs_.find(seat.old)) {
      rollout_.handle_skipped();
      continue;
    }
    const Runs::Fork fork = runs_.fork(*number, 1, now);
    seat.next = fork.run;
    effects_.emplace_back(fork);
  }
  if (rollout_.over()) end(now, "");
}

void Reload::end(std::uint64_t now, std::string why) {
  if (std::exchange(ended_, true)) return;
  for (Seat& seat : seats_) {
    if (const auto next = std::exchange(seat.next, std::nullopt)) push(runs_.terminate(*next, EndCause::reload, now));
  }
  effects_.emplace_back(Ended{rollout_.result(now, std::move(why))});
}

void Reload::handle_ready(RunId id, std::uint64_t now) {
  if (!runs_.handle_ready(id, now)) return;
  Seat& seat = seats_[runs_.at(id).seat];
  if (seat.next != id) return;
  seat.next.reset();
  push(runs_.drain(seat.old, EndCause::reload, now));
  rollout_.handle_replaced();
  advance(now);
}

void Reload::handle_exited(RunId id, const ExitStatus& status, std::uint64_t now, bool started) {
  const auto run = runs_.handle_exited(id);
  if (!run || ended_) return;
  if (Seat& seat = seats_[run->seat]; seat.next == id) {
    seat.next.reset();
    const EndCause cause = Runs::cause_of(*run, status, started);
    return end(now,
               "worker " + std::to_string(run->seat + 1) + " of the new version " + runs_.why_not_ready(*run, cause, status));
  }
}

void Reload::handle_time(std::uint64_t now) {
  for (const auto& effect : runs_.handle_time(now)) push(effect);
}

bool Reload::over() const { return ended_ && runs_.count(WorkerPhase::ready) == runs_.all().size(); }

std::optional<Reload::Effect> Reload::poll_effect() {
  if (effects_.empty()) return std::nullopt;
  Effect effect = std::move(effects_.front());
  effects_.pop_front();
  return effect;
}

}  // namespace muster::core
