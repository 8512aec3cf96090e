// SPDX-License-Identifier: MIT
#include <muster/worker.h>

#include <utility>
#include <ostream>

#include "api/worker_state.h"

namespace muster {

int Worker::id() const { return state_->id(); }
Process Worker::process() const { return detail::Access::make<Process>(state_->process()); }
std::optional<bool> Worker::exited_after_disconnect() const { return state_->exited_after_disconnect(); }
bool Worker::is_connected() const { return state_->process()->is_connected(); }
bool Worker::is_online() const { return state_->is_online(); }
bool Worker::is_dead() const { return state_->is_dead(); }
bool Worker::send(Value message, Handle handle, SendCallback done) const {
  return state_->process()->send(std::move(message), std::move(handle), std::move(done));
}
bool Worker::send(Value message, SendCallback done) const { return send(std::move(message), Handle(), std::move(done)); }
Worker Worker::disconnect() const {
  state_->disconnect();
  return *this;
}
void Worker::kill(Signal signal) const { state_->kill(signal); }
Subscription Worker::on_online(Listener<> listener) const { return state_->online.on(std::move(listener)); }
Subscription Worker::on_listening(Listener<const Address&> listener) const { return state_->listening.on(std::move(listener)); }
Subscription Worker::on_message(Listener<Message&> listener) const { return state_->message.on(std::move(listener)); }
Subscription Worker::on_disconnect(Listener<> listener) const { return state_->disconnected.on(std::move(listener)); }
Subscription Worker::on_exit(Listener<ExitStatus> listener) const { return state_->exit.on(std::move(listener)); }
Subscription Worker::on_error(Listener<const Error&> listener) const { return state_->error.on(std::move(listener)); }

std::ostream& operator<<(std::ostream& out, const Worker& worker) { return out << "worker " << worker.id(); }

}  // namespace muster
