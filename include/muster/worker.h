// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <memory>
#include <optional>

#include <muster/address.h>
#include <muster/process.h>

namespace muster {

namespace detail {
struct Access;
class WorkerState;
}  // namespace detail

// A worker, seen from either side: in the primary from fork() and Cluster::workers(), in the worker
// itself from Cluster::worker(). A handle: copies name the same worker and stay valid after it died.
class Worker {
 public:
  // 1, 2, ... in the order of fork().
  [[nodiscard]] int id() const;
  [[nodiscard]] Process process() const;
  // Whether it left because it was asked to, or asked itself. Empty until it left or was asked.
  [[nodiscard]] std::optional<bool> exited_after_disconnect() const;
  [[nodiscard]] bool is_connected() const;
  // Whether it is connected and has said that it runs, as each program does that speaks Node's protocol.
  [[nodiscard]] bool is_online() const;
  [[nodiscard]] bool is_dead() const;

  // The same as process().send().
  bool send(Value message, Handle handle = {}, SendCallback done = {}) const;
  bool send(Value message, SendCallback done) const;

  // In the primary: asks the worker to close its servers, wait for their connections to end and leave.
  // It is no longer among Cluster::workers() at once. In the worker: does just that.
  Worker disconnect() const;
  // In the primary: sends the signal. In the worker: tells the primary, closes the channel, ends with 0.
  void kill(Signal signal = Signal::term) const;
  void destroy(Signal signal = Signal::term) const { kill(signal); }

  // The worker runs. Only in the primary.
  Subscription on_online(Listener<> listener) const;
  // A server of the worker listens. Only in the primary.
  Subscription on_listening(Listener<const Address&> listener) const;
  Subscription on_message(Listener<Message&> listener) const;
  Subscription on_disconnect(Listener<> listener) const;
  // Only in the primary.
  Subscription on_exit(Listener<ExitStatus> listener) const;
  // The process could not be started or signalled, a message could not be sent, or the worker broke
  // the protocol (its channel is closed then). The last kind is not an unhandled error when nobody
  // listens: what a peer sends cannot end this process.
  Subscription on_error(Listener<const Error&> listener) const;

  friend bool operator==(const Worker&, const Worker&) = default;

 private:
  friend struct detail::Access;
  explicit Worker(std::shared_ptr<detail::WorkerState> state) : state_(std::move(state)) {}

  std::shared_ptr<detail::WorkerState> state_;
};

// "worker 3".
std::ostream& operator<<(std::ostream& out, const Worker& worker);

}  // namespace muster
