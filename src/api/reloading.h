// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/cluster.h>
#include "api/loop_state.h"
#include "core/reload.h"
#include "uv/timer.h"

namespace muster::detail {

class PrimarySide;

// A reload of the workers that a program forked: does what core::Reload decides. It keeps itself until nobody leaves any more.
class Reloading final : public std::enable_shared_from_this<Reloading> {
 public:
  using Done = Function<void(const RolloutResult&)>;

  // A worker to be replaced by one like it.
  struct Old {
    Worker worker;
    Env env;
    bool listens;  // then its successor is ready when that does
  };

  Reloading(PrimarySide& cluster, std::vector<Old> old, const ReloadOptions& options, Done done);
  void start();
  // The cluster goes: does nothing any more.
  void abandon();
  // Another may begin.
  bool has_ended() const { return ended_; }

 private:
  using RunId = core::RunId;

  struct Entry {
    std::optional<Worker> worker;
    std::vector<ScopedSubscription> subscriptions;
  };

  void pump();
  void perform(const core::Runs::Fork& fork);
  void perform(const core::Runs::Drain& drain);
  void perform(const core::Runs::Terminate& terminate);
  void perform(const core::Runs::Kill& kill);
  void perform(const core::Reload::Ended& ended);
  void watch(RunId run, const Worker& worker);
  void fail_to_start(RunId run, std::string why);
  void end(RunId run, ExitStatus status, bool started);
  std::optional<Worker> worker_of(RunId run) const;

  PrimarySide* cluster_;  // null when it is gone
  const std::shared_ptr<LoopState> loop_;
  const std::vector<Old> old_;
  const ReloadOptions options_;
  Done done_;
  core::Reload core_;
  std::map<RunId, Entry> entries_;
  uv::Timer deadline_;
  std::string failure_;  // of a worker that could not be started
  bool pumping_ = false;
  bool ended_ = false;
};

}  // namespace muster::detail
