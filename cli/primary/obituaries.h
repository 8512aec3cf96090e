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

// What ended the workers of an app: the last of them in detail, all by their causes.
class Obituaries {
 public:
  // Of a worker that has ended; `process` is null when there never was one.
  const Obituary& write(const WorkerEnd& end, const WorkerProcess* process);

  // Newest first.
  const std::deque<Obituary>& latest() const { return latest_; }
  const std::map<std::string, unsigned>& ended() const { return ended_; }
  // Of the worker that ended last.
  std::vector<std::string> last_words() const;

 private:
  std::deque<Obituary> latest_;
  std::map<std::string, unsigned> ended_;
};

}  // namespace muster::cli
