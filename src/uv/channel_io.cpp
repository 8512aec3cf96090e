// SPDX-License-Identifier: MIT
#include "uv/channel_io.h"

#include <sys/epoll.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "os/close_shared.h"
#include "os/received.h"

namespace muster::uv {
namespace {

// What the system sends at most with one message (SCM_MAX_FD).
constexpr std::size_t max_descriptors = 253;
constexpr std::size_t max_pieces = 64;
constexpr int reads_per_turn = 16;
constexpr std::chrono::milliseconds pause_after_error(20);
// While more than max_unclosed descriptors wait to be closed, a peer that brings max_brought more loses its channel.
constexpr std::size_t max_unclosed = 1024, max_brought = 256;
// The limit on what is read of an ended peer when the system does not say how much is queued.
constexpr std::size_t max_rest = std::size_t{1} << 20;

// A byte out of band, which nobody sends but to keep us awake: the socket counts as readable, and a plain read finds nothing.
void skip_urgent(int socket) {
  char byte = 0;
  recv(socket, &byte, 1, MSG_OOB | MSG_DONTWAIT);
}

}  // namespace

ChannelIo::ChannelIo(Loop& loop, FdTable& fds, OwnedFd socket, core::Channel channel, Handler handler)
    : loop_(loop),
      fds_(fds),
      socket_(std::move(socket)),
      channel_(std::move(channel)),
      handler_(std::move(handler)),
      watch_(loop, [this](std::uint32_t events) { handle_ready(events); }) {
  watch();
}

ChannelIo::~ChannelIo() {
  loop_.forget(*this);
  write_out();
  close();
}

void ChannelIo::watch() {
  const std::uint32_t events = (decoding_ ? 0U : EPOLLIN) | (wants_write_ ? EPOLLOUT : 0U);
  // Its end would be told of without being asked for.
  if (events == 0) return watch_.stop();
  if (const int error = watch_.start(socket_.get(), events); error != 0) fail_later(error);
}

void ChannelIo::pause() {
  watch_.stop();
  pause_ = std::make_unique<Timer>(loop_, [this] {
    wants_write_ = false;
    watch();
    flush();
  });
  pause_->start(pause_after_error);
}

void ChannelIo::fail_later(int error_number) {
  if (std::exchange(broken_, true)) return;
  loop_.next_tick([this, alive = std::weak_ptr(self_), error_number] {
    if (!alive.lock() || !socket_) return;
    read_all([this, error_number] {
      if (!socket_) return;
      channel_.handle_failure(std::error_code(error_number, std::generic_category()));
      pump();
    });
  });
}

void ChannelIo::handle_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) && wants_write_) {
    wants_write_ = false;
    flush();
    if (socket_ && !wants_write_) watch();
  }
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  for (int i = 0; i < reads_per_turn && socket_ && !decoding_ && read_once() == loop_.scratch().size(); ++i) {
  }
}

void ChannelIo::read_all(Function<void()> done) {
  when_read_.push_back(std::move(done));
  // Only what is queued now: a process that the peer left behind may keep writing.
  int unread = 0;
  rest_ = socket_ && ioctl(socket_.get(), SIOCINQ, &unread) == 0 ? static_cast<std::size_t>(unread) : max_rest;
  read_rest();
}

void ChannelIo::read_rest() {
  while (socket_ && !decoding_) {
    // One read more than that finds the end of the stream.
    const std::size_t size = read_once();
    if (size == 0 || size > rest_) break;
    rest_ -= size;
  }
  if (decoding_) return;
  for (auto& done : std::exchange(when_read_, {})) done();
}

void ChannelIo::decode_apart(core::FrameReader::Kept frame) {
  decoding_ = true;
  watch();
  auto packet = std::make_shared<core::Reading<core::wire::Packet>>();
  auto kept = std::make_shared<core::FrameReader::Kept>(std::move(frame));
  const auto decode = [packet, kept, decoding = channel_.decoding()] {
    *packet = decoding.decode(kept->bytes());
    *kept = {};
  };
  loop_.run_in_thread(decode, [this, alive = std::weak_ptr(self_), packet, decode](int error) {
    if (!alive.lock()) return;
    // Without a thread everybody waits.
    if (error != 0) decode();
    decoding_ = false;
    if (socket_) {
      channel_.handle_decoded(std::move(*packet));
      pump();
    }
    if (socket_) watch();
    if (!when_read_.empty()) read_rest();
  });
}

