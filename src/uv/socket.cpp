// SPDX-License-Identifier: MIT
#include "uv/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "os/acting_as.h"
#include "uv/pipe_mode.h"

namespace muster::uv {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// The interface that an address with a zone is of, as in fe80::1%eth0 or fe80::1%2; 0 where there is none.
unsigned interface_of(const std::string& zone) {
  if (const unsigned index = if_nametoindex(zone.c_str()); index != 0) return index;
  unsigned index = 0;
  const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), index);
  return error == std::errc() && end == zone.data() + zone.size() ? index : 0;
}

// Whether `text` is a numeric address.
bool parse_ip(const std::string& text, int port, SocketAddress& address) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    address.size = sizeof *v4;
    return true;
  }
  const std::size_t percent = text.find('%');
  if (inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    v6->sin6_scope_id = percent == std::string::npos ? 0 : interface_of(text.substr(percent + 1));
    address.size = sizeof *v6;
    return true;
  }
  return false;
}

std::pair<OwnedFd, int> bind_ip(const std::string& host, int port, int type, int flags) {
  SocketAddress address;
  if (!parse_ip(host, port, address)) return {OwnedFd(), EINVAL};
  OwnedFd fd(socket(address.storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return {OwnedFd(), errno};
  const int on = 1;
  // A server that starts again must not wait for the connections of its predecessor to be forgotten.
  if (type == SOCK_STREAM || (flags & core::wire::flag_reuse_address) != 0) {
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  if ((flags & core::wire::flag_reuse_port) != 0) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (address.storage.ss_family == AF_INET6) {
    const int only = (flags & core::wire::flag_ipv6_only) != 0;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  if (bind(fd.get(), address.get(), address.size) != 0) return {OwnedFd(), errno};
  return {std::move(fd), 0};
}

Bound bind_path(const core::wire::ListenQuery& query) {
  // Who connects may send descriptors: refused where the system can, and otherwise no reason to wait.
  OwnedFd fd = OwnedFd::shared(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return {{}, errno};
  os::refuse_descriptors(fd.get());
  os::SocketFile file;
  if (const int error = os::bind_to_path(fd.get(), *query.address, file); error != 0) {
    // libuv's choice, for which Node is known: a missing directory is reported as if it could not be entered.
    return {{}, error == ENOENT ? EACCES : error};
  }
  if (file && (query.readable_all || query.writable_all)) {
    const mode_t mode = pipe_mode(file.mode(), query.readable_all, query.writable_all);
    if (const int error = file.set_mode(mode); error != 0) {
      file.remove();
      return {{}, error};
    }
  }
  return {std::move(fd), 0, std::move(file)};
}

int option(int fd, int which) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, which, &value, &size) == 0 ? value : -1;
}

// A descriptor that this process was given bound. What cannot be listened on is refused, with what listen(2) says of it: a
// connection, a channel, a socket of another type.
Bound adopt(int fd, bool datagrams) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (option(fd, SO_TYPE) != (datagrams ? SOCK_DGRAM : SOCK_STREAM)) return {{}, EINVAL};
  if (datagrams && option(fd, SO_DOMAIN) == AF_UNIX) return {{}, EINVAL};
  if (!datagrams && getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) return {{}, EINVAL};
  OwnedFd copy = duplicate(fd);
  if (!copy) return {{}, errno};
  set_non_blocking(copy.get());
  return {std::move(copy)};
}

// From which port on everybody may bind.
int first_free_port() {
  constexpr int usual = 1024;
  const OwnedFd file(::open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_RDONLY | O_CLOEXEC));
  char text[16] = {};
  return file && read(file.get(), text, sizeof text - 1) > 0 ? std::atoi(text) : usual;
}

std::optional<core::wire::SocketName> name_of(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return core::wire::SocketName{text, false, ntohs(v4->sin_port)};
  }
  if (address.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    std::string name = text;
    char interface[IF_NAMESIZE] = {};
    if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) && if_indextoname(v6->sin6_scope_id, interface)) {
      name += std::string("%") + interface;
    }
    return core::wire::SocketName{std::move(name), true, ntohs(v6->sin6_port)};
  }
  return std::nullopt;
}

}  // namespace

