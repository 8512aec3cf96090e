// SPDX-License-Identifier: MIT
// Kills each worker that does not listen in time. The example of the `fork` event in Node's cluster manual. PORT (8000) and
// WORKERS in the environment change what it does, PATIENCE_MS (2000) how long it waits; with MUTE set no worker listens.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int port = options::port();
  const int patience = options::number("PATIENCE_MS", 2000, 0, 3'600'000);

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  std::map<int, muster::Timer> timeouts;

  if (cluster.is_primary()) {
    cluster.on_fork([&](muster::Worker worker) {
      const std::chrono::milliseconds time(patience);
      timeouts[worker.id()] = loop.set_timeout(time, [worker] {
        fmt::print("worker {} does not listen: killing it\n", worker.id());
        worker.kill();
      });
    });
    cluster.on_listening([&](muster::Worker worker, const muster::Address&) {
      timeouts[worker.id()].cancel();
      fmt::print("worker {} listens in time\n", worker.id());
      worker.disconnect();
    });
    cluster.on_exit([&](muster::Worker worker, muster::ExitStatus status) {
      timeouts[worker.id()].cancel();
      fmt::print("worker {} has ended: {}\n", worker.id(), status.to_string());
    });

    const int count = options::workers();
    for (int i = 0; i < count; ++i) cluster.fork();
  } else if (!std::getenv("MUTE")) {
    auto server = muster::net::create_server(cluster, [](muster::net::Socket socket) { socket.end("hello\n"); });
    server.listen(port);
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
