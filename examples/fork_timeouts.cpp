// Kills each worker that does not listen in time. The example of the `fork` event in Node's cluster manual. PORT (8000) and
// WORKERS in the environment change what it does, PATIENCE_MS (2000) how long it waits; with MUTE set no worker listens.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include <fmt/core.h>
#include <muster/muster.h>

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const char* port = std::getenv("PORT");
  const char* workers = std::getenv("WORKERS");
  const char* patience = std::getenv("PATIENCE_MS");

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  std::map<int, muster::Timer> timeouts;

  if (cluster.is_primary()) {
    cluster.on_fork([&](muster::Worker worker) {
      const std::chrono::milliseconds time(patience ? std::stoi(patience) : 2000);
      timeouts[worker.id()] = loop.set_timeout(time, [worker]() mutable {
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

    const unsigned count = workers ? static_cast<unsigned>(std::stoul(workers)) : muster::available_parallelism();
    for (unsigned i = 0; i < count; ++i) cluster.fork();
  } else if (!std::getenv("MUTE")) {
    auto server = muster::net::create_server(cluster, [](muster::net::Socket socket) { socket.end("hello\n"); });
    server.listen(port ? std::stoi(port) : 8000);
  }
  return loop.run();
}
