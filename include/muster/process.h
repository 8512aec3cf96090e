// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/error.h>
#include <muster/event.h>
#include <muster/exit_status.h>
#include <muster/message.h>
#include <muster/net.h>
#include <muster/signal.h>

namespace muster {

namespace detail {
struct Access;
class ProcessState;
}  // namespace detail

// The process behind a worker: in the primary a ChildProcess, in the worker its own `process`. A
// handle: copies name the same process and stay valid after it ended.
class Process {
 public:
  // 0 when it could not be started. Node: undefined.
  [[nodiscard]] int pid() const;
  // Node's spawnfile and spawnargs: the program, and its arguments with argv[0]. Empty for this process.
  [[nodiscard]] std::string spawn_file() const;
  [[nodiscard]] std::vector<std::string> spawn_args() const;
  // Whether the channel is open.
  [[nodiscard]] bool is_connected() const;
  // Whether a worker's process keeps the primary's loop alive until it ends. It does from the start. In a worker nothing
  // follows from it. Node's child.ref(), child.unref().
  void ref() const;
  void unref() const;
  // Whether the channel keeps the loop alive. It does from the start. Node's channel.ref(), channel.unref().
  void ref_channel() const;
  void unref_channel() const;
  // Node's exitCode and signalCode. Empty while it runs.
  [[nodiscard]] std::optional<ExitStatus> exit_status() const;
  // Returns whether the signal was sent; false when the process is gone.
  bool kill(Signal signal = Signal::term) const;

  // Sends to the other side of the channel. Returns false when the channel is closed, or when so much
  // is queued that the sender should slow down; it is queued all the same. What went wrong reaches
  // `done`, or an `error` event when there is no `done`: Errc::ipc_channel_closed.
  // Throws Exception(Errc::invalid_arg_value) for a message that nests deeper than 1000 levels; in json
  // serialization also for one that leads back to itself or holds a bigint. Errc::missing_args for an
  // undefined one.
  bool send(Value message, Handle handle = {}, SendCallback done = {}) const;
  bool send(Value message, SendCallback done) const;
  // Closes the channel when everything that was sent is written. On a closed one: an `error` event with
  // Errc::ipc_disconnected.
  void disconnect() const;

  // The other ends of the worker's stdio, where settings made them pipes (`silent`, `stdio`). Empty
  // handles otherwise.
  [[nodiscard]] net::Socket stdin_stream() const { return stdio(0); }
  [[nodiscard]] net::Socket stdout_stream() const { return stdio(1); }
  [[nodiscard]] net::Socket stderr_stream() const { return stdio(2); }
  // Of any descriptor in Settings::stdio. Node: process.stdio[descriptor].
  [[nodiscard]] net::Socket stdio(int descriptor) const;

  // It was started. Only of a worker's process, in the primary.
  Subscription on_spawn(Listener<> listener) const;
  Subscription on_message(Listener<Message&> listener) const;
  Subscription on_disconnect(Listener<> listener) const;
  Subscription on_exit(Listener<ExitStatus> listener) const;
  // It has ended and its piped output has been read to the end. Status -2 for one that was not found.
  Subscription on_close(Listener<ExitStatus> listener) const;
  Subscription on_error(Listener<const Error&> listener) const;

  friend bool operator==(const Process&, const Process&) = default;

 private:
  friend struct detail::Access;
  explicit Process(std::shared_ptr<detail::ProcessState> state) : state_(std::move(state)) {}

  std::shared_ptr<detail::ProcessState> state_;
};
using ChildProcess = Process;

}  // namespace muster
