// SPDX-License-Identifier: MIT
#include <muster/process.h>

#include <utility>

#include "api/process_state.h"
#include "api/socket_state.h"

namespace muster {

int Process::pid() const { return state_->pid(); }
std::string Process::spawn_file() const { return state_->spawn_file(); }
std::vector<std::string> Process::spawn_args() const { return state_->spawn_args(); }
bool Process::is_connected() const { return state_->is_connected(); }
void Process::ref() const { state_->ref(true); }
void Process::unref() const { state_->ref(false); }
void Process::ref_channel() const { state_->ref_channel(true); }
void Process::unref_channel() const { state_->ref_channel(false); }
std::optional<ExitStatus> Process::exit_status() const { return state_->exit_status(); }
bool Process::kill(Signal signal) const { return state_->kill(signal); }
bool Process::send(Value message, Handle handle, SendCallback done) const {
  return state_->send(std::move(message), std::move(handle), std::move(done));
}
bool Process::send(Value message, SendCallback done) const { return send(std::move(message), Handle(), std::move(done)); }
void Process::disconnect() const { state_->disconnect(); }
net::Socket Process::stdio(int descriptor) const { return detail::Access::make<net::Socket>(state_->pipe(descriptor)); }
Subscription Process::on_spawn(Listener<> listener) const { return state_->spawned.on(std::move(listener)); }
Subscription Process::on_close(Listener<ExitStatus> listener) const { return state_->closed.on(std::move(listener)); }
Subscription Process::on_message(Listener<Message&> listener) const { return state_->message.on(std::move(listener)); }
Subscription Process::on_disconnect(Listener<> listener) const { return state_->disconnected.on(std::move(listener)); }
Subscription Process::on_exit(Listener<ExitStatus> listener) const { return state_->exit.on(std::move(listener)); }
Subscription Process::on_error(Listener<const Error&> listener) const { return state_->error.on(std::move(listener)); }

}  // namespace muster
