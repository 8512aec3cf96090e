// SPDX-License-Identifier: MIT
// The first example of Node's cluster manual: workers that share one port and answer "hello world".
// PORT (8000) and WORKERS (one for each processor) in the environment change what it does.

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

    // Fork workers.
    const int count = options::workers();
    for (int i = 0; i < count; ++i) cluster.fork();

    cluster.on_listening(muster::once([count](muster::Worker, const muster::Address& address) {
      fmt::print("http://localhost:{}/ is served by {} {}\n", address.port.value_or(0), count,
                 count == 1 ? "worker" : "workers");
    }));
    cluster.on_exit([](muster::Worker worker, muster::ExitStatus) { fmt::print("worker {} died\n", worker.process().pid()); });

    // A worker that cannot listen says why; the others could not either.
    cluster.on_message(muster::once([&](muster::Worker, muster::Message& message) {
      fmt::print(stderr, "hello_http: {}\n", message.data.as_string());
      loop.stop(1);
    }));
  } else {
    // Workers can share any TCP connection. In this case it is an HTTP server.
    auto server = muster::http::create_server(cluster, [](auto&, muster::http::Response& response) {
      response.write_head(200);
      response.end("hello world\n");
    });
    server.on_error([&](const muster::Error& error) {
      cluster.process().send(fmt::format("cannot listen on *:{}: {} ({})", error.port.value_or(0), error.code.message(),
                                         muster::error_name(error.code)));
    });
    server.listen(port);

    fmt::print("Worker {} started\n", cluster.process().pid());
  }
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
