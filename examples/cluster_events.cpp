// What a primary hears of all its workers. The examples of the `online`, `listening` and `disconnect` events of cluster in
// Node's cluster manual. PORT (8000) and WORKERS in the environment change what it does.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/core.h>
#include <muster/muster.h>

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const char* port = std::getenv("PORT");
  const char* workers = std::getenv("WORKERS");

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  unsigned listening = 0;

  if (cluster.is_primary()) {
    const unsigned count = workers ? static_cast<unsigned>(std::stoul(workers)) : muster::available_parallelism();
    for (unsigned i = 0; i < count; ++i) cluster.fork();

    cluster.on_online([](muster::Worker worker) { fmt::print("worker #{} has answered\n", worker.id()); });
    cluster.on_listening([&, count](muster::Worker worker, const muster::Address& address) {
      fmt::print("worker #{} listens on {}:{}\n", worker.id(), address.address.value(), address.port.value());
      if (++listening == count) cluster.disconnect();
    });
    cluster.on_disconnect([](muster::Worker worker) { fmt::print("worker #{} has disconnected\n", worker.id()); });
  } else {
    auto server = muster::net::create_server(cluster, [](muster::net::Socket socket) { socket.end("hello\n"); });
    muster::ListenOptions options;
    options.port = port ? std::stoi(port) : 8000;
    options.host = "127.0.0.1";
    server.listen(options);
  }
  return loop.run();
}
