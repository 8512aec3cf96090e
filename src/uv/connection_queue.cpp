// SPDX-License-Identifier: MIT
#include "uv/connection_queue.h"

#include <sys/epoll.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "os/received.h"

namespace muster::uv {
namespace {

// What the system counts for a message of a few bytes. A socket is writable again when a quarter of its buffer is in use, and
// the buffer is twice what is asked for.
constexpr std::size_t counted_per_message = 768;
constexpr std::size_t max_batch = 32;

using Message = core::QueueNumber;

struct alignas(cmsghdr) Control {
  char bytes[CMSG_SPACE(sizeof(int))];
};

void attach(msghdr& message, Control& control, int fd) {
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

std::size_t unread_bytes(int reader) {
  int bytes = 0;
  return ioctl(reader, SIOCINQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

// A message, or less of one. Nothing when there is none.
std::optional<OwnedFd> receive(int reader, std::size_t size) {
  Message message{};
  iovec part{&message, std::min(size, sizeof message)};
  Control control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control.bytes;
  ssize_t n = 0;
  do {
    n = recvmsg(reader, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return std::nullopt;
  OwnedFd descriptor;
  os::take_descriptors(header, [&](OwnedFd fd) { descriptor = std::move(fd); });
  return descriptor;
}

// False at the end of the stream.
bool skip_answers(int writer) {
  char answers[1024];
  iovec part{answers, sizeof answers};
  // recv(2) would close descriptors that came along here and now, and a worker decides how long that takes.
  constexpr std::size_t max_descriptors = 253;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_descriptors)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n = 0;
  do {
    n = recvmsg(writer, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN;
  os::take_descriptors(message, [](const OwnedFd&) {});
  return n > 0;
}

}  // namespace

std::unique_ptr<ConnectionQueue> ConnectionQueue::create(Loop& loop, std::size_t window, Function<void()> on_progress) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return nullptr;
  // The worker may leave something in either that takes long to close.
  OwnedFd writer = OwnedFd::shared(ends[0]), reader = OwnedFd::shared(ends[1]);
  const int size = static_cast<int>(window * counted_per_message);
  setsockopt(writer.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  os::refuse_descriptors(writer.get());
  return std::unique_ptr<ConnectionQueue>(
      new ConnectionQueue(loop, std::move(writer), std::move(reader), std::move(on_progress)));
}

ConnectionQueue::ConnectionQueue(Loop& loop, OwnedFd writer, OwnedFd reader, Function<void()> on_progress)
    : writer_(std::move(writer)),
      reader_(std::move(reader)),
      on_progress_(std::move(on_progress)),
      watch_(loop, [this](std::uint32_t events) { handle_ready(events); }) {
  watch_.unref();
}

ConnectionQueue::Sent ConnectionQueue::send(core::QueueNumber listener, std::span<const int> connections) {
  Sent sent;
  iovec part{&listener, sizeof listener};
  while (sent.count < connections.size()) {
    const auto batch = connections.subspan(sent.count, std::min(max_batch, connections.size() - sent.count));
    std::array<mmsghdr, max_batch> messages{};
    std::array<Control, max_batch> controls;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      messages[i].msg_hdr.msg_iov = &part;
      messages[i].msg_hdr.msg_iovlen = 1;
      attach(messages[i].msg_hdr, controls[i], batch[i]);
    }
    int n = 0;
    do {
      n = batch.size() == 1
              ? (sendmsg(writer_.get(), &messages[0].msg_hdr, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 1)
              : sendmmsg(writer_.get(), messages.data(), static_cast<unsigned>(batch.size()), MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
      sent.error = errno;
      break;
    }
    sent.count += static_cast<std::size_t>(n);
  }
  sent_ += sent.count;
  return sent;
}

std::uint64_t ConnectionQueue::read() const {
  // One of which it has read a part is its own.
  return sent_ - std::min<std::uint64_t>(sent_, unread_bytes(reader_.get()) / sizeof(Message));
}

std::vector<OwnedFd> ConnectionQueue::drain() {
  std::vector<OwnedFd> unread;
  const std::size_t bytes = unread_bytes(reader_.get());
  if (const std::size_t rest = bytes % sizeof(Message); rest > 0) receive(reader_.get(), rest);
  for (std::size_t left = bytes / sizeof(Message); left > 0; --left) {
    auto message = receive(reader_.get(), sizeof(Message));
    // The worker was quicker.
    if (!message) break;
    unread.push_back(std::move(*message));
  }
  sent_ -= std::min<std::uint64_t>(sent_, unread.size());
  return unread;
}

void ConnectionQueue::await_room() {
  awaits_room_ = true;
  // If it fails, the dealer's next look finds the room.
  watch();
}

bool ConnectionQueue::ping() {
  const Message empty{};
  if (::send(writer_.get(), &empty, sizeof empty, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof empty) return false;
  ping_ = ++sent_;
  awaits_pong_ = true;
  return watch();
}

bool ConnectionQueue::watch() {
  const std::uint32_t events = (awaits_room_ ? EPOLLOUT : 0U) | (awaits_pong_ ? EPOLLIN : 0U);
  const bool watched = events != 0 && watch_.start(writer_.get(), events) == 0;
  if (!watched) watch_.stop();
  return watched;
}

void ConnectionQueue::handle_ready(std::uint32_t events) {
  if ((events & ~EPOLLOUT) != 0) {
    // It may answer an earlier ping. At the end of the stream there is no answer to wait for.
    awaits_pong_ = skip_answers(writer_.get()) && read() < ping_;
  }
  if ((events & ~EPOLLIN) != 0) awaits_room_ = false;
  watch();
  on_progress_();
}

}  // namespace muster::uv
