#pragma once

#include <cstdint>

#include "kernel/fd.h"
#include "uv/timer.h"

namespace muster::uv {

// What a worker has had to do.
struct Counts {
  std::uint64_t connections = 0;  // open now
  std::uint64_t accepted = 0;
  std::uint64_t requests = 0;
};

// Tells a supervisor once a second how this worker is, on the descriptor that MUSTER_REPORT_FD names: a line of JSON, as
// docs/protocol.md has it. Does not keep the loop alive.
class Reporter {
 public:
  // Both outlive it.
  Reporter(Loop& loop, OwnedFd descriptor, const Counts& counts);

  // The descriptor that the environment names, which is taken out of it: what this process starts is no worker. Empty when it
  // names none.
  static OwnedFd take_descriptor();

 private:
  void look();
  void report();

  OwnedFd descriptor_;
  const Counts& counts_;
  Timer timer_;
  std::uint64_t due_ = 0;  // in nanoseconds, when the timer should run
  std::uint64_t lag_ = 0;  // the worst since the last report
  bool every_other_ = false;
};

}  // namespace muster::uv
