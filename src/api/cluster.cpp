// SPDX-License-Identifier: MIT
#include <muster/cluster.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include "api/child_side.h"
#include "api/primary_side.h"
#include "uv/reporter.h"
#include "uv/signal_watcher.h"
#include "uv/socket.h"

namespace muster {
namespace detail {
namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Settings default_settings(int argc, char** argv) {
  Settings settings;
  // Resolved once, so that a worker runs the file the primary runs, or fails when it is gone.
  std::error_code ignored;
  settings.exec = std::filesystem::read_symlink("/proc/self/exe", ignored).string();
  settings.args.emplace();
  for (int i = 1; i < argc; ++i) settings.args->emplace_back(argv[i]);
  return settings;
}

// The kernel drops a signal to process 1 that has no handler, so `docker stop` would wait and then kill. Where the
// program handles none itself, the loop ends as the signal would have ended the process.
void obey_as_process_one(LoopState& loop) {
  if (getpid() != 1) return;
  for (const Signal signal : {Signal::term, Signal::interrupt}) {
    struct sigaction now = {};
    if (sigaction(signal.number(), nullptr, &now) == 0 && now.sa_handler == SIG_DFL) loop.watch(signal).ends_loop = true;
  }
}

// What the environment names may be anything, or gone.
bool is_socket(int fd) {
  struct stat file = {};
  return fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode);
}

}  // namespace

void ClusterState::shut_down() {
  process()->drop_listeners();
  setup.clear();
  fork.clear();
  online.clear();
  listening.clear();
  message.clear();
  disconnect.clear();
  exit.clear();
  policy_unavailable.clear();
}

std::shared_ptr<ClusterState> ClusterState::make(LoopState& loop, int argc, char** argv) {
  // Node asks only whether it exists; what it says is the id.
  const char* unique_id = std::getenv("NODE_UNIQUE_ID");
  if (!unique_id) {
    obey_as_process_one(loop);
    const auto policy = scheduling_policy_from_name(variable("NODE_CLUSTER_SCHED_POLICY"));
    return std::make_shared<PrimarySide>(loop, default_settings(argc, argv), policy.value_or(SchedulingPolicy::round_robin));
  }
  const core::WorkerId id{number(unique_id).value_or(0)};
  const auto channel = number(variable("NODE_CHANNEL_FD"));
  const std::string serialization(variable("NODE_CHANNEL_SERIALIZATION_MODE"));
  // A process that this one starts is not a worker of our primary.
  for (const char* name : {"NODE_UNIQUE_ID", "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE"}) unsetenv(name);
  if (!channel || *channel > INT_MAX || !is_socket(static_cast<int>(*channel))) {
    throw Exception(Errc::ipc_channel_closed,
                    "NODE_UNIQUE_ID says that this is a worker, but NODE_CHANNEL_FD names no channel to a primary");
  }
  if (!serialization.empty() && serialization != "json" && serialization != "advanced") {
    throw Exception(Errc::invalid_arg_value,
                    "NODE_CHANNEL_SERIALIZATION_MODE is '" + serialization + "'; this version speaks 'json' and 'advanced'");
  }
  uv::ignore_broken_pipes();
  OwnedFd fd = OwnedFd::shared(static_cast<int>(*channel));
  uv::set_non_blocking(fd.get());
  uv::set_close_on_exec(fd.get());
  auto side =
      ChildSide::make(loop, id, std::move(fd), serialization == "advanced" ? Serialization::advanced : Serialization::json);
  if (auto reports = uv::Reporter::take_request()) side->report_to(std::move(*reports));
  return side;
}

}  // namespace detail

namespace {

detail::PrimarySide& primary_only(detail::ClusterState& state, const char* call) {
  detail::PrimarySide* primary = state.primary();
  if (!primary)
    throw Exception(Errc::invalid_arg_value, std::string(call) + " can be called in the primary only: this is a worker");
  return *primary;
}

}  // namespace

Cluster::Cluster(Loop& loop, int argc, char** argv)
    : state_(detail::ClusterState::make(detail::Access::state(loop), argc, argv)) {
  detail::Access::state(loop).add(state_);
}
Cluster::~Cluster() { state_->shut_down(); }

