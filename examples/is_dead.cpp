// SPDX-License-Identifier: MIT
// Workers that answer one request, with the number of their process, and kill themselves. The example of worker.isDead() in
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

  if (cluster.is_primary()) {
    fmt::print("Primary {} is running\n", cluster.process().pid());

    const int count = options::workers();
    for (int i = 0; i < count; ++i) cluster.fork();

    cluster.on_fork([](muster::Worker worker) { fmt::print("worker is dead: {}\n", worker.is_dead()); });
    cluster.on_exit([](muster::Worker worker, muster::ExitStatus) { fmt::print("worker is dead: {}\n", worker.is_dead()); });
  } else {
    auto server = muster::http::create_server(cluster, [&](auto&, muster::http::Response& response) {
      // Not before the answer is on its way.
      response.on_finish([&] { cluster.process().kill(); });
      response.end(fmt::format("Current process\n {}\n", cluster.process().pid()));
    });
    server.listen(port);
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
