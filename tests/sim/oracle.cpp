// SPDX-License-Identifier: MIT
#include "sim/oracle.h"

#include <fmt/core.h>

namespace muster::sim {

std::string Failure::to_string() const { return fmt::format("seed {} step {}: {}: {}", seed, step, property, detail); }

void Oracle::violated(int step, std::string property, std::string detail) {
  if (!failure_) failure_ = Failure{seed_, step, std::move(property), std::move(detail)};
}

void Oracle::check(int step, core::WorkerId worker, bool holds, const char* what) {
  if (!holds) violated(step, "grammar", fmt::format("worker {}: {}", static_cast<int>(worker), what));
}

void Oracle::see(int step, const core::PrimaryEvent& event) {
  if (const auto* fork = std::get_if<core::ForkEvent>(&event)) {
    Life& life = lives_[fork->worker];
    check(step, fork->worker, !life.forked && !life.disconnected && !life.exited, "fork after something else");
    life.forked = true;
  } else if (const auto* online = std::get_if<core::OnlineEvent>(&event)) {
    Life& life = lives_[online->worker];
    check(step, online->worker, life.forked && !life.online && !life.listening && !life.disconnected, "online out of place");
    life.online = true;
  } else if (const auto* listening = std::get_if<core::ListeningEvent>(&event)) {
    Life& life = lives_[listening->worker];
    check(step, listening->worker, life.forked && life.online && !life.disconnected, "listening out of place");
    life.listening = true;
  } else if (const auto* disconnect = std::get_if<core::DisconnectEvent>(&event)) {
    Life& life = lives_[disconnect->worker];
    check(step, disconnect->worker, life.forked && !life.disconnected, "disconnect out of place");
    life.disconnected = true;
  } else if (const auto* exit = std::get_if<core::ExitEvent>(&event)) {
    Life& life = lives_[exit->worker];
    check(step, exit->worker, life.forked && !life.exited, "exit out of place");
    life.exited = true;
  }
}

}  // namespace muster::sim
