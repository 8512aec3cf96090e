// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include <muster/worker.h>
#include "api/emitter.h"
#include "api/process_state.h"

namespace muster::detail {

// Behind a Worker, in the primary or in the worker itself.
class WorkerState {
 public:
  virtual ~WorkerState() = default;

  virtual int id() const = 0;
  virtual std::shared_ptr<ProcessState> process() const = 0;
  virtual std::optional<bool> exited_after_disconnect() const = 0;
  virtual bool is_online() const = 0;
  virtual bool is_dead() const = 0;
  virtual void disconnect() = 0;
  virtual void kill(Signal signal) = 0;

  // It is gone and has been told so.
  void drop_listeners() {
    online.clear();
    listening.clear();
    message.clear();
    disconnected.clear();
    exit.clear();
    error.clear();
    process()->drop_listeners();
  }

  Emitter<> online;
  Emitter<const Address&> listening;
  Emitter<Message&> message;
  Emitter<> disconnected;
  Emitter<ExitStatus> exit;
  Emitter<const Error&> error;
};

}  // namespace muster::detail
