// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <muster/cluster.h>
#include "api/emitter.h"
#include "api/loop_state.h"
#include "api/process_state.h"
#include "api/worker_state.h"
#include "core/wire.h"
#include "os/fd.h"

namespace muster::detail {

class ServerState;
class PrimarySide;
class ChildSide;

// Behind a Cluster: one of two sides.
class ClusterState : public std::enable_shared_from_this<ClusterState> {
 public:
  static std::shared_ptr<ClusterState> make(LoopState& loop, int argc, char** argv);

  explicit ClusterState(LoopState& loop) : loop(loop.shared_from_this()) {}
  virtual ~ClusterState() = default;

  // Null on the other side.
  virtual PrimarySide* primary() { return nullptr; }
  virtual ChildSide* child() { return nullptr; }
  virtual std::shared_ptr<ProcessState> process() const = 0;
  // The cluster goes: closes what it has open, and from then on does nothing.
  virtual void shut_down();

  const std::shared_ptr<LoopState> loop;
  unsigned supervisors = 0;  // that keep its workers

  Emitter<const Settings&> setup;
  Emitter<Worker> fork;
  Emitter<Worker> online;
  Emitter<Worker, const Address&> listening;
  Emitter<Worker, Message&> message;
  Emitter<Worker> disconnect;
  Emitter<Worker, ExitStatus> exit;
  Emitter<const std::string&> policy_unavailable;

 protected:
  // Closes a driver and lets go of it. Both it and this may still be on the call stack, and the driver needs this.
  template <class Driver>
  void retire(std::shared_ptr<Driver>& driver) {
    if (!driver) return;
    driver->close();
    loop->keep_for_turn(std::exchange(driver, nullptr));
    loop->keep_for_turn(shared_from_this());
  }
};

}  // namespace muster::detail
