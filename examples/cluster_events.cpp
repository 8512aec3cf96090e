// SPDX-License-Identifier: MIT
// What a primary hears of all its workers. The examples of the `online`, `listening` and `disconnect` events of cluster in
// Node's cluster manual. PORT (8000) and WORKERS in the environment change what it does.

#include <cstdio>

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int port = options::port();

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  int listening = 0;

  if (cluster.is_primary()) {
    const int count = options::workers();
    for (int i = 0; i < count; ++i) cluster.fork();

    cluster.on_online([](muster::Worker worker) { fmt::print("worker #{} has answered\n", worker.id()); });
    cluster.on_listening([&, count](muster::Worker worker, const muster::Address& address) {
      fmt::print("worker #{} listens on {}:{}\n", worker.id(), address.address.value(), address.port.value());
      if (++listening == count) cluster.disconnect();
    });
    cluster.on_disconnect([](muster::Worker worker) { fmt::print("worker #{} has disconnected\n", worker.id()); });
  } else {
    auto server = muster::net::create_server(cluster, [](muster::net::Socket socket) { socket.end("hello\n"); });
    muster::ListenOptions options;
    options.port = port;
    options.host = "127.0.0.1";
    server.listen(options);
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
