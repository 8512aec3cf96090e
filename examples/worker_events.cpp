// What a primary hears of one worker's life. The examples of the `online`, `listening` and `disconnect` events of Worker in
// Node's cluster manual. PORT (8000) in the environment changes where it listens.

#include <cstdlib>
#include <string>

#include <fmt/core.h>
#include <muster/muster.h>

int main(int argc, char** argv) {
  const char* port = std::getenv("PORT");

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);

  if (cluster.is_primary()) {
    muster::Worker worker = cluster.fork();
    worker.on_online([] { fmt::print("the worker is online\n"); });
    worker.on_listening([worker](const muster::Address& address) mutable {
      fmt::print("the worker listens on port {}\n", address.port.value());
      worker.disconnect();
    });
    worker.on_disconnect([] { fmt::print("the worker has disconnected\n"); });
  } else {
    auto server = muster::net::create_server(cluster, [](muster::net::Socket socket) { socket.end("hello\n"); });
    server.listen(port ? std::stoi(port) : 8000);
  }
  return loop.run();
}
