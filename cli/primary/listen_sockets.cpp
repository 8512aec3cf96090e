// SPDX-License-Identifier: MIT
#include "primary/listen_sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "config/listen_url.h"

namespace muster::cli {
namespace {

constexpr int backlog = 511;

struct Opened {
  Handle handle = {};
  os::SocketFile file = {};
  std::string error = {};
};

Opened failed(const std::string& url, const char* call, int error) {
  std::string advice;
  if (error == EADDRINUSE) advice = ": another program listens there";
  if (error == EACCES) advice = ": ports below 1024 need root or CAP_NET_BIND_SERVICE";
  if (error == ENOTSOCK) return {{}, {}, fmt::format("cannot listen on {}: what is there is no socket", url)};
  return {{}, {}, fmt::format("cannot listen on {}: {}: {}{}", url, call, std::strerror(error), advice)};
}

Opened open_path(const std::string& url, const std::string& path) {
  Opened opened{Handle(HandleType::server, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  if (!opened.handle) return failed(url, "socket", errno);
  int error = os::remove_stale(path);
  if (error == 0) error = os::bind_to_path(opened.handle.descriptor(), path, opened.file);
  if (error != 0) return failed(url, "bind", error);
  if (listen(opened.handle.descriptor(), backlog) != 0) {
    error = errno;
    opened.file.remove();
    return failed(url, "listen", error);
  }
  return opened;
}

Opened open_address(const std::string& url, const ListenUrl& what) {
  const bool datagrams = what.type == ListenUrl::Type::udp;
  addrinfo hints{};
  hints.ai_socktype = datagrams ? SOCK_DGRAM : SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  const bool any = what.options.host.empty();
  addrinfo* list = nullptr;
  const std::string port = std::to_string(what.options.port.value_or(0));
  // Every address: IPv6, which takes IPv4 too, where the machine has it.
  if (const int error = getaddrinfo(any ? "::" : what.options.host.c_str(), port.c_str(), &hints, &list); error != 0) {
    return {{}, {}, fmt::format("cannot listen on {}: {}", url, gai_strerror(error))};
  }
  Opened result = failed(url, "socket", EADDRNOTAVAIL);
  for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
    // To block, as a program expects that knows nothing of us.
    const int fd = socket(entry->ai_family, entry->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    Handle handle(datagrams ? HandleType::udp_socket : HandleType::server, fd);
    const int on = 1, off = 0;
    if (!datagrams) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (entry->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
    if (bind(fd, entry->ai_addr, entry->ai_addrlen) != 0) {
      result = failed(url, "bind", errno);
    } else if (!datagrams && listen(fd, backlog) != 0) {
      result = failed(url, "listen", errno);
    } else {
      result = {std::move(handle), {}, {}};
      break;
    }
  }
  freeaddrinfo(list);
  // A machine without IPv6.
  if (any && !result.handle && what.options.host.empty()) {
    ListenUrl v4 = what;
    v4.options.host = "0.0.0.0";
    Opened other = open_address(url, v4);
    if (other.handle) return other;
  }
  return result;
}

Opened open(const std::string& url) {
  const auto what = parse_listen(url);
  if (!what) return {{}, {}, fmt::format("cannot listen on {}: that is not an address", url)};
  return what->type == ListenUrl::Type::unix_stream ? open_path(url, what->options.path) : open_address(url, *what);
}

std::string name_of(int fd, const std::string& otherwise) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return otherwise;
  int type = SOCK_STREAM;
  socklen_t type_size = sizeof type;
  getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size);
  const char* scheme = type == SOCK_DGRAM ? "udp" : "tcp";
  char host[NI_MAXHOST] = {}, port[NI_MAXSERV] = {};
  if (address.ss_family == AF_INET || address.ss_family == AF_INET6) {
    // With the zone of an address that has one.
    if (getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM) != 0) {
      return otherwise;
    }
    return address.ss_family == AF_INET6 ? fmt::format("{}://[{}]:{}", scheme, host, port)
                                         : fmt::format("{}://{}:{}", scheme, host, port);
  }
  if (address.ss_family == AF_UNIX) {
    const auto* un = reinterpret_cast<const sockaddr_un*>(&address);
    return "unix:" + std::string(un->sun_path, strnlen(un->sun_path, size - offsetof(sockaddr_un, sun_path)));
  }
  return otherwise;
}

// Whether somebody has called shutdown(2) on it.
bool is_shut_down(int fd) {
  pollfd state{fd, 0, 0};
  return poll(&state, 1, 0) > 0 && (state.revents & POLLHUP) != 0;
}

// Whether a socket that is bound there serves the URL.
bool serves(const std::string& bound, const std::string& url) {
  const auto have = parse_listen(bound), want = parse_listen(url);
  if (!have || !want || have->type != want->type) return false;
  if (have->type == ListenUrl::Type::unix_stream) return have->options.path == want->options.path;
  if (have->options.port != want->options.port) return false;
  const std::string& host = have->options.host;
  return host == want->options.host || (want->options.host.empty() && (host == "::" || host == "0.0.0.0"));
}

}  // namespace

ListenSockets::~ListenSockets() { keep_only({}); }

std::string ListenSockets::open(const std::vector<std::string>& urls) {
  std::map<std::string, Socket> opened;
  for (const std::string& url : urls) {
    const auto known = sockets_.find(url);
    // One whose file somebody has removed is made again.
    if (opened.contains(url) || (known != sockets_.end() && !(known->second.file && known->second.file.is_gone()))) continue;
    const auto adopted = std::find_if(sockets_.begin(), sockets_.end(), [&url](const auto& entry) {
      return entry.first != url && serves(name_of(entry.second.handle.descriptor(), entry.first), url);
    });
    if (adopted != sockets_.end()) {
      auto node = sockets_.extract(adopted);
      node.key() = url;
      sockets_.insert(std::move(node));
      continue;
    }
    Opened socket = cli::open(url);
    if (!socket.handle) return socket.error;
    opened.emplace(url, Socket{std::move(socket.handle), std::move(socket.file)});
  }
  for (auto& [url, socket] : opened) sockets_.insert_or_assign(url, std::move(socket));
  return {};
}

ListenSockets::Reopened ListenSockets::reopen_shut_down(const std::vector<std::string>& urls) {
  Reopened result;
  for (const std::string& url : urls) {
    std::string address = url;
    if (const auto found = sockets_.find(url); found != sockets_.end()) {
      const int fd = found->second.handle.descriptor();
      // A TCP socket is still bound.
      if (!is_shut_down(fd) || (listen(fd, backlog) == 0 && !is_shut_down(fd))) continue;
      address = bound_url(url);
      found->second.file.remove();
      sockets_.erase(found);
    }
    Opened opened = cli::open(address);
    if (opened.handle) {
      sockets_.insert_or_assign(url, Socket{std::move(opened.handle), std::move(opened.file)});
      result.any = true;
    } else if (result.error.empty()) {
      result.error = opened.error;
    }
  }
  return result;
}

void ListenSockets::adopt(std::string name, Handle socket, os::SocketFile file) {
  if (name.empty() || sockets_.contains(name)) name = name_of(socket.descriptor(), name);
  sockets_.insert_or_assign(std::move(name), Socket{std::move(socket), std::move(file)});
}

void ListenSockets::keep_only(const std::vector<std::string>& urls) {
  for (auto entry = sockets_.begin(); entry != sockets_.end();) {
    if (std::find(urls.begin(), urls.end(), entry->first) != urls.end()) {
      ++entry;
      continue;
    }
    entry->second.file.remove();
    entry = sockets_.erase(entry);
  }
}

int ListenSockets::descriptor(const std::string& url) const {
  const auto found = sockets_.find(url);
  return found == sockets_.end() ? -1 : found->second.handle.descriptor();
}

std::string ListenSockets::bound_url(const std::string& url) const { return name_of(descriptor(url), url); }

std::vector<ListenSockets::Copy> ListenSockets::copies() const {
  std::vector<Copy> copies;
  copies.reserve(sockets_.size());
  for (const auto& [name, socket] : sockets_) {
    const int fd = fcntl(socket.handle.descriptor(), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "the descriptor cannot be copied");
    copies.push_back({name, Handle(HandleType::server, fd), socket.file});
  }
  return copies;
}

void ListenSockets::leave_files() {
  for (auto& [name, socket] : sockets_) socket.file.leave();
}

}  // namespace muster::cli
