// SPDX-License-Identifier: MIT
#include "primary/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>

#include "terminal_write.h"

namespace muster::cli {
namespace {

constexpr std::size_t max_kept = 4 << 20;
constexpr std::size_t compact_at = 1 << 20;
constexpr std::chrono::milliseconds try_again_after(10);
constexpr std::chrono::milliseconds a_moment(1000);

}  // namespace

Output::Output(Loop& loop, int descriptor) : loop_(loop), descriptor_(descriptor) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return;
  is_socket_ = S_ISSOCK(status.st_mode);
  if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)) return;
  // Opened again, so that it alone does not block. POLLOUT is no promise: a terminal that has room may block all the same, and
  // others may fill a pipe before this one writes.
  own_ = OwnedFd(open(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (own_) descriptor_ = own_.get();
}

Output::~Output() {
  again_.cancel();
  flush(Wait::a_moment);
}

Output::Written Output::write(std::string_view text) {
  if (kept_.size() - written_ + text.size() > max_kept) return Written::full;
  kept_ += text;
  if (waiting_ || flush(Wait::no)) return Written::yes;
  // Of this the caller knows.
  lost_ -= std::min<std::size_t>(lost_, static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));
  return Written::gone;
}

void Output::give_up() {
  lost_ += static_cast<std::size_t>(std::count(kept_.begin() + static_cast<std::ptrdiff_t>(written_), kept_.end(), '\n'));
  kept_.clear();
  written_ = 0;
}

bool Output::flush(Wait wait) {
  const TerminalWrite in_background;
  const auto until = std::chrono::steady_clock::now() + (wait == Wait::a_moment ? a_moment : std::chrono::milliseconds(0));
  while (written_ < kept_.size()) {
    // One moment for all of it: a reader may take a little at a time.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd ready{descriptor_, POLLOUT, 0};
    if (poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) <= 0) return wait == Wait::no && try_again();
    // A pipe that has room has room for so much, without a wait.
    const std::size_t part = std::min<std::size_t>(kept_.size() - written_, PIPE_BUF);
    const ssize_t size = is_socket_ ? ::send(descriptor_, kept_.data() + written_, part, MSG_DONTWAIT | MSG_NOSIGNAL)
                                    : ::write(descriptor_, kept_.data() + written_, part);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return wait == Wait::no && try_again();
    if (size <= 0) {
      give_up();
      return false;
    }
    written_ += static_cast<std::size_t>(size);
  }
  kept_.clear();
  written_ = 0;
  return true;
}

bool Output::try_again() {
  // A reader who is always behind must not make us keep what it has read.
  if (written_ >= compact_at) {
    kept_.erase(0, written_);
    written_ = 0;
  }
  waiting_ = true;
  again_ = loop_.set_timeout(try_again_after, [this] {
    waiting_ = false;
    flush(Wait::no);
  });
  again_.unref();
  return true;
}

}  // namespace muster::cli
