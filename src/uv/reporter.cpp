#include "uv/reporter.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/core.h>

#include "uv/socket.h"

namespace muster::uv {
namespace {

// Twice for each report: a loop that is late is seen sooner.
constexpr std::chrono::milliseconds interval(500);
constexpr std::uint64_t interval_ns = 500'000'000;

}  // namespace

OwnedFd Reporter::take_descriptor() {
  const char* text = std::getenv("MUSTER_REPORT_FD");
  const int number = text ? std::atoi(text) : -1;
  unsetenv("MUSTER_REPORT_FD");
  if (number <= STDERR_FILENO) return {};
  OwnedFd descriptor(number);
  set_non_blocking(number);
  set_close_on_exec(number);
  return descriptor;
}

Reporter::Reporter(Loop& loop, OwnedFd descriptor, const Counts& counts)
    : descriptor_(std::move(descriptor)), counts_(counts), timer_(loop, [this] { look(); }) {
  due_ = uv_hrtime() + interval_ns;
  timer_.start(interval, interval);
  timer_.unref();
  report();
}

void Reporter::look() {
  const std::uint64_t now = uv_hrtime();
  lag_ = std::max(lag_, now > due_ ? now - due_ : 0);
  due_ = now + interval_ns;
  if (std::exchange(every_other_, !every_other_)) report();
}

void Reporter::report() {
  const std::string line =
      fmt::format("{{\"connections\":{},\"accepted\":{},\"requests\":{},\"lag\":{:.1f}}}\n", counts_.connections,
                  counts_.accepted, counts_.requests, static_cast<double>(lag_) / 1e6);
  lag_ = 0;
  // One that is not read is not worth a wait: the next says the same and more.
  if (write(descriptor_.get(), line.data(), line.size()) < 0) return;
}

}  // namespace muster::uv
