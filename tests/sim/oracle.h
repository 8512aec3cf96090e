// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "core/effect.h"
#include "core/ids.h"

namespace muster::sim {

// The first property that did not hold, with what replays it.
struct Failure {
  std::uint64_t seed = 0;
  int step = 0;
  std::string property;
  std::string detail;

  std::string to_string() const;
};

// What must hold in every world:
//  conservation  a descriptor is closed once, by its holder; at the end none is open
//  limbo         every connection is served once, reset or refused; none waits for ever
//  order         messages arrive as sent, each handle with its own
//  grammar       a worker's events are fork, online, listening..., disconnect and exit, in that order
//  fairness      n idle workers get n connections, one each
//  quiet         after cluster.disconnect() everything ends and the callback runs once
class Oracle {
 public:
  explicit Oracle(std::uint64_t seed) : seed_(seed) {}

  void violated(int step, std::string property, std::string detail);
  const std::optional<Failure>& failure() const { return failure_; }

  // Checks the order of a worker's events.
  void see(int step, const core::PrimaryEvent& event);

 private:
  struct Life {
    bool forked = false, online = false, listening = false, disconnected = false, exited = false;
  };

  void check(int step, core::WorkerId worker, bool holds, const char* what);

  std::uint64_t seed_;
  std::optional<Failure> failure_;
  std::map<core::WorkerId, Life> lives_;
};

}  // namespace muster::sim
