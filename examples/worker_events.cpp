// SPDX-License-Identifier: MIT
// What a primary hears of one worker's life. The examples of the `online`, `listening` and `disconnect` events of Worker in
// Node's cluster manual. PORT (8000) in the environment changes where it listens.

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  const int port = options::port();

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);

  if (cluster.is_primary()) {
    muster::Worker worker = cluster.fork();
    worker.on_online([] { fmt::print("the worker is online\n"); });
    worker.on_listening([worker](const muster::Address& address) {
      fmt::print("the worker listens on port {}\n", address.port.value());
      worker.disconnect();
    });
    worker.on_disconnect([] { fmt::print("the worker has disconnected\n"); });
  } else {
    auto server = muster::net::create_server(cluster, [](muster::net::Socket socket) { socket.end("hello\n"); });
    server.listen(port);
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