std::size_t ChannelIo::read_once() {
  auto& buffer = loop_.scratch();
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_descriptors)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n = 0;
  do {
    n = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    skip_urgent(socket_.get());
    return 0;
  }
  if (n < 0 && (errno == ENOMEM || errno == ENOBUFS)) {
    pause();
    return 0;
  }

  std::array<core::FdToken, max_descriptors> descriptors;  // not initialised: most messages bring none
  std::size_t count = 0;
  if (n > 0) {
    os::take_descriptors(message, [&](OwnedFd fd) {
      if (count < descriptors.size()) descriptors[count++] = fds_.add(std::move(fd));
    });
  }
  if (count > 0 && os::count_unclosed() > max_unclosed) {
    brought_ += count;
  } else {
    brought_ = 0;
  }
  if (n <= 0) {
    // A reset is an end like any other: the peer closed with something of ours unread.
    channel_.handle_end();
  } else {
    channel_.handle_bytes({buffer.data(), static_cast<std::size_t>(n)}, {descriptors.data(), count});
    // A peer whose descriptors are slow to close would use up this process's.
    if (brought_ > max_brought) channel_.handle_failure(std::make_error_code(std::errc::too_many_files_open));
  }
  pump();
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

core::Channel::SendResult ChannelIo::send(core::Channel::Outgoing&& message) {
  const auto result = channel_.send(std::move(message));
  // Where there was no room it may have failed, which its owner hears of then too.
  if (channel_.has_output() || result == core::Channel::SendResult::full) loop_.at_end_of_turn(*this);
  start_timers();
  return result;
}

void ChannelIo::offer(std::uint64_t first, std::vector<core::FdToken> connections, std::string_view key) {
  channel_.offer(first, std::move(connections), key);
  loop_.at_end_of_turn(*this);
}

void ChannelIo::start_timers() {
  for (const auto timer : core::Channel::timers) {
    auto& started = timers_[static_cast<std::size_t>(timer)];
    const auto after = started ? std::nullopt : channel_.timeout(timer);
    if (!after) continue;
    started = std::make_unique<Timer>(loop_, [this, timer] { handle_timeout(timer); });
    // A process that has nothing else to do need not wait for an acknowledgement.
    if (timer == core::Channel::Timer::acknowledgement) started->unref();
    started->start(std::chrono::milliseconds(*after), std::chrono::milliseconds(*after));
  }
}

void ChannelIo::handle_timeout(core::Channel::Timer timer) {
  channel_.handle_timeout(timer);
  if (!channel_.timeout(timer)) timers_[static_cast<std::size_t>(timer)].reset();
  pump();
}

bool ChannelIo::disconnect() {
  if (!channel_.disconnect()) return false;
  pump();
  if (socket_) start_timers();
  return true;
}

void ChannelIo::flush() {
  write_out();
  pump();
}

void ChannelIo::write_out() {
  std::array<std::string_view, max_pieces> pieces;
  while (socket_ && !wants_write_ && !broken_ && channel_.has_output()) {
    const core::Channel::Output output = channel_.output(pieces);
    std::array<iovec, max_pieces> parts;
    for (std::size_t i = 0; i < output.pieces; ++i) parts[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = output.pieces;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_descriptors)];
    if (!output.descriptors.empty() && !attach(output.descriptors, message, control)) continue;
    // The plain call is the quicker one.
    const bool plain = output.pieces == 1 && output.descriptors.empty();
    ssize_t n = 0;
    do {
      n = plain ? ::send(socket_.get(), pieces[0].data(), pieces[0].size(), MSG_NOSIGNAL | MSG_DONTWAIT)
                : sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
      channel_.handle_written(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wants_write_ = true;
      watch();
    } else if (errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM) {
      // There is room in the socket, so that it would be called writable at once.
      wants_write_ = true;
      pause();
    } else {
      fail_later(errno);
    }
  }
}

bool ChannelIo::attach(std::span<const core::FdToken> descriptors, msghdr& message, char* control) {
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    const int fd = fds_.get(descriptors[i]);
    if (fd < 0) {
      channel_.handle_descriptor_gone(descriptors[i]);
      return false;
    }
    std::memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof fd);
  }
  return true;
}

void ChannelIo::pump() {
  while (auto event = channel_.poll_event()) {
    if (const auto* released = std::get_if<core::Channel::Released>(&*event)) {
      fds_.close(released->descriptor);
      continue;
    }
    const bool closed = std::holds_alternative<core::Channel::Closed>(*event);
    if (closed) close();
    handler_(*event);
    if (closed) return;
  }
  if (socket_ && !broken_ && !wants_write_ && channel_.has_output()) loop_.at_end_of_turn(*this);
  if (auto undecoded = channel_.take_undecoded(); undecoded && socket_) decode_apart(std::move(*undecoded));
}

void ChannelIo::close() {
  watch_.stop();
  for (auto& timer : timers_) timer.reset();
  pause_.reset();
  // Tells the peer at once: close() may be left to a thread that is busy with another socket.
  shutdown(socket_.get(), SHUT_RDWR);
  socket_.reset();
}

}  // namespace muster::uv
