// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <muster/dgram.h>
#include "api/bindable.h"
#include "api/cluster_state.h"
#include "api/emitter.h"
#include "core/wire.h"
#include "uv/datagram.h"

namespace muster::detail {

// Behind a dgram::Socket. The loop holds it while it is bound.
class DatagramState final : public Resource, public Bindable, private uv::Datagram::Client {
 public:
  DatagramState(std::weak_ptr<ClusterState> cluster, LoopState& loop, dgram::SocketOptions options)
      : cluster_(std::move(cluster)), loop_(loop.shared_from_this()), options_(options) {}

  void bind(const dgram::BindOptions& options, Function<void()> listening);
  void bind_to(Handle handle, Function<void()> listening);
  void send(std::string bytes, std::optional<std::string> address, int port, SendCallback done);
  void connect(int port, const std::string& address, Function<void()> connected);
  void disconnect();
  void close(Function<void()> closed);
  // The descriptor; throws when it is not bound.
  int bound() const;
  std::optional<Address> address() const;
  std::optional<Address> remote_address() const;
  Handle to_handle() const;
  void ref(bool ref);
  // What the system answered to a call: an `error` event, unless that is 0.
  void report(int error_number, const char* call);

  Emitter<std::string_view, const dgram::RemoteInfo&> message;
  Emitter<> listening;
  Emitter<> closed;
  Emitter<const Error&> error;

  void handle_listening(const std::optional<core::wire::SocketName>& name) override;
  void handle_shared(OwnedFd socket, OwnedFd counters) override;
  void handle_error(const Error& failure) override;
  void handle_connection(OwnedFd) override {}
  void handle_drop(int) override {}
  void close_if_open() override;
  void abandon() override;

 private:
  enum class Phase { idle, binding, bound, closed };

  core::wire::ListenQuery query(int port, const std::string& address) const;
  void begin(Function<void()> listening);
  void bind_as_asked(bool alone);
  // Runs `task` with the address in numbers: now, or when that is known. With an errno where it has none; not at all when the
  // socket is closed by then.
  void with_numbers(const std::string& address, Function<void(const std::string& numeric, int error_number)> task);
  // Binds without asking the primary, now; `listening` or `error` later.
  void bind_here(const core::wire::ListenQuery& query);
  // Returns an errno.
  int open(OwnedFd socket);
  void send_now(std::string bytes, std::optional<std::string> to, int port, SendCallback done);
  // To the callback, or else as an `error` event.
  void handle_sent(const Error& failure, SendCallback& done);
  void finish_connecting(Error failure, Function<void()>& connected);
  // Runs now, or when the socket is bound; binds one that nobody has.
  void when_bound(Function<void()> task);
  void start_listening();
  void fail(Error failure);
  void leave_cluster();
  void drop_listeners();
  AddressType type() const;
  std::string any_address() const { return options_.type == dgram::Type::udp6 ? "::1" : "127.0.0.1"; }

  void handle_datagram(std::string_view bytes, const core::wire::SocketName& from) override;
  void handle_receive_error(int error_number) override;

  std::weak_ptr<ClusterState> cluster_;
  const std::shared_ptr<LoopState> loop_;
  dgram::SocketOptions options_;
  Phase phase_ = Phase::idle;
  bool connected_ = false;
  bool ref_ = true;
  core::wire::ListenQuery query_;
  std::optional<core::ServerId> id_;  // in a worker
  std::unique_ptr<uv::Datagram> socket_;
  std::vector<Function<void()>> waiting_;  // sends and connects that came before it was bound
};

}  // namespace muster::detail
