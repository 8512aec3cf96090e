// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "os/fd.h"
#include "uv/timer.h"

namespace muster::uv {

// What a worker has had to do.
struct Counts {
  std::uint64_t connections = 0;  // open now
  std::uint64_t accepted = 0;
  std::uint64_t requests = 0;
};

// Tells a supervisor how this worker is, again and again, as docs/protocol.md has it. Does not keep the loop alive.
class Reporter {
 public:
  // Where, and how often.
  struct Request {
    OwnedFd descriptor;
    std::chrono::milliseconds every;
  };

  // The loop and the counts outlive it.
  Reporter(Loop& loop, Request request, const Counts& counts);

  // What the environment asks for (MUSTER_REPORT_FD, MUSTER_REPORT_EVERY), which is taken out of it: what this process starts
  // is no worker.
  static std::optional<Request> take_request();

 private:
  void look();
  void report();

  OwnedFd descriptor_;
  const Counts& counts_;
  Timer timer_;
  const std::uint64_t interval_;  // in nanoseconds, of the timer
  std::uint64_t due_ = 0;         // when it should run
  std::uint64_t lag_ = 0;         // the worst since the last report
  bool every_other_ = false;
};

}  // namespace muster::uv
