#include "uv/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>

#include "uv/pipe_mode.h"

namespace muster::uv {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// 0 when `text` is a numeric address of the family.
bool parse_ip(const std::string& text, int port, SocketAddress& address) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    address.size = sizeof *v4;
    return true;
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
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

// The system has room for a short path only; seen from here it may be short enough, as Node's primary does it.
std::string shortest(const std::string& path) {
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  std::string relative = error ? path : std::filesystem::path(path).lexically_relative(here).string();
  return relative.empty() || relative.size() >= path.size() ? path : relative;
}

bool path_address(const std::string& whole_path, SocketAddress& address) {
  // A Node worker makes an absolute path of a name that is no file, too.
  const std::string path = shortest(whole_path);
  auto* un = reinterpret_cast<sockaddr_un*>(&address.storage);
  const bool is_file = !is_abstract(path);
  if (is_file && (path.empty() || path.find('\0') != std::string::npos)) return false;
  if (path.size() + (is_file ? 1 : 0) > sizeof un->sun_path) return false;
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.data(), path.size());
  address.size = is_file ? sizeof *un : static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return true;
}

std::pair<OwnedFd, int> bind_path(const core::wire::ListenQuery& query) {
  const std::string& path = *query.address;
  SocketAddress address;
  if (!path_address(path, address)) return {OwnedFd(), EINVAL};
  OwnedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return {OwnedFd(), errno};
  if (bind(fd.get(), address.get(), address.size) != 0) {
    // libuv's choice, for which Node is known: a missing directory is reported as if it could not be entered.
    return {OwnedFd(), errno == ENOENT ? EACCES : errno};
  }
  if (query.readable_all || query.writable_all) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return {OwnedFd(), errno};
    const mode_t mode = pipe_mode(status.st_mode & 07777, query.readable_all, query.writable_all);
    if (chmod(path.c_str(), mode) != 0) return {OwnedFd(), errno};
  }
  return {std::move(fd), 0};
}

std::pair<OwnedFd, int> adopt(int fd) {
  struct stat status {};
  // What is not a socket is refused here, with what listen(2) on it would mean to Node's user.
  if (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode)) return {OwnedFd(), EINVAL};
  OwnedFd copy = duplicate(fd);
  if (!copy) return {OwnedFd(), errno};
  set_non_blocking(copy.get());
  return {std::move(copy), 0};
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
    return core::wire::SocketName{text, true, ntohs(v6->sin6_port)};
  }
  return std::nullopt;
}

bool resolve_to(const std::string& host, int port, SocketAddress& address) {
  if (parse_ip(host, port, address)) return true;
  const auto [numeric, error] = resolve(host);
  return error == 0 && parse_ip(numeric, port, address);
}

}  // namespace

std::pair<OwnedFd, int> bind_socket(const core::wire::ListenQuery& query) {
  if (query.fd && *query.fd >= 0) return adopt(*query.fd);
  if (query.address_type == AddressType::pipe) {
    return query.address ? bind_path(query) : std::pair{OwnedFd(), EINVAL};
  }
  const int port = query.port.value_or(0);
  if (port < 0 || port > 65535) return {OwnedFd(), EINVAL};
  const bool datagram = query.address_type == AddressType::udp4 || query.address_type == AddressType::udp6;
  const int type = datagram ? SOCK_DGRAM : SOCK_STREAM;
  const int flags = query.flags.value_or(0);
  if (query.address) {
    std::string host = *query.address;
    SocketAddress parsed;
    if (!parse_ip(host, port, parsed)) {
      auto [numeric, error] = resolve(host);
      if (error != 0) return {OwnedFd(), error};
      host = std::move(numeric);
    }
    return bind_ip(host, port, type, flags);
  }
  if (query.address_type == AddressType::udp4) return bind_ip("0.0.0.0", port, type, flags);
  if (query.address_type == AddressType::udp6) return bind_ip("::", port, type, flags);
  auto both = bind_ip("::", port, type, flags);
  // Only a machine without IPv6 falls back: a port that is taken there is taken.
  if (both.second == EAFNOSUPPORT || both.second == EADDRNOTAVAIL) return bind_ip("0.0.0.0", port, type, flags);
  return both;
}

bool is_abstract(std::string_view path) { return path.starts_with('\0'); }

std::pair<OwnedFd, int> start_connect(const std::string& host_or_path, std::optional<int> port) {
  SocketAddress address;
  if (!port) {
    if (!path_address(host_or_path, address)) return {OwnedFd(), EINVAL};
  } else if (!resolve_to(host_or_path, *port, address)) {
    return {OwnedFd(), ENOENT};
  }
  OwnedFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return {OwnedFd(), errno};
  const int error = ::connect(fd.get(), address.get(), address.size) == 0 ? 0 : errno;
  return {std::move(fd), error};
}

int send_to(int fd, std::string_view bytes, const std::optional<std::string>& host, int port) {
  SocketAddress address;
  if (host && !resolve_to(*host, port, address)) return ENOENT;
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
  } else if (!resolve_to(*host, port, address)) {
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

std::pair<std::string, int> resolve(const std::string& host) {
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

OwnedFd duplicate(int fd) { return OwnedFd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

void set_non_blocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void set_close_on_exec(int fd) { fcntl(fd, F_SETFD, FD_CLOEXEC); }

}  // namespace muster::uv
