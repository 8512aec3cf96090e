// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <set>

#include "core/ids.h"

namespace muster::core {

// One bound descriptor that workers listen on themselves: each gets a copy, the system deals. Node's
// shared_handle.js.
class SharedHandle {
 public:
  void add(WorkerId worker) { workers_.insert(worker); }
  void remove(WorkerId worker) { workers_.erase(worker); }
  bool has(WorkerId worker) const { return workers_.contains(worker); }
  bool has_workers() const { return !workers_.empty(); }

  // What the workers get copies of, once it is bound.
  std::optional<FdToken> descriptor;

 private:
  std::set<WorkerId> workers_;
};

// A listening socket of its own for each worker, and a program in the kernel that deals. The sockets are the workers' alone:
// what waits at that of a worker that goes, moves to the others.
class KernelHandle {
 public:
  void add(WorkerId worker) { workers_.insert(worker); }
  void remove(WorkerId worker) { workers_.erase(worker); }
  bool has(WorkerId worker) const { return workers_.contains(worker); }
  bool has_workers() const { return !workers_.empty(); }
  const std::set<WorkerId>& workers() const { return workers_; }

 private:
  std::set<WorkerId> workers_;
};

}  // namespace muster::core
