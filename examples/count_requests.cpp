// SPDX-License-Identifier: MIT
// Counts in the primary the HTTP requests that the workers received: they send a message for each. The example of the
// `message` event in Node's cluster manual. PORT (8000) and WORKERS in the environment change what it does.

#include <chrono>
#include <cstdio>

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int port = options::port();

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  int requests = 0;

  if (cluster.is_primary()) {
    // Keep track of HTTP requests.
    loop.set_interval(std::chrono::seconds(1), [&] { fmt::print("requests = {}\n", requests); });

    const int count = options::workers();
    for (int i = 0; i < count; ++i) cluster.fork();

    for (auto& [id, worker] : cluster.workers()) {
      worker.on_message([&](muster::Message& message) {
        if (message.data["cmd"] == "notifyRequest") ++requests;
      });
    }
  } else {
    auto server = muster::http::create_server(cluster, [&](auto&, muster::http::Response& response) {
      response.end("hello world\n");

      // Notify the primary about the request.
      cluster.process().send({{"cmd", "notifyRequest"}});
    });
    server.listen(port);
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
