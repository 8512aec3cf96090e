// SPDX-License-Identifier: MIT
// Workers with different arguments, whose output the primary reads. The example of cluster.setupPrimary() in Node's cluster
// manual.

#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);

  if (cluster.is_primary()) {
    // Without `exec` a worker runs this program.
    muster::Settings settings;
    settings.args = std::vector<std::string>{"--use", "https"};
    settings.silent = true;
    cluster.setup_primary(settings);
    cluster.fork();

    // What is not set stays as it was: the next worker is silent too.
    muster::Settings changes;
    changes.args = std::vector<std::string>{"--use", "http"};
    cluster.setup_primary(changes);
    cluster.fork();

    for (auto& [id, worker] : cluster.workers()) {
      worker.process().stdout_stream().on_data(
          [id = id](std::string_view text) { fmt::print("worker {} said: {}", id, text); });
    }
  } else {
    fmt::print("I use {}\n", argv[2]);
    cluster.worker()->disconnect();
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
