// SPDX-License-Identifier: MIT
#include "core/lifecycle.h"

namespace muster::core {
namespace {

// What each report does in each state; nothing where no correct worker reports it. The channel's end
// and the exit come in either order, and the last one names the state, as in Node 20's primary.js.
constexpr std::optional<State> ignored = std::nullopt;
constexpr std::optional<State> next_state[5][4] = {
    //                  online         listening         disconnected         exited
    /* none         */ {State::online, State::listening, State::disconnected, State::dead},
    /* online       */ {ignored, State::listening, State::disconnected, State::dead},
    /* listening    */ {ignored, State::listening, State::disconnected, State::dead},
    /* disconnected */ {ignored, ignored, ignored, State::dead},
    /* dead         */ {ignored, ignored, State::disconnected, ignored},
};

}  // namespace

std::string_view to_string(State state) {
  constexpr std::string_view names[] = {"none", "online", "listening", "disconnected", "dead"};
  return names[static_cast<std::size_t>(state)];
}

bool Lifecycle::report(Report report) {
  const auto next = next_state[static_cast<std::size_t>(state_)][static_cast<std::size_t>(report)];
  if (!next) return false;
  // "dead" is entered twice when the exit comes first and the channel's end between.
  if (report == Report::exited && exited_) return false;
  if (report == Report::disconnected && disconnected_) return false;
  state_ = *next;
  disconnected_ |= report == Report::disconnected;
  exited_ |= report == Report::exited;
  return true;
}

}  // namespace muster::core
