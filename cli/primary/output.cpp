#include "primary/output.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace muster::cli {
namespace {

constexpr std::size_t most_kept = 4 << 20;
constexpr std::chrono::milliseconds try_again_after(10);
constexpr int a_moment_ms = 1000;

}  // namespace

Output::~Output() {
  again_.cancel();
  flush(Wait::a_moment);
}

bool Output::write(std::string_view text) {
  if (kept_.size() - written_ + text.size() > most_kept) return false;
  kept_ += text;
  return waiting_ || flush(Wait::no);
}

bool Output::flush(Wait wait) {
  while (written_ < kept_.size()) {
    pollfd ready{descriptor_, POLLOUT, 0};
    if (poll(&ready, 1, wait == Wait::a_moment ? a_moment_ms : 0) <= 0) {
      if (wait == Wait::a_moment) return false;
      waiting_ = true;
      again_ = loop_.set_timeout(try_again_after, [this] {
        waiting_ = false;
        flush(Wait::no);
      });
      again_.unref();
      return true;
    }
    // A pipe that has room has room for so much, without a wait.
    const std::size_t part = std::min<std::size_t>(kept_.size() - written_, PIPE_BUF);
    const ssize_t size = ::write(descriptor_, kept_.data() + written_, part);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size <= 0) {
      kept_.clear();
      written_ = 0;
      return false;
    }
    written_ += static_cast<std::size_t>(size);
  }
  kept_.clear();
  written_ = 0;
  return true;
}

}  // namespace muster::cli
