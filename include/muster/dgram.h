// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <muster/address.h>
#include <muster/error.h>
#include <muster/event.h>
#include <muster/handle.h>
#include <muster/message.h>

namespace muster {

class Cluster;

namespace detail {
struct Access;
class DatagramState;
}  // namespace detail

namespace dgram {

enum class Type { udp4, udp6 };

struct SocketOptions {
  Type type = Type::udp4;
  // Others may bind the same address too.
  bool reuse_addr = false;
  // The same, and the system deals the datagrams. In a worker such a socket is its own, not the cluster's.
  bool reuse_port = false;
  // udp6: no IPv4 datagrams.
  bool ipv6_only = false;
};

struct BindOptions {
  // 0 takes a free port: in a worker the same for all that ask in the same order.
  int port = 0;
  // Empty: every address.
  std::string address = {};
  // The worker opens a socket of its own and does not ask the primary.
  bool exclusive = false;
};

// Where a datagram came from.
struct RemoteInfo {
  std::string address;
  int port = 0;
  // Of the datagram, in bytes.
  std::size_t size = 0;
};

// Node's dgram.Socket. A handle: copies name the same socket, which the loop keeps while it is bound.
//
// In a worker bind() asks the primary, and workers that bind the same address share one socket: each datagram goes to one
// of them, whichever reads it first.
class Socket {
 public:
  // Failures arrive as `error`. Throws Exception: Errc::socket_already_bound, Errc::socket_bad_port,
  // Errc::socket_dgram_not_running after close().
  void bind(int port = 0, Function<void()> listening = {}) const;
  void bind(BindOptions options, Function<void()> listening = {}) const;
  // Binds to a socket that came with a message.
  void bind(Handle handle, Function<void()> listening = {}) const;

  // Sends one datagram. A socket that is not bound is bound first, to a port of its own. What went wrong reaches `done`,
  // or an `error` event when there is no `done`. Throws Exception(Errc::socket_dgram_is_connected) on a connected socket.
  void send(std::string_view bytes, int port, const std::string& address = {}, SendCallback done = {}) const;
  // To the peer that connect() named. Throws Exception(Errc::socket_dgram_not_connected).
  void send(std::string_view bytes, SendCallback done = {}) const;
  // From now on datagrams go to and come from this peer only.
  void connect(int port, const std::string& address = {}, Function<void()> connected = {}) const;
  void disconnect() const;
  void close(Function<void()> closed = {}) const;

  // Empty before `listening`.
  [[nodiscard]] std::optional<Address> address() const;
  [[nodiscard]] std::optional<Address> remote_address() const;

  // Options of the bound socket. Throw Exception(Errc::socket_dgram_not_running) when it is not bound. What the system refuses
  // is an `error` event: "setTTL EINVAL".
  void add_membership(const std::string& group, const std::string& interface_address = {}) const;
  void drop_membership(const std::string& group, const std::string& interface_address = {}) const;
  void set_multicast_loopback(bool on) const;
  void set_multicast_ttl(int ttl) const;
  // What group datagrams are sent through: an interface's IPv4 address, or "::%eth0" for udp6.
  void set_multicast_interface(const std::string& interface_address) const;
  void set_broadcast(bool on) const;

  // Another name for the bound socket, to be sent. Empty while it is not bound. Throws std::system_error where this process
  // has no descriptor for it.
  [[nodiscard]] Handle to_handle() const;
  void ref() const;
  void unref() const;

  // The view is valid until the listener returns.
  Subscription on_message(Listener<std::string_view, const RemoteInfo&> listener) const;
  Subscription on_listening(Listener<> listener) const;
  Subscription on_close(Listener<> listener) const;
  // Unhandled, it comes out of Loop::run().
  Subscription on_error(Listener<const Error&> listener) const;

  friend bool operator==(const Socket&, const Socket&) = default;

 private:
  friend struct detail::Access;
  explicit Socket(std::shared_ptr<detail::DatagramState> state) : state_(std::move(state)) {}

  std::shared_ptr<detail::DatagramState> state_;
};

Socket create_socket(Cluster& cluster, SocketOptions options = {});

}  // namespace dgram
}  // namespace muster
