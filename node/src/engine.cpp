// SPDX-License-Identifier: MIT
#include "engine.h"

#include <utility>

#include <muster/error.h>
#include "js.h"
#include "uv/host.h"
#include "uv/socket.h"

namespace muster::node {
namespace {

napi_value value_of(napi_env env, core::WorkerId id) { return js::number(env, static_cast<std::uint32_t>(id)); }

napi_value address_type(napi_env env, AddressType type) {
  if (type == AddressType::udp4 || type == AddressType::udp6) return js::string(env, to_string(type));
  return js::number(env, static_cast<int>(type));
}

const char* name_of(core::wire::HandleKind kind) {
  switch (kind) {
    case core::wire::HandleKind::net_native: return "net.Native";
    case core::wire::HandleKind::net_server: return "net.Server";
    case core::wire::HandleKind::net_socket: return "net.Socket";
    case core::wire::HandleKind::dgram_native: return "dgram.Native";
    case core::wire::HandleKind::dgram_socket: return "dgram.Socket";
    case core::wire::HandleKind::descriptor: break;
  }
  return "muster.Descriptor";
}

const char* name_of(core::wire::SocketListMessage::Kind kind) {
  switch (kind) {
    case core::wire::SocketListMessage::Kind::get_count: return "NODE_SOCKET_GET_COUNT";
    case core::wire::SocketListMessage::Kind::notify_close: return "NODE_SOCKET_NOTIFY_CLOSE";
    case core::wire::SocketListMessage::Kind::count: return "NODE_SOCKET_COUNT";
    case core::wire::SocketListMessage::Kind::all_closed: break;
  }
  return "NODE_SOCKET_ALL_CLOSED";
}

Settings first_settings(std::string exec) {
  Settings settings;
  settings.exec = std::move(exec);
  return settings;
}

}  // namespace

Engine::Engine(napi_env env, uv_loop_s* loop, Callbacks callbacks, std::string exec, bool may_listen)
    : env_(env),
      callbacks_(callbacks),
      loop_(loop),
      core_(first_settings(std::move(exec)), SchedulingPolicy::round_robin),
      driver_(std::make_unique<uv::PrimaryDriver>(loop_, core_, static_cast<uv::PrimaryDriver::Sink&>(*this),
                                                  core::wire::UserData::bytes)) {
  core::Host host = uv::host();
  // As Node's own workers may, which know descriptors of their primary.
  host.any_descriptor = true;
  host.may_listen = may_listen;
  core_.set_host(std::move(host));
  napi_value resource = nullptr;
  napi_create_object(env, &resource);
  napi_async_init(env, resource, js::string(env, "muster"), &context_);
}

Engine::~Engine() = default;

Engine::Forked Engine::fork(core::WorkerId id, Settings settings, std::vector<std::string> environment) {
  const Serialization serialization = settings.serialization.value_or(Serialization::json);
  // JavaScript has read NODE_OPTIONS: it gives a port to a worker that is to be inspected.
  const auto port = settings.inspect_port ? std::optional((*settings.inspect_port)()) : std::nullopt;
  auto worker = core_.fork(id, std::move(settings), std::move(environment), port ? "--inspect" : "", port);
  workers_[id] = {worker, serialization};
  spawn_error_ = 0;
  driver_->perform();
  auto pipes = driver_->take_pipes(id);
  return {std::move(worker), std::move(pipes), spawn_error_};
}

void Engine::disconnect(core::WorkerId worker) {
  core_.disconnect(worker);
  driver_->perform();
  driver_->flush(worker);
}

bool Engine::disconnect_channel(core::WorkerId worker) {
  const bool connected = core_.disconnect_channel(worker);
  driver_->perform();
  return connected;
}

void Engine::send(core::WorkerId worker, const core::wire::SocketListMessage& message) {
  driver_->send(worker, message);
  driver_->flush(worker);
}

core::Channel::SendResult Engine::send(core::WorkerId worker, uv::UserBytes&& message, std::optional<core::SendId> id) {
  return driver_->send(worker, std::move(message), id);
}

const core::WorkerRecord* Engine::find(core::WorkerId worker) const {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? nullptr : found->second.record.get();
}

napi_value Engine::call(napi_value function, const std::vector<napi_value>& arguments) {
  napi_value global = nullptr, result = nullptr;
  napi_get_global(env_, &global);
  // In a command an exception would be the command's; `enqueue` throws none.
  const napi_status status =
      commands_ > 0 ? napi_call_function(env_, global, function, arguments.size(), arguments.data(), &result)
                    : napi_make_callback(env_, context_, global, function, arguments.size(), arguments.data(), &result);
  if (status != napi_pending_exception || commands_ > 0) return result;
  napi_value exception = nullptr;
  if (napi_get_and_clear_last_exception(env_, &exception) == napi_ok) napi_fatal_exception(env_, exception);
  return nullptr;
}

template <class MakeArguments>
void Engine::emit(MakeArguments&& make_arguments) {
  napi_handle_scope scope = nullptr;
  // No JavaScript runs any more: the process is ending.
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  if (commands_ == 0) emit_ticks();
  napi_value function = nullptr;
  napi_get_reference_value(env_, commands_ > 0 ? callbacks_.enqueue : callbacks_.emit, &function);
  const std::vector<napi_value> arguments = make_arguments();
  loop_.call([&] { call(function, arguments); });
  napi_close_handle_scope(env_, scope);
}

template <class MakeArguments>
void Engine::emit_in_tick(MakeArguments&& make_arguments) {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  napi_value global = nullptr, enqueue = nullptr;
  napi_get_global(env_, &global);
  napi_get_reference_value(env_, callbacks_.enqueue, &enqueue);
  const std::vector<napi_value> arguments = make_arguments();
  napi_call_function(env_, global, enqueue, arguments.size(), arguments.data(), nullptr);
  if (commands_ == 0 && !std::exchange(ticks_wait_, true)) loop_.at_end_of_turn(*this);
  napi_close_handle_scope(env_, scope);
}

void Engine::end_of_turn() { emit_ticks(); }

void Engine::emit_ticks() {
  if (!std::exchange(ticks_wait_, false)) return;
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  // Any callback of Node's runs what was enqueued when it returns.
  napi_value nothing = nullptr;
  napi_create_function(
      env_, nullptr, 0, [](napi_env, napi_callback_info) -> napi_value { return nullptr; }, nullptr, &nothing);
  loop_.call([&] { call(nothing, {}); });
  napi_close_handle_scope(env_, scope);
}

void Engine::handle_event(core::PrimaryEvent event) {
  std::visit([this](const auto& e) { tell(e); }, event);
}

void Engine::tell(const core::ForkEvent& event) {
  emit([&] { return std::vector{js::string(env_, "fork"), value_of(env_, event.worker)}; });
}

void Engine::tell(const core::OnlineEvent& event) {
  emit_in_tick([&] { return std::vector{js::string(env_, "online"), value_of(env_, event.worker)}; });
}

void Engine::tell(const core::ListeningEvent& event) {
  emit_in_tick([&] {
    const Address& address = event.address;
    return std::vector{js::string(env_, "listening"),
                       value_of(env_, event.worker),
                       event.type_given ? address_type(env_, address.type) : js::null(env_),
                       address.address ? js::string(env_, *address.address) : js::null(env_),
                       address.port ? js::number(env_, *address.port) : js::undefined(env_),
                       event.fd ? js::number(env_, *event.fd) : js::undefined(env_)};
  });
}

void Engine::tell(const core::DisconnectEvent& event) {
  emit([&] { return std::vector{js::string(env_, "disconnect"), value_of(env_, event.worker)}; });
  forget_if_gone(event.worker);
}

void Engine::tell(const core::ExitEvent& event) {
  emit([&] {
    const auto signal = event.status.signal();
    const auto code = event.status.code();
    return std::vector{js::string(env_, "exit"), value_of(env_, event.worker), code ? js::number(env_, *code) : js::null(env_),
                       signal ? js::number(env_, signal->number()) : js::null(env_)};
  });
  forget_if_gone(event.worker);
}

void Engine::tell(const core::ErrorEvent& event) {
  emit([&] {
    const bool of_system = event.error.code.category() == std::generic_category();
    if (event.error.syscall == "spawn") spawn_error_ = event.error.code.value();
    return std::vector{js::string(env_, "error"),
                       value_of(env_, event.worker),
                       js::string(env_, error_name(event.error.code)),
                       js::string(env_, event.error.message),
                       js::string(env_, event.error.syscall),
                       js::number(env_, of_system ? -event.error.code.value() : 0)};
  });
}

void Engine::handle_message(core::WorkerId worker, uv::UserBytes&& message) {
  emit_in_tick([&] {
    const auto known = workers_.find(worker);
    const bool json = known != workers_.end() && known->second.serialization == Serialization::json;
    const std::string& bytes = message.data.bytes;
    std::vector arguments{js::string(env_, "message"), value_of(env_, worker),
                          json ? js::string(env_, bytes) : js::buffer(env_, bytes)};
    if (message.handle) {
      const auto& info = message.handle->info;
      arguments.push_back(js::string(env_, name_of(info.kind)));
      arguments.push_back(js::number(env_, message.handle->fd.release()));
      arguments.push_back(js::string(env_, info.key));
      arguments.push_back(js::string(env_, info.dgram_type));
    }
    return arguments;
  });
}

void Engine::handle_socket_list(core::WorkerId worker, core::wire::SocketListMessage message) {
  emit_in_tick([&] {
    return std::vector{js::string(env_, "sockets"), value_of(env_, worker), js::string(env_, name_of(message.kind)),
                       js::string(env_, message.key), js::number(env_, static_cast<double>(message.count))};
  });
}

void Engine::handle_sent(core::SendId id, std::error_code error) {
  emit([&] {
    return std::vector{js::string(env_, "sent"), js::number(env_, 0), js::number(env_, static_cast<double>(id)),
                       error ? js::string(env_, error_name(error)) : js::null(env_),
                       error ? js::string(env_, error.message()) : js::null(env_)};
  });
}

void Engine::handle_no_kernel(const std::string& why) {
  emit([&] { return std::vector{js::string(env_, "noKernel"), js::number(env_, 0), js::string(env_, why)}; });
}

std::optional<core::WorkerId> Engine::choose(int connection, const std::vector<core::WorkerId>& workers) {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return std::nullopt;
  const auto address = [this](const std::optional<core::wire::SocketName>& name) {
    if (!name) return js::null(env_);
    return js::object(env_, {{"address", js::string(env_, name->address)},
                             {"family", js::string(env_, name->ipv6 ? "IPv6" : "IPv4")},
                             {"port", js::number(env_, name->port)}});
  };
  std::vector<napi_value> ids;
  ids.reserve(workers.size());
  for (const core::WorkerId id : workers) ids.push_back(value_of(env_, id));
  napi_value function = nullptr;
  napi_get_reference_value(env_, callbacks_.choose, &function);
  const std::vector arguments{address(uv::socket_name(connection)), address(uv::peer_name(connection)), js::array(env_, ids)};
  std::optional<core::WorkerId> chosen;
  loop_.call([&] {
    const napi_value result = call(function, arguments);
    if (result && js::type_of(env_, result) == napi_number) {
      chosen = core::WorkerId{static_cast<std::uint32_t>(js::to_int(env_, result))};
    }
  });
  napi_close_handle_scope(env_, scope);
  return chosen;
}

void Engine::forget_if_gone(core::WorkerId worker) {
  const core::WorkerRecord* record = find(worker);
  if (record && (record->lifecycle.gone() || (record->pid == 0 && record->lifecycle.disconnected()))) workers_.erase(worker);
}

}  // namespace muster::node
