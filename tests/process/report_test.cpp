// SPDX-License-Identifier: MIT
// What a worker tells of itself, where a supervisor asks it to.

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

WORKER(Reporting) {
  // Nothing that it starts would find it.
  if (std::getenv("MUSTER_REPORT_FD")) return 1;
  auto server = http::create_server(cluster, [](http::Request&, http::Response& response) { response.end("ok"); });
  server.listen(0);
  return loop.run();
}

TEST(Report, TellsWhatAWorkerHasOpenAndHasDone) {
  Primary primary;
  primary.cluster.setup_primary({.stdio = Stdio{{StdioEntry::Kind::inherit},
                                                {StdioEntry::Kind::inherit},
                                                {StdioEntry::Kind::inherit},
                                                {StdioEntry::Kind::ipc},
                                                {StdioEntry::Kind::pipe}}});
  std::string reports;
  int port = 0;
  net::Socket client;
  Worker worker = primary.cluster.fork(test::worker("Reporting", {{"MUSTER_REPORT_FD", "4"}}));
  net::Socket pipe = worker.process().stdio(4);
  bool asked = false;
  const auto ask = [&] {
    if (asked || port == 0 || reports.empty()) return;
    asked = true;
    client = net::connect(primary.loop, port);
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  };
  pipe.on_data([&](std::string_view bytes) {
    reports += bytes;
    ask();
    if (reports.find(R"({"connections":1,"accepted":1,"requests":2,"lag":)") != std::string::npos) {
      client.destroy();
      primary.finish();
    }
  });
  worker.on_listening([&](const Address& address) {
    port = address.port.value_or(0);
    ask();
  });
  primary.run();

  EXPECT_FALSE(primary.gave_up) << reports;
  EXPECT_EQ(reports.substr(0, reports.find('\n')), R"({"connections":0,"accepted":0,"requests":0,"lag":0.0})");
}

}  // namespace
}  // namespace muster::test
