#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/wire.h"
#include "kernel/fd.h"

// What the bare system calls on sockets need around them. Errors are errno values; 0 is success.
namespace muster::uv {

// Binds what the query asks for, without listening. Every address when it names none: IPv6 and IPv4
// where the machine has IPv6, else IPv4. A Unix socket that is bound is `path` in the file system.
std::pair<OwnedFd, int> bind_socket(const core::wire::ListenQuery& query);

// Lets other sockets be bound where this one is.
void share_port(int fd);
// listen(2). 0 for the backlog means 511.
int start_listening(int fd, int backlog);

// A name of a Unix socket that is no file: one that begins with a zero byte.
bool is_abstract(std::string_view path);

// Starts to connect to a port of a host, or to a path when there is no port. EINPROGRESS: it will be
// writable when it is connected or has failed.
std::pair<OwnedFd, int> start_connect(const std::string& host_or_path, std::optional<int> port);

// Datagrams. EAGAIN: not now. The peer is a numeric address or a name; none for a connected socket.
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
// The other end of a connection; empty for a Unix socket or one that is gone.
std::optional<core::wire::SocketName> peer_name(int fd);

// The same number for every connection from the same address. 0 for a Unix socket.
std::uint64_t address_hash(int connection);

// Whether anybody has read from or written to an accepted connection. True also for what cannot tell:
// only TCP keeps count.
bool touched(int connection);

// A numeric address for a host name, by the system's resolver, which may block. Empty, with an errno
// or EAI code turned into one, when there is none.
std::pair<std::string, int> resolve(const std::string& host);

// Another descriptor, close-on-exec, for the same thing. Empty when there are no more.
OwnedFd duplicate(int fd);
void set_non_blocking(int fd);
void set_close_on_exec(int fd);

}  // namespace muster::uv
