// SPDX-License-Identifier: MIT
#pragma once

#include <list>
#include <map>
#include <memory>
#include <vector>

#include <muster/error.h>
#include <muster/loop.h>
#include "api/emitter.h"
#include "uv/loop.h"
#include "uv/reporter.h"
#include "uv/signal_watcher.h"

namespace muster::detail {

class ClusterState;
class LoopState;

// What the loop keeps alive while it is open, whether the program still names it or not: a listening
// server, a connection, a timer.
class Resource : public std::enable_shared_from_this<Resource> {
 public:
  virtual ~Resource() = default;
  // The loop or the cluster goes: let go of everything, tell nobody.
  virtual void abandon() = 0;

 protected:
  friend class LoopState;

  std::list<std::shared_ptr<Resource>>::iterator place_;
  bool held_ = false;
};

// What a loop must break up when it goes, because a listener of it may hold it: a server, which may listen again as
// long as there is a loop.
class Reusable {
 public:
  virtual ~Reusable() = default;
  virtual void drop_listeners() = 0;
};

// Behind a Loop. Everything made on the loop shares it, so it outlives the Loop; from then on it is silent.
class LoopState final : public std::enable_shared_from_this<LoopState>, private uv::Loop::EndOfTurn {
 public:
  static std::shared_ptr<LoopState> make(uv_loop_s* borrowed);

  explicit LoopState(uv_loop_s* borrowed) : loop(borrowed) {}
  ~LoopState();

  // The Loop was destroyed. Closes at once, or at the end of the turn when one of its listeners destroyed it.
  void retire();

  void hold(Resource& resource);
  // The resource goes when the turn ends at the earliest: it may be calling just now.
  void release(Resource& resource);

  void add(std::weak_ptr<Reusable> reusable);
  void add(std::weak_ptr<ClusterState> cluster);
  // Keeps alive until the end of the turn what may still be on the call stack.
  void keep_for_turn(std::shared_ptr<void> thing);

  // For an `error` that nobody listens for.
  void unhandled(Error error);

  uv::Loop loop;
  uv::Counts counts;  // of all servers on it
  Emitter<std::exception_ptr> uncaught;
  struct SignalListeners {
    std::unique_ptr<uv::SignalWatcher> watcher;
    Emitter<Signal> listeners;
    bool ends_loop = false;  // where nobody listens: this is process 1
  };
  // Those of a signal, watched from now on.
  SignalListeners& watch(Signal signal);
  std::map<int, SignalListeners> signals;

 private:
  void close();
  void end_of_turn() override;

  std::list<std::shared_ptr<Resource>> held_;
  std::vector<std::shared_ptr<void>> released_;
  std::vector<std::weak_ptr<Reusable>> reusable_;
  std::vector<std::weak_ptr<ClusterState>> clusters_;
};

}  // namespace muster::detail
