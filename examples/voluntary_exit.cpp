// SPDX-License-Identifier: MIT
// Tells who left because it was asked to from who is missed. The example of worker.exitedAfterDisconnect in Node's cluster
// manual.

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);

  if (cluster.is_primary()) {
    cluster.on_exit([](muster::Worker worker, muster::ExitStatus) {
      if (worker.exited_after_disconnect() == true) {
        fmt::print("worker {} left as it was asked to\n", worker.id());
      } else {
        fmt::print("worker {} is missed\n", worker.id());
      }
    });

    muster::Worker first = cluster.fork();
    muster::Worker second = cluster.fork();
    muster::Worker third = cluster.fork();
    first.disconnect();
    // From here kill() sends a signal and nothing else: a worker cannot agree to that.
    second.kill();
    third.send("kill yourself");
  } else {
    // In the worker kill() tells the primary first, so that it counts as voluntary.
    cluster.process().on_message([&](muster::Message&) { cluster.worker()->kill(); });
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