Bound bind_socket(const core::wire::ListenQuery& query, const std::optional<core::User>& user) {
  const bool datagram = query.address_type == AddressType::udp4 || query.address_type == AddressType::udp6;
  if (query.fd && *query.fd >= 0) return adopt(*query.fd, datagram);
  if (query.address_type == AddressType::pipe) {
    if (!query.address) return {{}, EINVAL};
    const os::ActingAs acting(user ? std::optional(user->uid) : std::nullopt, user ? user->gid : std::nullopt);
    return acting.error() != 0 ? Bound{{}, acting.error()} : bind_path(query);
  }
  const int port = query.port.value_or(0);
  if (port < 0 || port > 65535) return {{}, EINVAL};
  if (user && port > 0 && port < first_free_port()) return {{}, EACCES};
  const int type = datagram ? SOCK_DGRAM : SOCK_STREAM;
  const int flags = query.flags.value_or(0);
  const auto bind_to = [&](const std::string& host) {
    auto [socket, error] = bind_ip(host, port, type, flags);
    return Bound{std::move(socket), error};
  };
  if (query.address) return bind_to(*query.address);
  if (query.address_type == AddressType::udp4) return bind_to("0.0.0.0");
  if (query.address_type == AddressType::udp6) return bind_to("::");
  Bound both = bind_to("::");
  // Only a machine without IPv6 falls back: a port that is taken there is taken.
  if (both.error == EAFNOSUPPORT || both.error == EADDRNOTAVAIL) return bind_to("0.0.0.0");
  return both;
}

std::pair<OwnedFd, int> start_connect(const std::string& host_or_path, std::optional<int> port) {
  if (!port) {
    OwnedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return {OwnedFd(), errno};
    const int error = os::connect_to_path(fd.get(), host_or_path);
    return {std::move(fd), error};
  }
  SocketAddress address;
  if (!parse_ip(host_or_path, *port, address)) return {OwnedFd(), ENOENT};
  OwnedFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return {OwnedFd(), errno};
  const int error = ::connect(fd.get(), address.get(), address.size) == 0 ? 0 : errno;
  return {std::move(fd), error};
}

int send_to(int fd, std::string_view bytes, const std::optional<std::string>& host, int port) {
  SocketAddress address;
  if (host && !parse_ip(*host, port, address)) return ENOENT;
  ssize_t n = 0;
  do {
    n = sendto(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT, host ? address.get() : nullptr,
               host ? address.size : 0);
  } while (n < 0 && errno == EINTR);
  return n >= 0 ? 0 : errno;
}

std::pair<std::size_t, int> receive_from(int fd, char* buffer, std::size_t size, core::wire::SocketName& from) {
  SocketAddress address;
  address.size = sizeof address.storage;
  ssize_t n = 0;
  do {
    n = recvfrom(fd, buffer, size, MSG_DONTWAIT, address.get(), &address.size);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return {0, errno};
  from = name_of(address).value_or(core::wire::SocketName{});
  return {static_cast<std::size_t>(n), 0};
}

int connect_datagram(int fd, const std::optional<std::string>& host, int port) {
  SocketAddress address;
  if (!host) {
    address.storage.ss_family = AF_UNSPEC;
    address.size = sizeof(sa_family_t);
  } else if (!parse_ip(*host, port, address)) {
    return ENOENT;
  }
  return ::connect(fd, address.get(), address.size) == 0 ? 0 : errno;
}

int set_membership(int fd, Membership change, const std::string& group, const std::string& interface_address) {
  SocketAddress address;
  if (!parse_ip(group, 0, address)) return EINVAL;
  if (address.storage.ss_family == AF_INET) {
    ip_mreq request{};
    request.imr_multiaddr = reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr;
    if (!interface_address.empty() && inet_pton(AF_INET, interface_address.c_str(), &request.imr_interface) != 1) return EINVAL;
    const int option = change == Membership::add ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP;
    return setsockopt(fd, IPPROTO_IP, option, &request, sizeof request) == 0 ? 0 : errno;
  }
  ipv6_mreq request{};
  request.ipv6mr_multiaddr = reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr;
  const std::size_t scope = interface_address.find('%');
  if (scope != std::string::npos) request.ipv6mr_interface = if_nametoindex(interface_address.c_str() + scope + 1);
  const int option = change == Membership::add ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP;
  return setsockopt(fd, IPPROTO_IPV6, option, &request, sizeof request) == 0 ? 0 : errno;
}

int set_multicast_interface(int fd, const std::string& interface_address) {
  const std::size_t scope = interface_address.find('%');
  if (scope != std::string::npos) {
    const unsigned index = if_nametoindex(interface_address.c_str() + scope + 1);
    return setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) == 0 ? 0 : errno;
  }
  in_addr address{};
  if (inet_pton(AF_INET, interface_address.c_str(), &address) != 1) return EINVAL;
  return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address) == 0 ? 0 : errno;
}

