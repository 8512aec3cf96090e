#include "primary/notify.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace muster::cli {
namespace {

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
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), size);
  close(fd);
}

unsigned long long watchdog_interval() {
  const char* microseconds = std::getenv("WATCHDOG_USEC");
  const char* pid = std::getenv("WATCHDOG_PID");
  if (!microseconds || (pid && std::atoi(pid) != getpid())) return 0;
  return std::strtoull(microseconds, nullptr, 10);
}

struct NotifySocket::Poll {
  uv_poll_t handle{};
  NotifySocket* owner = nullptr;
};

NotifySocket::NotifySocket(Loop& loop, std::string path, Handler handler)
    : path_(std::move(path)), handler_(std::move(handler)) {
  sockaddr_un address{};
  socklen_t size = 0;
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  unlink(path_.c_str());
  const int on = 1;
  if (fd_ < 0 || !address_of(path_, address, size) || bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      setsockopt(fd_, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    path_.clear();
    return;
  }
  // Workers may be of another user; whose word counts is decided by the process that gives it.
  chmod(path_.c_str(), 0666);
  poll_ = new Poll{{}, this};
  uv_poll_init(loop.uv_loop(), &poll_->handle, fd_);
  poll_->handle.data = poll_;
  uv_poll_start(&poll_->handle, UV_READABLE, [](uv_poll_t* handle, int, int) {
    if (auto* owner = static_cast<Poll*>(handle->data)->owner) owner->receive();
  });
  uv_unref(reinterpret_cast<uv_handle_t*>(&poll_->handle));
}

NotifySocket::~NotifySocket() {
  if (poll_) {
    poll_->owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle),
             [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
  }
  if (fd_ >= 0) close(fd_);
  if (!path_.empty()) unlink(path_.c_str());
}

void NotifySocket::receive() {
  char text[4096];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * 16)];
  for (;;) {
    iovec part{text, sizeof text};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(fd_, &message, MSG_CMSG_CLOEXEC);
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
          close(fd);
        }
      }
    }
    std::string_view rest(text, static_cast<std::size_t>(size));
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      handler_(pid, rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
}

}  // namespace muster::cli
