// SPDX-License-Identifier: MIT
#include "uv/reporter.h"

#include <unistd.h>

#include <cstdio>
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "uv/socket.h"

namespace muster::uv {
namespace {

int take_number(const char* variable) {
  const char* text = std::getenv(variable);
  const int number = text ? std::atoi(text) : -1;
  unsetenv(variable);
  return number;
}

std::uint64_t now_ns() { return static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now().time_since_epoch()).count()); }

}  // namespace

std::optional<Reporter::Request> Reporter::take_request() {
  const int number = take_number("MUSTER_REPORT_FD"), every = take_number("MUSTER_REPORT_EVERY");
  if (number <= STDERR_FILENO) return std::nullopt;
  set_non_blocking(number);
  set_close_on_exec(number);
  return Request{OwnedFd(number), std::chrono::milliseconds(every > 1 ? every : 1000)};
}

Reporter::Reporter(Loop& loop, Request request, const Counts& counts)
    : descriptor_(std::move(request.descriptor)),
      counts_(counts),
      timer_(loop, [this] { look(); }),
      interval_(static_cast<std::uint64_t>(request.every.count()) * 1'000'000 / 2) {
  due_ = now_ns() + interval_;
  // Twice for each report: a loop that is late is seen sooner.
  const auto interval = request.every / 2;
  timer_.start(interval, interval);
  timer_.unref();
  report();
}

void Reporter::look() {
  const std::uint64_t now = now_ns();
  lag_ = std::max(lag_, now > due_ ? now - due_ : 0);
  due_ = now + interval_;
  if (std::exchange(every_other_, !every_other_)) report();
}

void Reporter::report() {
  char line[160];
  const auto tenths = static_cast<unsigned long long>(lag_ + 50'000) / 100'000;
  const int size =
      std::snprintf(line, sizeof line,
                    R"({"connections":%llu,"accepted":%llu,"requests":%llu,"lag":%llu.%llu})"
                    "\n",
                    static_cast<unsigned long long>(counts_.connections), static_cast<unsigned long long>(counts_.accepted),
                    static_cast<unsigned long long>(counts_.requests), tenths / 10, tenths % 10);
  lag_ = 0;
  // One that is not read is not worth a wait: the next says the same and more.
  if (write(descriptor_.get(), line, static_cast<std::size_t>(size)) < 0) return;
}

}  // namespace muster::uv
