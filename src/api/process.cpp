#include <muster/process.h>

#include <utility>

#include "api/process_state.h"
#include "api/socket_state.h"

namespace muster {

int Process::pid() const { return state_->pid(); }
bool Process::connected() const { return state_->connected(); }
std::optional<ExitStatus> Process::exit_status() const { return state_->exit_status(); }
bool Process::kill(Signal signal) { return state_->kill(signal); }
bool Process::send(Value message, Handle handle, SendOptions options, SendCallback done) {
  return state_->send(std::move(message), std::move(handle), options, std::move(done));
}
bool Process::send(Value message, SendCallback done) { return send(std::move(message), {}, {}, std::move(done)); }
void Process::disconnect() { state_->disconnect(); }
net::Socket Process::stdin_stream() const { return net::Socket(state_->pipe(0)); }
net::Socket Process::stdout_stream() const { return net::Socket(state_->pipe(1)); }
net::Socket Process::stderr_stream() const { return net::Socket(state_->pipe(2)); }
Subscription Process::on_message(Listener<Message&> listener) { return state_->message.on(std::move(listener)); }
Subscription Process::on_disconnect(Listener<> listener) { return state_->disconnected.on(std::move(listener)); }
Subscription Process::on_exit(Listener<ExitStatus> listener) { return state_->exit.on(std::move(listener)); }
Subscription Process::on_error(Listener<const Error&> listener) { return state_->error.on(std::move(listener)); }

}  // namespace muster