int set_datagram_option(int fd, DatagramOption option, int value) {
  if (option == DatagramOption::broadcast)
    return setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &value, sizeof value) == 0 ? 0 : errno;
  const auto name = socket_name(fd);
  const bool loopback = option == DatagramOption::multicast_loopback;
  const int level = name && name->ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
  const int which = name && name->ipv6 ? (loopback ? IPV6_MULTICAST_LOOP : IPV6_MULTICAST_HOPS)
                                       : (loopback ? IP_MULTICAST_LOOP : IP_MULTICAST_TTL);
  return setsockopt(fd, level, which, &value, sizeof value) == 0 ? 0 : errno;
}

bool is_datagram(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM;
}

std::string socket_path(int fd) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sun_family != AF_UNIX) return {};
  return {address.sun_path, strnlen(address.sun_path, size - offsetof(sockaddr_un, sun_path))};
}

std::optional<core::wire::SocketName> socket_name(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (getsockname(fd, address.get(), &address.size) != 0) return std::nullopt;
  return name_of(address);
}

std::optional<core::wire::SocketName> peer_name(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (getpeername(fd, address.get(), &address.size) != 0) return std::nullopt;
  return name_of(address);
}

void share_port(int fd) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

int start_listening(int fd, int backlog) {
  constexpr int default_backlog = 511;
  return listen(fd, backlog > 0 ? backlog : default_backlog) == 0 ? 0 : errno;
}

std::uint64_t address_hash(int connection) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (getpeername(connection, address.get(), &address.size) != 0) return 0;
  if (address.storage.ss_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr.s_addr;
  }
  if (address.storage.ss_family != AF_INET6) return 0;
  const auto& bytes = reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr;
  std::uint64_t halves[2];
  std::memcpy(halves, &bytes, sizeof halves);
  // An IPv4 client is the same one on a socket for both.
  if (IN6_IS_ADDR_V4MAPPED(&bytes)) return halves[1] >> 32;
  return halves[0] * 0x9e3779b97f4a7c15 ^ halves[1];
}

bool is_connection_of(int connection, int listening) {
  const auto option = [](int fd, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
  };
  if (option(connection, SO_TYPE) != SOCK_STREAM || option(connection, SO_ACCEPTCONN) != 0) return false;
  if (option(connection, SO_DOMAIN) != option(listening, SO_DOMAIN)) return false;
  const auto here = socket_name(connection), there = socket_name(listening);
  if (here && there) return here->port == there->port;
  return !here && !there && socket_path(connection) == socket_path(listening);
}

bool touched(int connection) {
  tcp_info info{};
  socklen_t size = sizeof info;
  int unread = 0;
  if (getsockopt(connection, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  if (size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) return true;
  if (ioctl(connection, FIONREAD, &unread) != 0) return true;
  // The peer's FIN counts among the bytes received and cannot be read.
  const bool ended = info.tcpi_state == 8 /* TCP_CLOSE_WAIT */;
  const auto received = info.tcpi_bytes_received - (ended ? 1 : 0);
  return received != static_cast<std::uint64_t>(unread) || info.tcpi_bytes_sent != 0;
}

bool is_numeric(const std::string& host) {
  SocketAddress address;
  return parse_ip(host, 0, address);
}

std::pair<std::string, int> resolve_now(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || !found) return {"", ENOENT};
  SocketAddress address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  const auto name = name_of(address);
  return name ? std::pair{name->address, 0} : std::pair{std::string(), ENOENT};
}

OwnedFd duplicate(int fd) { return OwnedFd::shared(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

OwnedFd require_duplicate(int fd) {
  OwnedFd copy = duplicate(fd);
  if (!copy) throw std::system_error(errno, std::generic_category(), "the descriptor cannot be copied");
  return copy;
}

void set_non_blocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void set_close_on_exec(int fd) { fcntl(fd, F_SETFD, FD_CLOEXEC); }

}  // namespace muster::uv
