// SPDX-License-Identifier: MIT
// Ports that outlive the workers that listen on them, and workers that leave without losing a request.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// Says its id, on the port it was told, or on any.
WORKER(Answering) {
  const char* port = std::getenv("ANSWER_ON");
  auto server = http::create_server(
      cluster, [&cluster](http::Request&, http::Response& response) { response.end(std::to_string(cluster.worker()->id())); });
  server.listen(port ? std::atoi(port) : 0);
  cluster.process().on_message([&cluster](Message& message) { cluster.process().send(std::move(message.data)); });
  return loop.run();
}

// Runs `then` with the port when the worker listens.
void when_listening(Worker worker, Function<void(int)> then) {
  worker.on_listening(once([then = std::make_shared<Function<void(int)>>(std::move(then))](const Address& address) {
    (*then)(address.port.value_or(0));
  }));
}

Handle listening_socket(int& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(fd, 16), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return {HandleType::server, fd};
}

TEST(KeptPorts, LetClientsWaitForTheNextWorker) {
  Primary primary;
  primary.cluster.keep_ports();
  std::string answer;
  Worker first = primary.cluster.fork(worker("Answering"));
  when_listening(first, [&](int port) {
    first.process().kill(Signal::kill);
    first.on_exit([&, port](ExitStatus) {
      // Nobody is there to accept it.
      http_get(primary.loop, port, [&](const std::string& response) {
        answer = body_of(response);
        primary.finish();
      });
      primary.cluster.fork(worker("Answering"));
    });
  });
  primary.run();
  EXPECT_EQ(answer, "2");
}

TEST(KeptPorts, AreClosedWhenNobodyUsesThemAndTheyAreReleased) {
  Primary primary;
  primary.cluster.keep_ports();
  std::string response = "none";
  Worker first = primary.cluster.fork(worker("Answering"));
  when_listening(first, [&](int port) {
    primary.cluster.release_unused_ports();  // it is in use
    first.disconnect();
    first.on_exit([&, port](ExitStatus) {
      EXPECT_EQ(primary.cluster.kept_ports().size(), 1U);
      primary.cluster.release_unused_ports();
      http_get(primary.loop, port, [&](const std::string& text) {
        response = text;
        primary.finish();
      });
    });
  });
  primary.run();
  EXPECT_EQ(response, "");
}

TEST(KeptPorts, AreTakenFromSomebodyElseByTheirAddress) {
  Primary primary;
  int port = 0;
  primary.cluster.adopt({"what systemd calls it", listening_socket(port)});
  std::string answer;
  when_listening(primary.cluster.fork(worker("Answering", {{"ANSWER_ON", std::to_string(port)}})), [&](int listening) {
    EXPECT_EQ(listening, port);
    http_get(primary.loop, port, [&](const std::string& response) {
      answer = body_of(response);
      primary.finish();
    });
  });
  primary.run();
  EXPECT_EQ(answer, "1");
}

TEST(KeptPorts, CannotBeAdoptedWithoutADescriptor) {
  Primary primary;
  EXPECT_THROW(primary.cluster.adopt({"nothing", {}}), Exception);
}

TEST(KeptPorts, AreHandedToAnotherPrimaryWithNobodyRefused) {
  Primary primary;
  Cluster successor(primary.loop, 0, nullptr);
  successor.setup_primary({.args = primary.cluster.settings().args});
  primary.cluster.keep_ports();
  std::string answer;
  when_listening(primary.cluster.fork(worker("Answering")), [&](int port) {
    for (ListeningSocket& socket : primary.cluster.kept_ports()) successor.adopt(std::move(socket));
    primary.cluster.stop_listening([&, port] {
      primary.cluster.disconnect();
      http_get(primary.loop, port, [&](const std::string& response) {
        answer = body_of(response);
        successor.disconnect();
        primary.finish();
      });
      // By its name: the worker asks for any port.
      successor.fork(worker("Answering"));
      successor.fork(worker("Answering"));
    });
  });
  primary.run();
  EXPECT_TRUE(answer == "1" || answer == "2") << answer;
}

TEST(KeptPorts, AreClosedOnlyAfterWhoWaitsInTheirQueueIsServed) {
  Primary primary;
  int port = 0;
  Handle socket = listening_socket(port);
  std::vector<std::string> answers;
  // In the queue before anybody accepts.
  for (int i = 0; i < 8; ++i) {
    http_get(primary.loop, port, [&](const std::string& response) {
      answers.push_back(body_of(response));
      if (answers.size() == 8) primary.finish();
    });
  }
  primary.cluster.adopt({"", std::move(socket)});
  when_listening(primary.cluster.fork(worker("Answering", {{"ANSWER_ON", std::to_string(port)}})),
                 [&](int) { primary.cluster.stop_listening([&] { primary.cluster.disconnect(); }); });
  primary.run();
  EXPECT_EQ(answers, std::vector<std::string>(8, "1"));
}

// A client that keeps its connection, and has its next request on the way while the worker is told to leave.
TEST(LeavingWorker, AnswersTheNextRequestOfAConnectionItKeptAndClosesItThen) {
  Primary primary;
  std::string first_response, second_response;
  Worker worker = primary.cluster.fork(test::worker("Answering"));
  when_listening(worker, [&](int port) {
    auto client = std::make_shared<net::Socket>(net::connect(primary.loop, port, "127.0.0.1"));
    const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    client->on_data([&, client, request](std::string_view bytes) {
      if (first_response.empty()) {
        first_response = bytes;
        worker.disconnect();
        // It answers this message when it has been told to leave.
        worker.send("told?");
        worker.on_message([client, request](Message&) { client->write(request); });
      } else {
        second_response += bytes;
      }
    });
    client->on_end([&, client] {
      client->end();
      primary.finish();
    });
    client->write(request);
  });
  primary.run();
  EXPECT_NE(first_response.find("keep-alive"), std::string::npos) << first_response;
  EXPECT_NE(second_response.find("Connection: close"), std::string::npos) << second_response;
}

}  // namespace
}  // namespace muster::test
