// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <csignal>

#include "api/process_state.h"

namespace muster::detail {

// This process, without a channel: the primary's own.
class OwnProcess : public ProcessState, public std::enable_shared_from_this<OwnProcess> {
 public:
  explicit OwnProcess(LoopState& loop) : loop_(loop.shared_from_this()) {}

  int pid() const override { return ::getpid(); }
  bool is_connected() const override { return false; }
  std::optional<ExitStatus> exit_status() const override { return std::nullopt; }
  bool kill(Signal signal) override { return ::kill(::getpid(), signal.number()) == 0; }
  bool send(Value&&, Handle&&, SendCallback&& done) override {
    fail(Errc::ipc_channel_closed, std::move(done));
    return false;
  }
  void disconnect() override { fail(Errc::ipc_disconnected, {}); }

 protected:
  // Later: to the callback, or else as an `error` event.
  void fail(Errc code, SendCallback done) {
    const std::error_code failed = code;
    if (done) {
      loop_->loop.next_tick([done = std::move(done), failed]() mutable { done(failed); });
      return;
    }
    loop_->loop.next_tick([this, keep = shared_from_this(), failed] {
      const Error failure{failed, failed.message()};
      if (over()) return;
      if (error.empty()) return loop_->unhandled(failure);
      error.emit(loop_->loop, failure);
    });
  }

  const std::shared_ptr<LoopState> loop_;
};

}  // namespace muster::detail
