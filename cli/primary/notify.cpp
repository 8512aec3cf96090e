// SPDX-License-Identifier: MIT
#include "primary/notify.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

namespace muster::cli {
namespace {

// Anybody may send to it, and without end.
constexpr int datagrams_per_turn = 64;

// What the system sends at most with one message (SCM_MAX_FD).
constexpr std::size_t max_descriptors = 253;

// A service manager that does not read is not waited for much longer than it takes to be scheduled.
constexpr int patience_ms = 100;

bool address_of(std::string_view path, sockaddr_un& address, socklen_t& size) {
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  // An abstract name begins with a NUL, written as @.
  if (path.front() == '@') address.sun_path[0] = '\0';
  size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path.front() == '@' ? 0 : 1));
  return true;
}

}  // namespace

void notify_service_manager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  socklen_t size = 0;
  if (!path || !address_of(path, address, size)) return;
  const OwnedFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return;
  pollfd ready{fd.get(), POLLOUT, 0};
  if (poll(&ready, 1, patience_ms) > 0) send(fd.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

unsigned long long watchdog_interval() {
  const char* microseconds = std::getenv("WATCHDOG_USEC");
  const char* pid = std::getenv("WATCHDOG_PID");
  if (!microseconds || (pid && std::atoi(pid) != getpid())) return 0;
  return std::strtoull(microseconds, nullptr, 10);
}

NotifySocket::NotifySocket(Loop& loop, std::string path, Handler handler)
    : path_(std::move(path)), handler_(std::move(handler)) {
  socket_ = OwnedFd::shared(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  unlink(path_.c_str());
  os::refuse_descriptors(socket_.get());
  // Workers may be of another user; whose word counts is decided by the process that gives it.
  const int on = 1;
  if (!socket_ || os::bind_to_path(socket_.get(), path_, file_) != 0 || file_.set_mode(0666) != 0 ||
      setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    path_.clear();
    return;
  }
  try {
    watch_ = loop.on_readable(socket_.get(), [this] { receive(); });
  } catch (const std::system_error&) {
    path_.clear();
    return;
  }
  watch_.unref();
}

NotifySocket::~NotifySocket() {
  watch_.cancel();
  file_.remove();
}

bool NotifySocket::is_there() const { return file_ && !file_.is_gone(); }

void NotifySocket::receive() {
  char text[4096];
  // Room for all: what has none is closed here by the system, which may take long.
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * max_descriptors)];
  for (int i = 0; i < datagrams_per_turn; ++i) {
    iovec part{text, sizeof text};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;
    int pid = 0;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET) continue;
      if (header->cmsg_type == SCM_CREDENTIALS) {
        ucred credentials{};
        std::memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
        pid = credentials.pid;
      } else if (header->cmsg_type == SCM_RIGHTS) {
        // Nobody asked for descriptors.
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
          int fd = -1;
          std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
          os::close_shared(fd);
        }
      }
    }
    // Each once, whatever else it says and however often: to find out whose it is costs more than to send it.
    Notification said;
    std::string_view rest(text, static_cast<std::size_t>(size));
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      said.ready |= rest.substr(0, end) == "READY=1";
      said.watchdog |= rest.substr(0, end) == "WATCHDOG=1";
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    if (said.ready || said.watchdog) handler_(pid, said);
  }
}

}  // namespace muster::cli
