// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include <muster/supervisor.h>

#include "primary/worker_process.h"
#include "status.h"

namespace muster::cli {

// How the workers of an app ended: the latest in detail, all of them counted by cause.
class Obituaries {
 public:
  // Records the end of a worker. `process` is null when it never started.
  const Obituary& write(const WorkerEnd& end, const WorkerProcess* process);

  // Newest first.
  const std::deque<Obituary>& latest() const { return latest_; }
  const std::map<std::string, unsigned>& ended() const { return ended_; }
  // Of the worker that ended most recently.
  std::vector<std::string> last_words() const;

 private:
  std::deque<Obituary> latest_;
  std::map<std::string, unsigned> ended_;
};

}  // namespace muster::cli
