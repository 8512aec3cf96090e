// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/supervisor.h>
#include "api/cluster_state.h"
#include "api/emitter.h"
#include "api/loop_state.h"
#include "core/supervisor.h"
#include "uv/timer.h"

namespace muster::detail {

// Behind a Supervisor: does what core::Supervisor decides, and tells it what happens.
class Supervision final : public Reusable, public std::enable_shared_from_this<Supervision> {
 public:
  using Told = Function<void(const std::string& why)>;

  Supervision(const std::shared_ptr<ClusterState>& cluster, const SupervisorOptions& options, SupervisorHooks hooks);

  // Does nothing any more, and tells nobody.
  void abandon();
  void drop_listeners() override { abandon(); }

  void start();
  void set_options(const SupervisorOptions& options);
  void reload(Function<void(const RolloutResult&)> done);
  void restart(Told done);
  void scale(unsigned workers, Told done);
  void stop();
  void terminate();
  void kill();
  void replace(const Worker& worker, EndCause cause);
  void put_down(const Worker& worker, EndCause cause);
  void set_ready(const Worker& worker);
  void hear(const Worker& worker);
  void excuse_silence();

  const core::Supervisor& core() const { return core_; }
  Health health() const;
  std::vector<Seat> seats() const;
  std::vector<SupervisedWorker> workers() const;

  Emitter<Worker> ready;
  Emitter<const WorkerEnd&> ended;
  Emitter<Worker, std::chrono::milliseconds> hung;
  Emitter<const RolloutResult&> reloaded;
  Emitter<const std::string&> failed;
  Emitter<> stopped;
  Emitter<> changed;

 private:
  using RunId = core::RunId;

  // A process: the worker, and what is heard of it. What listens ends with it.
  struct Entry {
    std::optional<Worker> worker = {};
    std::string failure = {};
    std::vector<ScopedSubscription> subscriptions = {};
    std::unique_ptr<uv::Timer> ending = {};
    std::unique_ptr<uv::Timer> deaf = {};  // without a channel
    bool listens = false;
  };

  void pump();
  void perform(const core::Supervisor::Fork& fork);
  void perform(const core::Supervisor::Drain& drain);
  void perform(const core::Supervisor::Terminate& terminate);
  void perform(const core::Supervisor::Kill& kill);
  void perform(const core::Supervisor::Hung& hung);
  void perform(const core::Supervisor::Died& died);
  void perform(const core::Supervisor::ReloadEnded& ended);
  void perform(const core::Supervisor::Failed& failed);
  void perform(const core::Supervisor::Stopped& stopped);

  Worker fork(unsigned seat, unsigned generation);
  void watch(RunId run, const Worker& worker);
  void fail_to_start(RunId run, std::string why);
  void replace_deaf(RunId run);
  void get_ready(RunId run);
  void end(RunId run, ExitStatus status, bool started);
  void check_progress();
  void wait_for(unsigned workers, Told done);
  void stop_waiting(const std::string& why);
  std::optional<RunId> run_of(const Worker& worker) const;
  std::optional<Worker> worker_of(RunId run) const;
  // Tells the listeners of `emitter`, when it is their turn.
  template <class Emitter, class... A>
  void tell(Emitter& emitter, A... arguments);

  // The workers are anybody's again.
  void release_cluster();

  const std::weak_ptr<ClusterState> cluster_;
  bool keeps_cluster_ = true;
  const std::shared_ptr<LoopState> loop_;
  SupervisorOptions options_;
  SupervisorHooks hooks_;
  core::Supervisor core_;
  std::map<RunId, Entry> entries_;
  Function<void(const RolloutResult&)> reload_done_;
  Told waiting_done_;  // of a restart or scale: once so many are ready
  unsigned waiting_for_ = 0;
  uv::Timer deadline_, look_timer_;
  bool pumping_ = false;
  bool reload_untold_ = false;  // nothing is done until its end was told
  bool started_ = false;
  bool over_ = false;
};

}  // namespace muster::detail
