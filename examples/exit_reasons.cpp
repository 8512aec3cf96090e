// SPDX-License-Identifier: MIT
// Three workers that end in three ways, and what their primary hears. The example of the `exit` event of Worker in Node's
// cluster manual.

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);

  if (cluster.is_primary()) {
    for (const char* ending : {"signal", "error", "success"}) {
      muster::Worker worker = cluster.fork();
      worker.on_exit([](muster::ExitStatus status) {
        if (status.signal()) {
          fmt::print("a worker was killed by signal: {}\n", status.signal()->name());
        } else if (!status.success()) {
          fmt::print("a worker exited with error code: {}\n", status.code().value());
        } else {
          fmt::print("a worker succeeded\n");
        }
      });
      worker.send(ending);
    }
  } else {
    cluster.process().on_message([&](muster::Message& message) {
      if (message.data == "signal") {
        cluster.process().kill(muster::Signal::hup);
      } else {
        loop.stop(message.data == "error" ? 3 : 0);
      }
    });
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
