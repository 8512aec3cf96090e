// SPDX-License-Identifier: MIT
// Asks a worker to leave, and kills it when a connection that never ends keeps it. The example of worker.disconnect() in
// Node's cluster manual. PORT (8000) in the environment changes where it listens, PATIENCE_MS (2000) how long it waits;
// with POLITE set the worker ends its connections when it is told of the shutdown.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int port = options::port();
  const int patience = options::number("PATIENCE_MS", 2000, 0, 3'600'000);

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  std::vector<muster::net::Socket> connections;
  muster::Timer timeout;

  if (cluster.is_primary()) {
    muster::Worker worker = cluster.fork();

    // The worker says so when it has a client: now it is worth seeing how it leaves.
    worker.on_message([&, worker](muster::Message&) {
      worker.send("shutdown");
      worker.disconnect();
      timeout = loop.set_timeout(std::chrono::milliseconds(patience), [worker] {
        fmt::print("worker does not leave: killing it\n");
        worker.kill();
      });
    });
    worker.on_disconnect([&] { timeout.cancel(); });
    worker.on_listening([](const muster::Address& address) { fmt::print("listening on {}\n", address.port.value()); });
    worker.on_exit([](muster::ExitStatus status) { fmt::print("worker exited: {}\n", status.to_string()); });
  } else {
    auto server = muster::net::create_server(cluster, [&](muster::net::Socket socket) {
      // Connections never end.
      socket.on_data([](std::string_view) {});
      connections.push_back(socket);
      cluster.process().send("a client is here");
    });
    server.listen(port);

    cluster.process().on_message([&](muster::Message& message) {
      if (message.data != "shutdown" || !std::getenv("POLITE")) return;
      // Initiate graceful close of any connections to server.
      for (auto& connection : connections) connection.end("goodbye\n");
    });
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
