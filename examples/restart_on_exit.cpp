// SPDX-License-Identifier: MIT
// Forks a new worker for each that dies. The example of the `exit` event in Node's cluster manual. A request for /crash
// ends the worker that gets it. PORT (8000) and WORKERS in the environment change what it does.

#include <cstdio>

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int port = options::port();

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);

  if (cluster.is_primary()) {
    cluster.on_exit([&](muster::Worker worker, muster::ExitStatus status) {
      // Whoever was asked to leave is not missed.
      if (worker.exited_after_disconnect() == true) return;
      fmt::print("worker {} died ({}). restarting...\n", worker.process().pid(), status.to_string());
      cluster.fork();
    });
    const int count = options::workers();
    for (int i = 0; i < count; ++i) cluster.fork();
  } else {
    auto server = muster::http::create_server(cluster, [](muster::http::Request& request, muster::http::Response& response) {
      if (request.url() == "/crash") std::abort();
      response.end("hello world\n");
    });
    server.listen(port);
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
