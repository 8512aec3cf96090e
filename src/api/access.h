// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <utility>

#include <muster/cluster.h>
#include <muster/handle.h>
#include <muster/loop.h>
#include "os/fd.h"

namespace muster::detail {

// What the library may do to its public types, and programs may not.
struct Access {
  // A handle that names `state`.
  template <class Named, class State>
  static Named make(State&& state) {
    return Named(std::forward<State>(state));
  }

  static ClusterState& state(const Cluster& cluster) { return *cluster.state_; }
  static LoopState& state(const Loop& loop) { return *loop.state_; }

  // Its descriptor, as shared as it is.
  static OwnedFd take(Handle&& handle) {
    return handle.received_ ? OwnedFd::shared(handle.release()) : OwnedFd(handle.release());
  }
  static void set_received(Handle& handle) { handle.received_ = true; }
  static void set_origin(Handle& handle, std::shared_ptr<HandleOrigin> origin) { handle.origin_ = std::move(origin); }
  static const std::shared_ptr<HandleOrigin>& origin(const Handle& handle) { return handle.origin_; }
};

}  // namespace muster::detail
