// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/user.h"
#include "core/wire.h"
#include "os/fd.h"
#include "os/socket_file.h"

// What the bare system calls on sockets need around them. Errors are errno values; 0 is success.
namespace muster::uv {

struct Bound {
  OwnedFd socket = {};
  int error = 0;
  os::SocketFile file = {};  // of a Unix socket that has one
};
// Binds what the query asks for, without listening. Its address is numeric; every one when it names none: IPv6 and IPv4
// where the machine has IPv6, else IPv4. With a user it is bound with that one's rights.
Bound bind_socket(const core::wire::ListenQuery& query, const std::optional<core::User>& user = {});

// Lets other sockets be bound where this one is.
void share_port(int fd);
// listen(2). 0 for the backlog means 511.
int start_listening(int fd, int backlog);

// Starts to connect to a port of a numeric address, or to a path when there is no port. EINPROGRESS: it will be
// writable when it is connected or has failed.
std::pair<OwnedFd, int> start_connect(const std::string& host_or_path, std::optional<int> port);

// Datagrams. EAGAIN: not now. The peer is a numeric address; none for a connected socket.
int send_to(int fd, std::string_view bytes, const std::optional<std::string>& host, int port);
std::pair<std::size_t, int> receive_from(int fd, char* buffer, std::size_t size, core::wire::SocketName& from);
// No host: connected no more.
int connect_datagram(int fd, const std::optional<std::string>& host, int port);
enum class Membership { add, drop };
int set_membership(int fd, Membership change, const std::string& group, const std::string& interface_address);
int set_multicast_interface(int fd, const std::string& interface_address);
enum class DatagramOption { broadcast, multicast_loopback, multicast_ttl };
int set_datagram_option(int fd, DatagramOption option, int value);

// Where a socket is bound; empty for a Unix socket.
std::optional<core::wire::SocketName> socket_name(int fd);
// Whether it is one of datagrams, and the path of a Unix socket, which may be empty.
bool is_datagram(int fd);
std::string socket_path(int fd);
// The other end of a connection; empty for a Unix socket or one that is gone.
std::optional<core::wire::SocketName> peer_name(int fd);

// The same number for every connection from the same address. 0 for a Unix socket.
std::uint64_t address_hash(int connection);

// Whether it may have been accepted from this listening socket.
bool is_connection_of(int connection, int listening);

// Whether anybody has read from or written to an accepted connection. True also for what cannot tell:
// only TCP keeps count.
bool touched(int connection);

// Whether this is a numeric address, and needs no resolver.
bool is_numeric(const std::string& host);
// A numeric address for a host name, by the system's resolver, which may wait for a server: for uv::Resolver. Empty, with an
// errno, when there is none.
std::pair<std::string, int> resolve_now(const std::string& host);

// Another descriptor, close-on-exec, for the same thing. Empty when there are no more.
OwnedFd duplicate(int fd);
// The same, or std::system_error.
OwnedFd require_duplicate(int fd);
void set_non_blocking(int fd);
void set_close_on_exec(int fd);

}  // namespace muster::uv
