// SPDX-License-Identifier: MIT
#include <muster/dgram.h>

#include <unistd.h>

#include <system_error>
#include <utility>

#include <muster/cluster.h>
#include "api/access.h"
#include "api/child_side.h"
#include "api/datagram_state.h"
#include "uv/resolver.h"
#include "uv/socket.h"

namespace muster {
namespace detail {
namespace {

int checked_port(int port) {
  if (port < 0 || port > 65535) {
    throw Exception(Errc::socket_bad_port, "Port should be >= 0 and < 65536. Received " + std::to_string(port) + ".");
  }
  return port;
}

}  // namespace

AddressType DatagramState::type() const { return options_.type == dgram::Type::udp6 ? AddressType::udp6 : AddressType::udp4; }

core::wire::ListenQuery DatagramState::query(int port, const std::string& address) const {
  core::wire::ListenQuery query;
  query.address = address.empty() ? (options_.type == dgram::Type::udp6 ? "::" : "0.0.0.0") : address;
  query.port = checked_port(port);
  query.address_type = type();
  query.fd = -1;
  query.flags = (options_.ipv6_only ? core::wire::flag_ipv6_only : 0) |
                (options_.reuse_port ? core::wire::flag_reuse_port : 0) |
                (options_.reuse_addr ? core::wire::flag_reuse_address : 0);
  return query;
}

void DatagramState::begin(Function<void()> on_listening) {
  if (phase_ == Phase::closed) throw Exception(Errc::socket_dgram_not_running, "Not running");
  if (phase_ != Phase::idle) throw Exception(Errc::socket_already_bound, "Socket is already bound");
  phase_ = Phase::binding;
  loop_->hold(*this);
  if (on_listening) listening.on(once(std::move(on_listening)));
}

void DatagramState::bind(const dgram::BindOptions& options, Function<void()> on_listening) {
  core::wire::ListenQuery asked = query(options.port, options.address);
  begin(std::move(on_listening));
  query_ = std::move(asked);
  const bool alone = options.exclusive || options_.reuse_port;
  with_numbers(*query_.address, [this, alone](const std::string& numeric, int failed) {
    if (failed != 0) return fail(uv::resolve_error(failed, *query_.address));
    query_.address = numeric;
    bind_as_asked(alone);
  });
}

void DatagramState::with_numbers(const std::string& host, Function<void(const std::string&, int)> task) {
  if (uv::is_numeric(host)) return task(host, 0);
  loop_->loop.resolver().resolve(
      host, [this, keep = shared_from_this(), task = std::move(task)](const std::string& numeric, int failed) mutable {
        if (phase_ != Phase::closed) task(numeric, failed);
      });
}

void DatagramState::bind_as_asked(bool alone) {
  const auto cluster = cluster_.lock();
  ChildSide* child = cluster ? cluster->child() : nullptr;
  if (child && !alone) {
    id_ = child->listen(std::static_pointer_cast<DatagramState>(shared_from_this()), query_);
  } else {
    bind_here(query_);
  }
}

void DatagramState::bind_to(Handle handle, Function<void()> on_listening) {
  if (handle.type() != HandleType::udp_socket) throw Exception(Errc::invalid_handle_type, "The handle is no UDP socket");
  begin(std::move(on_listening));
  OwnedFd socket = Access::take(std::move(handle));
  uv::set_non_blocking(socket.get());
  const int failed = open(std::move(socket));
  loop_->loop.next_tick([this, keep = shared_from_this(), failed] {
    if (phase_ != Phase::binding) return;
    if (failed != 0) return fail(system_error(failed, "bind"));
    start_listening();
  });
}

void DatagramState::bind_here(const core::wire::ListenQuery& asked) {
  // The worker closes it when it leaves, as those that it shares.
  const auto cluster = cluster_.lock();
  if (ChildSide* child = cluster ? cluster->child() : nullptr) {
    id_ = child->listen_alone(std::static_pointer_cast<DatagramState>(shared_from_this()));
    if (phase_ != Phase::binding) return;
  }
  auto [socket, failed, file] = uv::bind_socket(asked);
  if (failed == 0) failed = open(std::move(socket));
  loop_->loop.next_tick([this, keep = shared_from_this(), failed = failed] {
    if (phase_ != Phase::binding) return;
    if (failed != 0) return fail(system_error(failed, "bind", query_.address.value_or(""), query_.port));
    start_listening();
  });
}

int DatagramState::open(OwnedFd socket) {
  socket_ = std::make_unique<uv::Datagram>(loop_->loop, std::move(socket), static_cast<uv::Datagram::Client&>(*this));
  if (!ref_) socket_->unref();
  return socket_->error();
}

void DatagramState::start_listening() {
  phase_ = Phase::bound;
  listening.emit(loop_->loop);
  for (auto& task : std::exchange(waiting_, {})) {
    if (phase_ == Phase::bound) task();
  }
  const auto cluster = cluster_.lock();
  if (phase_ != Phase::bound || !cluster || !id_) return;
  cluster->child()->core().announce(*id_, address()->port);
  cluster->child()->perform();
}

void DatagramState::handle_listening(const std::optional<core::wire::SocketName>&) {
  // A primary that accepts datagrams for others does not exist.
  fail(system_error(ENOTSUP, "bind", query_.address.value_or(""), query_.port));
}

void DatagramState::handle_shared(OwnedFd socket, OwnedFd) {
  if (phase_ != Phase::binding) return;
  uv::set_non_blocking(socket.get());
  if (const int failed = open(std::move(socket)); failed != 0) return fail(system_error(failed, "bind"));
  start_listening();
}

void DatagramState::handle_error(const Error& failure) {
  if (phase_ == Phase::binding) fail(failure);
}

void DatagramState::fail(Error failure) {
  const auto keep = shared_from_this();
  leave_cluster();
  phase_ = Phase::idle;
  socket_.reset();
  waiting_.clear();
  loop_->release(*this);
  if (error.empty()) return loop_->unhandled(std::move(failure));
  error.emit(loop_->loop, failure);
}

void DatagramState::leave_cluster() {
  const auto cluster = cluster_.lock();
  const auto id = std::exchange(id_, std::nullopt);
  if (!cluster || !id) return;
  cluster->child()->core().close(*id);
  cluster->child()->forget(*id);
}

void DatagramState::send(std::string bytes, std::optional<std::string> to, int port, SendCallback done) {
  if (phase_ == Phase::closed) throw Exception(Errc::socket_dgram_not_running, "Not running");
  if (to && connected_) throw Exception(Errc::socket_dgram_is_connected, "Already connected");
  if (!to && !connected_) throw Exception(Errc::socket_dgram_not_connected, "Not connected");
  if (to && to->empty()) to = any_address();
  checked_port(port);
  when_bound([this, bytes = std::move(bytes), to = std::move(to), port, done = std::move(done)]() mutable {
    if (!to) return send_now(std::move(bytes), std::nullopt, port, std::move(done));
    with_numbers(*to, [this, bytes = std::move(bytes), host = *to, port, done = std::move(done)](const std::string& numeric,
                                                                                                 int failed) mutable {
      if (failed == 0) return send_now(std::move(bytes), numeric, port, std::move(done));
      handle_sent(uv::resolve_error(failed, host), done);
    });
  });
}

void DatagramState::send_now(std::string bytes, std::optional<std::string> to, int port, SendCallback done) {
  const std::string peer = to.value_or("");
  socket_->send(std::move(bytes), std::move(to), port,
                [this, keep = shared_from_this(), peer, port, done = std::move(done)](int failed) mutable {
                  if (failed == 0) {
                    if (done) loop_->loop.call([&] { done({}); });
                  } else {
                    handle_sent(system_error(failed, "send", peer, port), done);
                  }
                });
}

void DatagramState::handle_sent(const Error& failure, SendCallback& done) {
  if (done) return loop_->loop.call([&] { done(failure.code); });
  if (error.empty()) return loop_->unhandled(failure);
  error.emit(loop_->loop, failure);
}

void DatagramState::when_bound(Function<void()> task) {
  // A socket that nobody bound is this process's own.
  if (phase_ == Phase::idle) {
    query_ = query(0, {});
    begin({});
    bind_here(query_);
  }
  if (phase_ == Phase::bound) {
    task();
  } else {
    waiting_.push_back(std::move(task));
  }
}

void DatagramState::connect(int port, const std::string& to, Function<void()> on_connected) {
  if (phase_ == Phase::closed) throw Exception(Errc::socket_dgram_not_running, "Not running");
  if (connected_) throw Exception(Errc::socket_dgram_is_connected, "Already connected");
  checked_port(port);
  connected_ = true;
  when_bound([this, to = to.empty() ? any_address() : to, port, on_connected = std::move(on_connected)]() mutable {
    with_numbers(to, [this, to, port, on_connected = std::move(on_connected)](const std::string& numeric, int failed) mutable {
      if (failed != 0) return finish_connecting(uv::resolve_error(failed, to), on_connected);
      if ((failed = uv::connect_datagram(socket_->descriptor(), numeric, port)) != 0) {
        return finish_connecting(system_error(failed, "connect", to, port), on_connected);
      }
      finish_connecting({}, on_connected);
    });
  });
}

void DatagramState::finish_connecting(Error failure, Function<void()>& on_connected) {
  loop_->loop.next_tick(
      [this, keep = shared_from_this(), failure = std::move(failure), call = std::move(on_connected)]() mutable {
        if (!failure.code) {
          if (call) call();
          return;
        }
        connected_ = false;
        if (error.empty()) return loop_->unhandled(failure);
        error.emit(loop_->loop, failure);
      });
}

void DatagramState::disconnect() {
  if (!connected_ || phase_ != Phase::bound) throw Exception(Errc::socket_dgram_not_connected, "Not connected");
  connected_ = false;
  uv::connect_datagram(socket_->descriptor(), std::nullopt, 0);
}

void DatagramState::close(Function<void()> on_closed) {
  if (phase_ == Phase::closed) throw Exception(Errc::socket_dgram_not_running, "Not running");
  if (on_closed) closed.on(once(std::move(on_closed)));
  loop_->hold(*this);
  phase_ = Phase::closed;
  leave_cluster();
  waiting_.clear();
  // Now: what it read from here on would be lost to those that share it.
  socket_.reset();
  loop_->loop.next_tick([this, keep = shared_from_this()] {
    loop_->release(*this);
    closed.emit(loop_->loop);
    drop_listeners();
  });
}

void DatagramState::close_if_open() {
  if (phase_ == Phase::binding || phase_ == Phase::bound) close({});
}

void DatagramState::abandon() {
  phase_ = Phase::closed;
  id_.reset();
  socket_.reset();
  waiting_.clear();
  drop_listeners();
}

void DatagramState::drop_listeners() {
  message.clear();
  listening.clear();
  closed.clear();
  error.clear();
}

int DatagramState::bound() const {
  if (phase_ != Phase::bound) throw Exception(Errc::socket_dgram_not_running, "Not running");
  return socket_->descriptor();
}

std::optional<Address> DatagramState::address() const {
  if (phase_ != Phase::bound) return std::nullopt;
  const auto name = uv::socket_name(socket_->descriptor());
  if (!name) return std::nullopt;
  return Address{type(), name->address, name->port};
}

std::optional<Address> DatagramState::remote_address() const {
  if (phase_ != Phase::bound || !connected_) return std::nullopt;
  const auto name = uv::peer_name(socket_->descriptor());
  if (!name) return std::nullopt;
  return Address{type(), name->address, name->port};
}

Handle DatagramState::to_handle() const {
  if (phase_ != Phase::bound) return {};
  return {HandleType::udp_socket, uv::require_duplicate(socket_->descriptor()).release()};
}

void DatagramState::ref(bool ref) {
  ref_ = ref;
  if (!socket_) return;
  if (ref) {
    socket_->ref();
  } else {
    socket_->unref();
  }
}

void DatagramState::handle_datagram(std::string_view bytes, const core::wire::SocketName& from) {
  const auto keep = shared_from_this();
  dgram::RemoteInfo info{from.address, from.port, bytes.size()};
  if (loop_->loop.quiet()) {
    message.emit(loop_->loop, bytes, info);
    return;
  }
  loop_->loop.next_tick([this, keep, copy = std::string(bytes), info = std::move(info)] {
    if (phase_ == Phase::bound) message.emit(loop_->loop, std::string_view(copy), info);
  });
}

void DatagramState::report(int error_number, const char* call) {
  if (error_number == 0) return;
  const Error failure = system_error(error_number, call);
  loop_->loop.emit([this, keep = shared_from_this(), failure] {
    if (error.empty()) return loop_->unhandled(failure);
    error.emit(loop_->loop, failure);
  });
}

void DatagramState::handle_receive_error(int error_number) { report(error_number, "recvmsg"); }

}  // namespace detail

namespace dgram {

void Socket::bind(int port, Function<void()> listening) const {
  BindOptions options;
  options.port = port;
  state_->bind(options, std::move(listening));
}
void Socket::bind(BindOptions options, Function<void()> listening) const { state_->bind(options, std::move(listening)); }
void Socket::bind(Handle handle, Function<void()> listening) const { state_->bind_to(std::move(handle), std::move(listening)); }
void Socket::send(std::string_view bytes, int port, const std::string& address, SendCallback done) const {
  state_->send(std::string(bytes), address, port, std::move(done));
}
void Socket::send(std::string_view bytes, SendCallback done) const {
  state_->send(std::string(bytes), std::nullopt, 0, std::move(done));
}
void Socket::connect(int port, const std::string& address, Function<void()> connected) const {
  state_->connect(port, address, std::move(connected));
}
void Socket::disconnect() const { state_->disconnect(); }
void Socket::close(Function<void()> closed) const { state_->close(std::move(closed)); }
std::optional<Address> Socket::address() const { return state_->address(); }
std::optional<Address> Socket::remote_address() const { return state_->remote_address(); }
void Socket::add_membership(const std::string& group, const std::string& interface_address) const {
  state_->report(uv::set_membership(state_->bound(), uv::Membership::add, group, interface_address), "addMembership");
}
void Socket::drop_membership(const std::string& group, const std::string& interface_address) const {
  state_->report(uv::set_membership(state_->bound(), uv::Membership::drop, group, interface_address), "dropMembership");
}
void Socket::set_multicast_loopback(bool on) const {
  state_->report(uv::set_datagram_option(state_->bound(), uv::DatagramOption::multicast_loopback, on), "setMulticastLoopback");
}
void Socket::set_multicast_ttl(int ttl) const {
  state_->report(uv::set_datagram_option(state_->bound(), uv::DatagramOption::multicast_ttl, ttl), "setMulticastTTL");
}
void Socket::set_multicast_interface(const std::string& interface_address) const {
  state_->report(uv::set_multicast_interface(state_->bound(), interface_address), "setMulticastInterface");
}
void Socket::set_broadcast(bool on) const {
  state_->report(uv::set_datagram_option(state_->bound(), uv::DatagramOption::broadcast, on), "setBroadcast");
}
Handle Socket::to_handle() const { return state_->to_handle(); }
void Socket::ref() const { state_->ref(true); }
void Socket::unref() const { state_->ref(false); }
Subscription Socket::on_message(Listener<std::string_view, const RemoteInfo&> listener) const {
  return state_->message.on(std::move(listener));
}
Subscription Socket::on_listening(Listener<> listener) const { return state_->listening.on(std::move(listener)); }
Subscription Socket::on_close(Listener<> listener) const { return state_->closed.on(std::move(listener)); }
Subscription Socket::on_error(Listener<const Error&> listener) const { return state_->error.on(std::move(listener)); }

Socket create_socket(Cluster& cluster, SocketOptions options) {
  auto& state = detail::Access::state(cluster);
  return detail::Access::make<Socket>(std::make_shared<detail::DatagramState>(state.weak_from_this(), *state.loop, options));
}

}  // namespace dgram
}  // namespace muster
