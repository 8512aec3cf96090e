// SPDX-License-Identifier: MIT
// Tells all workers the same. The example of cluster.workers in Node's cluster manual. WORKERS in the environment changes how
// many there are.

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);

  if (cluster.is_primary()) {
    const int count = options::workers();
    for (int i = 0; i < count; ++i) cluster.fork();

    // What is sent to a worker that is not online yet waits for it.
    for (auto& [id, worker] : cluster.workers()) worker.send("we close at six");
  } else {
    cluster.process().on_message([&](muster::Message& message) {
      fmt::print("worker {} heard: {}\n", cluster.worker()->id(), message.data.as_string());
      cluster.worker()->disconnect();
    });
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
