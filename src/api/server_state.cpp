// SPDX-License-Identifier: MIT
#include "api/server_state.h"

#include <filesystem>
#include <utility>

#include "api/child_side.h"
#include "api/to_address.h"
#include "uv/error_text.h"
#include "uv/resolver.h"
#include "uv/socket.h"

namespace muster::detail {
namespace {

void set_address(core::wire::ListenQuery& query, const std::string& address) {
  query.address = address;
  if (address.find(':') != std::string::npos) query.address_type = AddressType::tcp6;
}

core::wire::ListenQuery to_query(const ListenOptions& options) {
  core::wire::ListenQuery query;
  query.backlog = options.backlog.value_or(0);
  if (options.fd) {
    query.fd = *options.fd;
    return query;
  }
  if (!options.path.empty()) {
    // The primary may run elsewhere.
    query.address = os::is_abstract(options.path) ? options.path : std::filesystem::absolute(options.path).string();
    query.port = -1;
    query.address_type = AddressType::pipe;
    query.readable_all = options.readable_all;
    query.writable_all = options.writable_all;
    return query;
  }
  const int port = options.port.value_or(0);
  if (port < 0 || port > 65535) {
    throw Exception(Errc::socket_bad_port, "options.port should be >= 0 and < 65536. Received " + std::to_string(port) + ".");
  }
  query.port = port;
  query.address_type = AddressType::tcp4;
  query.flags = (options.ipv6_only ? core::wire::flag_ipv6_only : 0) | (options.reuse_port ? core::wire::flag_reuse_port : 0);
  if (!options.host.empty()) set_address(query, options.host);
  return query;
}

// Why a server cannot listen by itself, in Node's words: more of them than when its primary says so.
Error listen_error(int error_number, const core::wire::ListenQuery& query) {
  const bool path = query.address_type == AddressType::pipe;
  Error error =
      system_error(error_number, "listen", query.address.value_or(query.port ? "::" : ""), path ? std::nullopt : query.port);
  error.message.insert(("listen " + error_name(error.code)).size(), std::string(": ") + uv::error_text(error_number));
  return error;
}

}  // namespace

void ServerState::listen(ListenOptions options, Function<void()> on_listening) {
  if (!begin(std::move(on_listening), to_query(options))) return;
  const bool alone = options.exclusive || options.reuse_port;
  if (options.host.empty() || !options.path.empty() || options.fd || uv::is_numeric(options.host)) return open(alone);
  // A name is resolved here: a primary that is told a name may die of one that does not resolve.
  loop_->loop.resolver().resolve(options.host,
                                 [this, keep = shared_from_this(), life = life_, alone](const std::string& address, int error) {
                                   if (phase_ != Phase::opening || life != life_) return;
                                   if (error != 0) return fail(uv::resolve_error(error, *query_.address));
                                   set_address(query_, address);
                                   open(alone);
                                 });
}

void ServerState::open(bool alone) {
  const auto cluster = cluster_.lock();
  if (!cluster) return;
  if (ChildSide* child = cluster->child(); child && !alone) {
    id_ = child->listen(std::static_pointer_cast<ServerState>(shared_from_this()), query_);
    apply_limit();
    return;
  }
  open_here(uv::bind_socket(query_));
}

void ServerState::listen_on(Handle handle, Function<void()> on_listening) {
  if (!handle) throw Exception(Errc::invalid_handle_type, "There is no handle to listen on");
  if (!begin(std::move(on_listening), {})) return;
  OwnedFd socket = Access::take(std::move(handle));
  uv::set_non_blocking(socket.get());
  open_here({std::move(socket)});
}

std::shared_ptr<ClusterState> ServerState::begin(Function<void()> on_listening, core::wire::ListenQuery query) {
  if (phase_ == Phase::closing) reopen();
  if (phase_ != Phase::idle) {
    throw Exception(Errc::server_already_listen, "Listen method has been called more than once without closing.");
  }
  auto cluster = cluster_.lock();
  if (!cluster) return nullptr;
  query_ = std::move(query);
  phase_ = Phase::opening;
  ++life_;
  loop_->hold(*this);
  held_owner_ = owner.lock();
  if (on_listening) listening.on(once(std::move(on_listening)));
  return cluster;
}

void ServerState::open_here(uv::Bound bound) {
  const auto cluster = cluster_.lock();
  if (ChildSide* child = cluster->child()) {
    id_ = child->listen_alone(std::static_pointer_cast<ServerState>(shared_from_this()));
  }
  const int error = bound.error != 0 ? bound.error : accept_on(std::move(bound.socket), std::move(bound.file));
  // Told later: listen() tells nothing.
  loop_->loop.next_tick([this, keep = shared_from_this(), error, life = life_] {
    if (phase_ != Phase::opening || life != life_) return;
    if (error != 0) {
      fail(listen_error(error, query_));
    } else {
      start_listening();
    }
  });
}

int ServerState::accept_on(OwnedFd socket, os::SocketFile file) {
  acceptor_ = std::make_unique<uv::Acceptor>(
      loop_->loop, std::move(socket), [this](OwnedFd connection) { accept(std::move(connection)); }, std::move(file));
  if (!ref_) acceptor_->unref();
  const int error = acceptor_->start(query_.backlog);
  if (error != 0) {
    acceptor_.reset();
    return error;
  }
  if (const auto name = uv::socket_name(acceptor_->descriptor())) {
    address_ = to_address(name);
  } else {
    address_ = Address{AddressType::pipe, query_.address, -1};
  }
  return 0;
}

void ServerState::start_listening() {
  phase_ = Phase::listening;
  // Node's form, but with the port it got, so that two servers on port 0 are told apart.
  key_ = std::string(to_string(address_->type)) + ":" + address_->address.value_or("null") + ":" +
         std::to_string(address_->port.value_or(-1));
  listening.emit(loop_->loop);
  // The program has heard; now the primary, unless the program closed the server when it heard.
  const auto cluster = cluster_.lock();
  if (phase_ != Phase::listening || !cluster || !id_) return;
  if (ChildSide* child = cluster->child(); child && address_) {
    child->core().announce(*id_, address_->port);
    child->perform();
  }
}

void ServerState::handle_listening(const std::optional<core::wire::SocketName>& name) {
  if (phase_ != Phase::opening) return;
  if (name) {
    address_ = to_address(name);
  } else {
    address_ = Address{query_.address_type.value_or(AddressType::tcp4), query_.address, query_.port};
  }
  keeper_ = std::make_unique<uv::Keeper>(loop_->loop);
  if (!ref_) keeper_->unref();
  start_listening();
}

void ServerState::handle_shared(OwnedFd socket, OwnedFd counters) {
  if (phase_ != Phase::opening) return;
  // A Node primary does not see that a port is taken when it binds: the socket is then bound to none.
  const auto name = uv::socket_name(socket.get());
  int error = name && query_.port.value_or(0) > 0 && name->port != *query_.port ? EADDRINUSE : 0;
  if (error == 0) {
    uv::set_non_blocking(socket.get());
    error = accept_on(std::move(socket), {});
  }
  if (error == 0 && counters) {
    if (auto mapped = kernel::AcceptCounters::map(counters.get())) acceptor_->count(std::move(*mapped));
  }
  if (error != 0) {
    handle_error(system_error(error, "bind", query_.address.value_or(""), query_.port));
    return;
  }
  start_listening();
}

void ServerState::handle_error(const Error& failure) {
  if (phase_ == Phase::opening) fail(failure);
}

void ServerState::fail(Error failure) {
  const auto keep = shared_from_this();
  const auto owner = std::exchange(held_owner_, nullptr);
  if (const auto cluster = cluster_.lock(); cluster && id_) {
    if (ChildSide* child = cluster->child()) {
      child->core().close(*id_);
      child->forget(*std::exchange(id_, std::nullopt));
    }
  }
  phase_ = Phase::idle;
  acceptor_.reset();
  loop_->release(*this);
  if (error.empty()) return loop_->unhandled(std::move(failure));
  error.emit(loop_->loop, failure);
}

void ServerState::handle_connection(OwnedFd connection) {
  if (phase_ != Phase::idle) adopt(std::move(connection));
}

void ServerState::adopt(OwnedFd connection) {
  ++connections_;
  ++loop_->counts.connections;
  ++loop_->counts.accepted;
  on_connection(std::move(connection));
}

void ServerState::accept(OwnedFd connection) {
  loop_->loop.emit([this, keep = shared_from_this(), connection = std::move(connection)]() mutable {
    if (phase_ != Phase::listening) return;
    if (max_connections_ && connections_ >= *max_connections_) return handle_drop(connection.get());
    handle_connection(std::move(connection));
  });
}

void ServerState::handle_drop(int connection) {
  dropped.emit(loop_->loop,
               net::DroppedConnection{to_address(uv::socket_name(connection)), to_address(uv::peer_name(connection))});
}

void ServerState::connection_closed() {
  --connections_;
  --loop_->counts.connections;
  if (const auto cluster = cluster_.lock(); cluster && id_ && !acceptor_) {
    if (ChildSide* child = cluster->child()) {
      child->core().handle_connection_closed(*id_);
      child->perform();
    }
  }
  if (closing() && drained()) finish_closing();
}

void ServerState::close(Function<void()> on_closed) {
  if (phase_ == Phase::idle || closing()) throw Exception(Errc::server_not_running, "Server is not running.");
  if (on_closed) closed.on(once(std::move(on_closed)));
  close(Phase::closing);
}

void ServerState::close(Phase phase) {
  phase_ = phase;
  acceptor_.reset();
  keeper_.reset();
  address_.reset();
  if (const auto cluster = cluster_.lock(); cluster && id_) {
    if (ChildSide* child = cluster->child()) {
      child->core().close(*id_);
      child->perform();
    }
  }
  if (phase_ == Phase::closing && on_closing) on_closing();
  for (const auto& weak : elsewhere_) {
    if (const auto sockets = weak.lock()) wait_for(*sockets);
  }
  if (drained()) finish_closing();
}

void ServerState::close_if_open() {
  if (phase_ == Phase::opening || phase_ == Phase::listening) close(Phase::leaving);
}

void ServerState::reopen() {
  const auto cluster = cluster_.lock();
  const auto id = std::exchange(id_, std::nullopt);
  phase_ = Phase::idle;
  loop_->release(*this);
  if (ChildSide* child = cluster ? cluster->child() : nullptr; child && id) child->forget(*id);
}

void ServerState::finish_closing() {
  loop_->loop.next_tick([this, keep = shared_from_this(), life = life_] {
    // A connection that came in between is waited for too; its end comes back here.
    if (!closing() || life != life_ || !drained()) return;
    phase_ = Phase::idle;
    elsewhere_.clear();
    const auto owner = std::exchange(held_owner_, nullptr);
    const auto id = std::exchange(id_, std::nullopt);
    loop_->release(*this);
    closed.emit(loop_->loop);
    const auto cluster = cluster_.lock();
    if (ChildSide* child = cluster ? cluster->child() : nullptr; child && id) child->forget(*id);
  });
}

namespace {

class AcceptedConnection final : public HandleOrigin {
 public:
  explicit AcceptedConnection(std::weak_ptr<ServerState> server) : server_(std::move(server)) {}

