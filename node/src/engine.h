// SPDX-License-Identifier: MIT
#pragma once

#include <node_api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/primary.h"
#include "core/reload.h"
#include "core/supervisor.h"
#include "uv/loop.h"
#include "uv/primary_driver.h"

namespace muster::node {

// What decides which workers are replaced, and when.
using Plan = std::variant<core::Reload, core::Supervisor>;

// A primary on Node's loop. JavaScript gives commands; what happens reaches its `emit(type, worker, ...)`: from the loop in a
// callback scope of its own for each, or, for what a command itself sets off, by `enqueue` with the same arguments, to be
// emitted in a tick.
class Engine final : private uv::PrimaryDriver::Sink, private uv::Loop::EndOfTurn {
 public:
  struct Callbacks {
    napi_ref emit = nullptr;
    napi_ref enqueue = nullptr;
    napi_ref choose = nullptr;
  };

  Engine(napi_env env, uv_loop_s* loop, Callbacks callbacks, std::string exec, bool may_listen);
  ~Engine();

  // Runs a command, which may throw Exception.
  template <class F>
  auto command(F&& f) {
    ++commands_;
    struct Leave {
      int& commands;
      ~Leave() { --commands; }
    } const leave{commands_};
    return f();
  }

  struct Forked {
    std::shared_ptr<const core::WorkerRecord> worker;
    std::vector<std::pair<int, OwnedFd>> pipes;
    int error = 0;  // of a process that did not start
  };
  std::size_t listeners() const { return driver_->acceptors(); }
  core::WorkerId take_id() { return core_.take_id(); }
  // With the whole environment, NAME=value each.
  Forked fork(core::WorkerId id, Settings settings, std::vector<std::string> environment);
  void disconnect(core::WorkerId worker);
  bool disconnect_channel(core::WorkerId worker);
  void set_policy(SchedulingPolicy policy) { core_.set_scheduling_policy(policy); }
  core::Channel::SendResult send(core::WorkerId worker, uv::UserBytes&& message, std::optional<core::SendId> id);
  void send(core::WorkerId worker, const core::wire::SocketListMessage& message);
  bool kill(core::WorkerId worker, Signal signal) { return driver_->kill(worker, signal); }
  void ref_channel(core::WorkerId worker, bool ref) { driver_->ref_channel(worker, ref); }
  void ref_process(core::WorkerId worker, bool ref) { driver_->ref_process(worker, ref); }
  // What is known of a worker until it is gone.
  const core::WorkerRecord* find(core::WorkerId worker) const;
  // Reloads and supervisors, by number. Null for one that is not there.
  int add_plan(Plan plan) {
    plans_.emplace(++last_plan_, std::move(plan));
    return last_plan_;
  }
  Plan* find_plan(int number) {
    const auto found = plans_.find(number);
    return found == plans_.end() ? nullptr : &found->second;
  }
  void forget_plan(int number) { plans_.erase(number); }

 private:
  struct Known {
    std::shared_ptr<const core::WorkerRecord> record;
    Serialization serialization;
  };

  void handle_event(core::PrimaryEvent event) override;
  void handle_message(core::WorkerId, uv::UserMessage&&) override {}
  void handle_message(core::WorkerId worker, uv::UserBytes&& message) override;
  void handle_socket_list(core::WorkerId worker, core::wire::SocketListMessage message) override;
  void handle_sent(core::SendId id, std::error_code error) override;
  void handle_no_kernel(const std::string& why) override;
  std::optional<core::WorkerId> choose(int connection, const std::vector<core::WorkerId>& workers) override;

  void tell(const core::SetupEvent&) {}  // JavaScript has its own settings
  void tell(const core::ForkEvent& event);
  void tell(const core::OnlineEvent& event);
  void tell(const core::ListeningEvent& event);
  void tell(const core::DisconnectEvent& event);
  void tell(const core::ExitEvent& event);
  void tell(const core::ErrorEvent& event);
  void tell(const core::AllDisconnectedEvent&) {}  // JavaScript counts as Node does
  void tell(const core::ListeningStoppedEvent&) {}

  // What came in one turn is emitted in ticks after it, and their promise jobs follow, as in Node.
  void end_of_turn() override;
  void emit_ticks();

  // `make_arguments` is called where there is room for handles.
  template <class MakeArguments>
  void emit(MakeArguments&& make_arguments);
  template <class MakeArguments>
  void emit_in_tick(MakeArguments&& make_arguments);
  napi_value call(napi_value function, const std::vector<napi_value>& arguments);
  void forget_if_gone(core::WorkerId worker);

  napi_env env_;
  Callbacks callbacks_;
  napi_async_context context_ = nullptr;
  int commands_ = 0;
  int spawn_error_ = 0;
  bool ticks_wait_ = false;
  uv::Loop loop_;
  core::Primary core_;
  std::map<int, Plan> plans_;
  int last_plan_ = 0;
  std::map<core::WorkerId, Known> workers_;
  std::unique_ptr<uv::PrimaryDriver> driver_;
};

}  // namespace muster::node
