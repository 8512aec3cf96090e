// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/cluster.h>
#include <muster/supervision.h>

namespace muster {

namespace detail {
class Supervision;
}  // namespace detail

// When a worker is ready: the supervisor gives up its predecessor then.
enum class Readiness {
  listening,  // its first server listens
  online,     // it runs
  told,       // the program calls Supervisor::set_ready()
};

// How workers are kept. Limits that are empty are none.
struct SupervisorOptions {
  // Each worker sits on a seat, numbered from 1, which its successors keep. Empty: available_parallelism().
  std::optional<unsigned> workers = {};
  // How many are replaced at a time by a reload.
  unsigned parallel = 1;
  // How many may be starting at a time; the others wait.
  std::optional<unsigned> max_starting = {};
  Readiness readiness = Readiness::listening;
  std::optional<std::chrono::milliseconds> ready_timeout = std::chrono::milliseconds(30'000);
  // The first failure of a seat is tried again at once, the next ones after this, doubled each time, somewhat at random.
  std::chrono::milliseconds backoff{100};
  std::chrono::milliseconds max_backoff{15'000};
  // For each worker, within the window. With more the supervisor fails: it ends what runs and starts nothing.
  std::optional<unsigned> max_restarts = 10;
  std::chrono::milliseconds restart_window{60'000};
  // A worker over these is replaced: its successor is ready before it goes.
  std::optional<std::chrono::milliseconds> max_age = {};
  std::optional<std::uint64_t> max_memory = {};  // resident, in bytes
  // A ready worker that gave signs of life (Supervisor::hear()) and none for so long hangs.
  std::optional<std::chrono::milliseconds> heartbeat = {};
  // How long a worker that leaves may take to finish what it has; then it gets SIGTERM, and later SIGKILL.
  std::chrono::milliseconds drain_timeout{30'000};
  std::chrono::milliseconds kill_timeout{5'000};
};

// What the supervisor does by functions of the program. Empty ones: as their comments say.
struct SupervisorHooks {
  // Starts the worker of a seat. An exception counts as a process that could not be started. Empty: Cluster::fork(), with
  // MUSTER_WORKER (the seat) and MUSTER_GENERATION (how many reloads there were) in its environment.
  Function<Worker(unsigned seat, unsigned generation)> fork = {};
  // Asks it to leave. Empty: Worker::disconnect(), which loses no request; SIGTERM for one that is not online: it has no
  // channel, or does not speak on it.
  Function<void(const Worker& worker)> drain = {};
};

// How a worker ended: its obituary.
struct WorkerEnd {
  // Nothing where the fork threw; `failure` says what.
  std::optional<Worker> worker = {};
  unsigned seat = 0;
  EndCause cause{};
  ExitStatus status = ExitStatus::exited(0);
  bool was_ready = false;
  std::chrono::milliseconds lived{};
  // Who sits there now, or will when it is ready.
  std::optional<Worker> successor = {};
  // When the next one is started, where there is none.
  std::optional<std::chrono::milliseconds> next_try = {};
  std::string failure = {};
};

struct SupervisedWorker {
  Worker worker;
  unsigned seat = 0;
  unsigned generation = 0;
  WorkerPhase phase{};
  std::chrono::milliseconds uptime{};
};

struct Seat {
  unsigned number = 0;
  // How often its worker was started again after it had ended by itself.
  unsigned restarts = 0;
  // Nobody sits there, and none is started before this.
  std::optional<std::chrono::milliseconds> next_try = {};
  bool empty = false;
};

// Keeps a cluster's workers: so many of them, each on its seat, started again when they end, replaced one after the other by
// reload() without a moment in which nobody listens. What the command `muster` decides for the apps it runs.
//
// Made on a Cluster in the primary, which it may outlive and which must not fork by itself meanwhile. Destroying it ends
// nobody: workers live on, and nobody replaces them. Calls take effect at once, and what follows is told by events, on the
// loop's thread. `done` of a call runs once, later.
class Supervisor {
 public:
  // Throws Exception(Errc::invalid_arg_value) in a worker, and for options that cannot be.
  explicit Supervisor(Cluster& cluster, SupervisorOptions options = {}, SupervisorHooks hooks = {});
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor();

  // Starts the workers. Once.
  void start();
  // For workers that start or end from now on. scale() changes their number.
  void set_options(const SupervisorOptions& options);
  // Puts a new worker in the place of each. Abandoned, with the old ones going on, when a new one is not ready in time or dies
  // before; refused (`why`) while the supervisor is not running, or another reload is under way.
  void reload(Function<void(const RolloutResult&)> done = {});
  // Ends all of them at the same time and starts them again. `why` is empty when all are ready, and says otherwise what is in
  // the way.
  void restart(Function<void(const std::string& why)> done = {});
  // Throws Exception(Errc::invalid_arg_value) for no workers.
  void scale(unsigned workers, Function<void(const std::string& why)> done = {});
  // Each worker finishes what it has, and `stop` follows; terminate() and kill() do not wait for that.
  void stop();
  void terminate();
  void kill();
  // A new worker takes the place of this one, and lets it go. Nothing for one that is not ready, or being replaced.
  void replace(const Worker& worker, EndCause cause);
  // Kills it. It is started again as after any failure.
  void put_down(const Worker& worker, EndCause cause);

  // With Readiness::told, or before the worker is ready otherwise.
  void set_ready(const Worker& worker);
  // The worker gave a sign of life.
  void hear(const Worker& worker);
  // Nobody could be heard until now.
  void excuse_silence();

  [[nodiscard]] SupervisorState state() const;
  [[nodiscard]] Health health() const;
  // Why a reload, or a restart or another number of workers, would be refused now. Empty: it would not.
  [[nodiscard]] std::string why_not_reload() const;
  [[nodiscard]] std::string why_not_scale() const;
  // How many are wanted, and how many are ready.
  [[nodiscard]] unsigned wanted() const;
  [[nodiscard]] unsigned ready() const;
  [[nodiscard]] unsigned restarts() const;
  [[nodiscard]] std::vector<Seat> seats() const;
  [[nodiscard]] std::vector<SupervisedWorker> workers() const;

  Subscription on_ready(Listener<Worker> listener);
  Subscription on_end(Listener<const WorkerEnd&> listener);
  // It hangs, told once. put_down() is due; without a listener it happens at once.
  Subscription on_hang(Listener<Worker, std::chrono::milliseconds> listener);
  Subscription on_reload(Listener<const RolloutResult&> listener);
  // Too many restarts, or nobody ever became ready: why. `stop` follows.
  Subscription on_fail(Listener<const std::string&> listener);
  // Nothing runs any more, and nothing will.
  Subscription on_stop(Listener<> listener);
  // After each of these, and whatever else may have changed state(), health() or workers().
  Subscription on_change(Listener<> listener);

 private:
  std::shared_ptr<detail::Supervision> state_;
};

}  // namespace muster
