// SPDX-License-Identifier: MIT
// A worker that sends back every message of its primary. The example of worker.send() in Node's cluster manual.

#include <cstdio>

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);

  if (cluster.is_primary()) {
    muster::Worker worker = cluster.fork();
    worker.on_message([worker](muster::Message& message) {
      fmt::print("the worker said: {}\n", message.data.as_string());
      worker.disconnect();
    });
    worker.send("hi there");
  } else {
    cluster.process().on_message([&](muster::Message& message) { cluster.process().send(message.data); });
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
