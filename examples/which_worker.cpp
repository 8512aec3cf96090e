// SPDX-License-Identifier: MIT
// Each process says who it is. The example of cluster.worker in Node's cluster manual.

#include <cstdio>

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);

  if (cluster.is_primary()) {
    fmt::print("I am primary\n");
    cluster.fork();
    cluster.fork();
  } else {
    fmt::print("I am worker #{}\n", cluster.worker()->id());
    // Otherwise it would wait for messages, and its primary for it.
    cluster.worker()->disconnect();
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
