// SPDX-License-Identifier: MIT
#include "api/drain.h"

namespace muster::detail {

void drain_worker(const Worker& worker, std::chrono::milliseconds timeout) {
  if (!worker.is_online()) return worker.kill(Signal::term);
  // For a Node worker with our module: it finishes what it has first. Nobody else takes notice.
  worker.send(Value{{"cmd", "NODE_MUSTER_DRAIN"}, {"timeout", static_cast<double>(timeout.count())}}, [](std::error_code) {});
  worker.disconnect();
}

}  // namespace muster::detail