  std::string key() const override {
    const auto server = server_.lock();
    return server ? server->key() : std::string();
  }
  void sent_through(const std::shared_ptr<RemoteSockets>& sockets) override {
    if (const auto server = server_.lock()) server->sent_through(sockets);
  }

 private:
  std::weak_ptr<ServerState> server_;
};

}  // namespace

const std::shared_ptr<HandleOrigin>& ServerState::origin() {
  // It knows the server by a weak pointer, and nothing of the connection.
  if (!origin_) origin_ = std::make_shared<AcceptedConnection>(std::static_pointer_cast<ServerState>(shared_from_this()));
  return origin_;
}

void ServerState::sent_through(const std::shared_ptr<RemoteSockets>& sockets) {
  if (closing()) wait_for(*sockets);
  std::erase_if(elsewhere_, [&](const auto& known) { return known.expired() || known.lock() == sockets; });
  elsewhere_.push_back(sockets);
}

void ServerState::wait_for(RemoteSockets& sockets) {
  ++waiting_elsewhere_;
  sockets.when_all_closed(key_, [this, keep = shared_from_this()] {
    --waiting_elsewhere_;
    if (closing() && drained()) finish_closing();
  });
}

void ServerState::count_connections(Function<void(std::error_code, std::size_t)> done) {
  struct Count {
    Function<void(std::error_code, std::size_t)> done;
    std::size_t total = 0;
    std::size_t unanswered = 0;
    std::error_code error = {};
  };
  auto count = std::make_shared<Count>(Count{std::move(done), connections_});
  const auto answered = [count, loop = loop_](std::optional<std::size_t> there) {
    if (!there) count->error = Errc::child_closed_before_reply;
    count->total += there.value_or(0);
    if (--count->unanswered == 0) loop->loop.next_tick([count] { count->done(count->error, count->total); });
  };
  count->unanswered = 1;
  for (const auto& weak : elsewhere_) {
    const auto sockets = weak.lock();
    if (!sockets) continue;
    ++count->unanswered;
    sockets->count(key_, answered);
  }
  answered(0);
}

Handle ServerState::to_handle() const {
  if (phase_ != Phase::listening) return {};
  if (!acceptor_) {
    throw Exception(Errc::invalid_handle_type, "The primary accepts for this server: it has no socket here that could be sent");
  }
  return {HandleType::server, uv::require_duplicate(acceptor_->descriptor()).release()};
}

void ServerState::set_max_connections(std::optional<std::size_t> limit) {
  max_connections_ = limit;
  apply_limit();
}

void ServerState::set_drop_max_connection(bool drop) {
  drop_ = drop;
  apply_limit();
}

void ServerState::apply_limit() {
  const auto cluster = cluster_.lock();
  if (ChildSide* child = cluster ? cluster->child() : nullptr; child && id_) {
    child->core().set_limit(*id_, max_connections_, drop_);
  }
}

void ServerState::ref() {
  ref_ = true;
  if (acceptor_) acceptor_->ref();
  if (keeper_) keeper_->ref();
}

void ServerState::unref() {
  ref_ = false;
  if (acceptor_) acceptor_->unref();
  if (keeper_) keeper_->unref();
}

void ServerState::drop_listeners() {
  connection.clear();
  listening.clear();
  dropped.clear();
  closed.clear();
  error.clear();
}

void ServerState::abandon() {
  phase_ = Phase::idle;
  acceptor_.reset();
  keeper_.reset();
  id_.reset();
  held_owner_.reset();
}

}  // namespace muster::detail