bool Cluster::is_primary() const { return state_->primary() != nullptr; }

std::optional<Worker> Cluster::worker() const {
  detail::ChildSide* child = state_->child();
  if (!child) return std::nullopt;
  return detail::Access::make<Worker>(child->worker());
}

std::map<int, Worker> Cluster::workers() const {
  detail::PrimarySide* primary = state_->primary();
  return primary ? primary->workers() : std::map<int, Worker>();
}

const Settings& Cluster::settings() const {
  static const Settings none;
  detail::PrimarySide* primary = state_->primary();
  return primary ? primary->core().settings() : none;
}

SchedulingPolicy Cluster::scheduling_policy() const {
  detail::PrimarySide* primary = state_->primary();
  return primary ? primary->core().scheduling_policy() : SchedulingPolicy::round_robin;
}

void Cluster::set_scheduling_policy(SchedulingPolicy policy) {
  detail::PrimarySide& primary = primary_only(*state_, "set_scheduling_policy()");
  if (policy == SchedulingPolicy::custom) {
    throw Exception(Errc::invalid_arg_value, "SchedulingPolicy::custom needs a function: give that to set_scheduling_policy()");
  }
  primary.core().set_scheduling_policy(policy);
}

void Cluster::set_scheduling_policy(ChooseWorker choose) {
  if (!choose) throw Exception(Errc::invalid_arg_value, "set_scheduling_policy() needs a function that chooses a worker");
  primary_only(*state_, "set_scheduling_policy()").set_choose_worker(std::move(choose));
}

Process Cluster::process() const { return detail::Access::make<Process>(state_->process()); }

void Cluster::setup_primary(const Settings& settings) { primary_only(*state_, "setup_primary()").setup_primary(settings); }
Worker Cluster::fork(const Env& env) { return primary_only(*state_, "fork()").fork_worker(env); }
void Cluster::disconnect(Function<void()> done) { primary_only(*state_, "disconnect()").disconnect_all(std::move(done)); }

void Cluster::reload(const ReloadOptions& options, Function<void(const RolloutResult&)> done) {
  primary_only(*state_, "reload()").reload(options, std::move(done));
}

void Cluster::keep_ports() { primary_only(*state_, "keep_ports()").keep_ports(); }
void Cluster::release_unused_ports() { primary_only(*state_, "release_unused_ports()").release_unused_ports(); }
void Cluster::adopt(ListeningSocket socket) {
  if (!socket.socket) throw Exception(Errc::invalid_handle_type, "adopt() needs a listening socket: there is no descriptor");
  primary_only(*state_, "adopt()").adopt(std::move(socket));
}
std::vector<ListeningSocket> Cluster::kept_ports() const { return primary_only(*state_, "kept_ports()").kept_ports(); }
void Cluster::leave_files() { primary_only(*state_, "leave_files()").leave_files(); }
void Cluster::stop_listening(Function<void()> done) {
  primary_only(*state_, "stop_listening()").stop_listening(std::move(done));
}

Subscription Cluster::on_setup(Listener<const Settings&> listener) { return state_->setup.on(std::move(listener)); }
Subscription Cluster::on_fork(Listener<Worker> listener) { return state_->fork.on(std::move(listener)); }
Subscription Cluster::on_online(Listener<Worker> listener) { return state_->online.on(std::move(listener)); }
Subscription Cluster::on_listening(Listener<Worker, const Address&> listener) {
  return state_->listening.on(std::move(listener));
}
Subscription Cluster::on_message(Listener<Worker, Message&> listener) { return state_->message.on(std::move(listener)); }
Subscription Cluster::on_disconnect(Listener<Worker> listener) { return state_->disconnect.on(std::move(listener)); }
Subscription Cluster::on_policy_unavailable(Listener<const std::string&> listener) {
  return state_->policy_unavailable.on(std::move(listener));
}
Subscription Cluster::on_exit(Listener<Worker, ExitStatus> listener) { return state_->exit.on(std::move(listener)); }

}  // namespace muster
