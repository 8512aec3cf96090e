// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/process.h>
#include "api/emitter.h"
#include "api/loop_state.h"

namespace muster::detail {

class SocketState;

// Behind a Process, whichever process it is.
class ProcessState {
 public:
  virtual ~ProcessState() = default;

  virtual int pid() const = 0;
  virtual bool is_connected() const = 0;
  virtual std::optional<ExitStatus> exit_status() const = 0;
  virtual bool kill(Signal signal) = 0;
  virtual bool send(Value&& message, Handle&& handle, SendCallback&& done) = 0;
  virtual void disconnect() = 0;
  virtual std::string spawn_file() const { return {}; }
  virtual std::vector<std::string> spawn_args() const { return {}; }
  virtual void ref(bool) {}
  virtual void ref_channel(bool) {}
  // The other end of the process's descriptor `number`, where it is a pipe.
  virtual std::shared_ptr<SocketState> pipe(int) const { return nullptr; }

  // It is gone and has been told so.
  void drop_listeners() {
    over_ = true;
    message.clear();
    disconnected.clear();
    exit.clear();
    error.clear();
    spawned.clear();
    closed.clear();
  }

  bool over() const { return over_; }

  Emitter<Message&> message;
  Emitter<> disconnected;
  Emitter<ExitStatus> exit;
  Emitter<const Error&> error;
  Emitter<> spawned;
  Emitter<ExitStatus> closed;

 private:
  bool over_ = false;
};

}  // namespace muster::detail
