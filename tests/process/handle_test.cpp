// SPDX-License-Identifier: MIT
// Descriptors that travel with messages, and what their server knows of them afterwards.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// Keeps what it is sent, and closes one for each "close one".
WORKER(KeepsSockets) {
  auto kept = std::make_shared<std::vector<net::Socket>>();
  cluster.process().on_message([&loop, kept, self = cluster.process()](Message& message) mutable {
    if (!message.handle) {
      kept->back().on_close([self]() mutable { self.send("done"); });
      kept->back().destroy();
      kept->pop_back();
      return;
    }
    kept->push_back(net::from_handle(loop, std::move(message.handle)));
    self.send("done");
  });
  return loop.run();
}

// A primary whose server sends each connection to a worker, and as many clients as a test asks for.
struct SendingPrimary : Primary {
  explicit SendingPrimary(std::size_t clients_wanted, net::KeepOpen keep_open = net::KeepOpen::no)
      : server(net::create_server(cluster, [this, keep_open](net::Socket socket) {
          accepted.push_back(socket);
          w.send("keep this", socket.to_handle(keep_open));
        })) {
    server.listen(0, [this, clients_wanted] {
      for (std::size_t i = 0; i < clients_wanted; ++i) {
        clients.push_back(net::connect(loop, server.address()->port.value()));
        clients.back().on_data([](std::string_view) {});
      }
    });
  }

  Worker w = cluster.fork(worker("KeepsSockets"));
  std::vector<net::Socket> accepted;
  std::vector<net::Socket> clients;
  net::Server server;
};

TEST(Handles, AreCountedByTheirServerWhereverTheyLive) {
  SendingPrimary primary(5);
  std::vector<std::size_t> counts;
  int done = 0;
  primary.w.on_message([&](Message&) {
    if (++done < 5) return;
    primary.server.get_connections([&](std::error_code error, std::size_t count) {
      EXPECT_FALSE(error);
      counts.push_back(count);
      if (count > 0) {
        primary.w.send("close one");
      } else {
        primary.server.close();
        primary.finish();
      }
    });
  });

  primary.run();

  EXPECT_EQ(counts, (std::vector<std::size_t>{5, 4, 3, 2, 1, 0}));
}

TEST(Handles, KeepTheirServerOpenUntilTheLastIsClosedInTheOtherProcess) {
  SendingPrimary primary(3);
  int done = 0;
  bool closed = false;
  primary.w.on_message([&](Message&) {
    if (++done < 3) return;
    if (done == 3) {
      primary.server.close([&] {
        EXPECT_EQ(done, 6);
        closed = true;
        primary.finish();
      });
    }
    if (done < 6) {
      EXPECT_FALSE(closed);
      primary.w.send("close one");
    }
  });

  primary.run();

  EXPECT_TRUE(closed);
}

TEST(Handles, AreClosedForTheirServerWhenTheirProcessIsGone) {
  SendingPrimary primary(2);
  int done = 0;
  bool closed = false;
  std::error_code counted;
  primary.w.on_message([&](Message&) {
    if (++done < 2) return;
    primary.w.kill(*Signal::from_name("SIGKILL"));
    primary.server.get_connections([&](std::error_code error, std::size_t) { counted = error; });
    primary.server.close([&] { closed = true; });
  });

  primary.run();

  EXPECT_TRUE(closed);
  EXPECT_EQ(counted, Errc::child_closed_before_reply);
}

TEST(Handles, OfSocketsThatAreKeptOpenCountTwice) {
  SendingPrimary primary(1, net::KeepOpen::yes);
  std::size_t counted = 0;
  primary.w.on_message([&](Message&) {
    primary.server.get_connections([&](std::error_code, std::size_t count) {
      counted = count;
      EXPECT_EQ(primary.server.connections(), 1U);
      primary.accepted.front().destroy();
      primary.server.close();
      primary.w.kill();
    });
  });

  primary.run();

  EXPECT_EQ(counted, 2U);
}

// Sends each connection of its own server to the primary.
WORKER(GivesAway) {
  auto server = net::create_server(
      cluster, [self = cluster.process()](net::Socket socket) mutable { self.send("take this", socket.to_handle()); });
  cluster.process().on_message([server, self = cluster.process()](Message&) mutable {
    server.get_connections([self](std::error_code, std::size_t count) mutable {
      self.send(Value{{"count", static_cast<double>(count)}});
    });
  });
  server.listen(0);
  return loop.run();
}

TEST(Handles, ThatAWorkerSendsAreCountedThereToo) {
  Primary primary;
  net::Socket client;
  net::Socket taken;
  std::vector<double> counts;
  Worker w = primary.cluster.fork(worker("GivesAway"));
  w.on_listening([&](const Address& address) { client = net::connect(primary.loop, address.port.value()); });
  w.on_message([&](Message& message) {
    if (message.handle) {
      taken = net::from_handle(primary.loop, std::move(message.handle));
      taken.on_close([&] { w.send("how many?"); });
      w.send("how many?");
      return;
    }
    counts.push_back(message.data["count"].as_number());
    if (counts.size() == 1) {
      taken.destroy();
    } else {
      primary.finish();
    }
  });

  primary.run();

  EXPECT_EQ(counts, (std::vector<double>{1, 0}));
}

// An HTTP server that never listens: it serves what it is sent.
WORKER(ServesWhatItIsSent) {
  auto server = http::create_server(cluster, [](http::Request& request, http::Response& response) {
    response.end("you asked for " + std::string(request.url()));
  });
  cluster.process().on_message([server](Message& message) mutable { server.handle_connection(std::move(message.handle)); });
  return loop.run();
}

TEST(Handles, OfConnectionsAreServedByAnHttpServer) {
  Primary primary;
  std::string body;
  Worker w = primary.cluster.fork(worker("ServesWhatItIsSent"));
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) { w.send("serve this", socket.to_handle()); });
  server.listen(0, [&] {
    http_get(primary.loop, server.address()->port.value(), [&](std::string response) {
      body = body_of(response);
      server.close();
      primary.finish();
    });
  });

  primary.run();

  EXPECT_EQ(body, "you asked for /");
}

TEST(Handles, OfWhatIsNoConnectionAreNotServed) {
  Primary primary;
  auto server = http::create_server(primary.cluster, [](http::Request&, http::Response&) {});

  EXPECT_THROW(server.handle_connection(Handle()), Exception);
  EXPECT_THROW(server.handle_connection(Handle(HandleType::udp_socket, dup(0))), Exception);
}

// Listens on a server it is sent, and says so.
WORKER(ListensOnPath) {
  auto server = net::create_server(cluster, [](net::Socket socket) { socket.end("from the worker"); });
  cluster.process().on_message([server, self = cluster.process()](Message& message) mutable {
    server.listen(std::move(message.handle), [self]() mutable { self.send("listening"); });
  });
  return loop.run();
}

// Writes on the descriptor it is sent, and sends it back with its position.
WORKER(WritesOnDescriptor) {
  cluster.process().on_message([self = cluster.process()](Message& message) mutable {
    const std::string text = message.data.as_string();
    EXPECT_EQ(message.handle.type(), HandleType::descriptor);
    EXPECT_EQ(write(message.handle.descriptor(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    self.send("back", std::move(message.handle));
  });
  return loop.run();
}

TEST(Handles, OfAnyKindTravelBetweenMusterProcesses) {
  Primary primary;
  const TemporaryFolder folder;
  const std::string path = folder.write("file", "");
  off_t position = 0;
  Worker w = primary.cluster.fork(worker("WritesOnDescriptor"));
  const auto open_file = [&] { return Handle(HandleType::descriptor, open(path.c_str(), O_RDWR | O_CLOEXEC)); };
  // Before it is online it may be anybody's.
  EXPECT_THROW(w.send("too early", open_file()), Exception);
  w.on_online([&] { w.send("written by the worker", open_file()); });
  w.on_message([&](Message& message) {
    position = lseek(message.handle.descriptor(), 0, SEEK_CUR);
    primary.finish();
  });

  primary.run();

  EXPECT_EQ(position, 21);
}

TEST(Handles, OfPipeServersAreListenedOn) {
  Primary primary;
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/socket";
  std::string heard;
  net::Socket client;
  Worker w = primary.cluster.fork(worker("ListensOnPath"));
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) { socket.end("from the primary"); });
  ListenOptions options;
  options.path = path;
  server.listen(options, [&] { w.send("take this", server.to_handle()); });
  w.on_message([&](Message&) {
    // Not close(), which takes the path away. The primary accepts no more, so the worker must.
    server.set_max_connections(0);
    client = net::connect(primary.loop, path);
    client.on_data([&](std::string_view bytes) { heard += bytes; });
    client.on_close([&] {
      if (heard.empty() || !server.is_listening()) return;
      server.close();
      primary.finish();
    });
  });
  // One that the primary was first to take is dropped: try again.
  server.on_drop([&](const net::DroppedConnection&) {
    client = net::connect(primary.loop, path);
    client.on_data([&](std::string_view bytes) { heard += bytes; });
    client.on_close([&] {
      if (heard.empty() || !server.is_listening()) return;
      server.close();
      primary.finish();
    });
  });

  primary.run();

  EXPECT_EQ(heard, "from the worker");
}

TEST(Handles, OfPipeConnectionsAreReadAndWritten) {
  Primary primary;
  const TemporaryFolder folder;
  std::string heard;
  net::Socket client;
  Worker w = primary.cluster.fork(worker("SaysGoodbye"));
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) { w.send("goodbye", socket.to_handle()); });
  ListenOptions options;
  options.path = folder.path() + "/socket";
  server.listen(options, [&] {
    client = net::connect(primary.loop, options.path);
    client.on_data([&](std::string_view bytes) { heard += bytes; });
    client.on_close([&] {
      server.close();
      primary.finish();
    });
  });

  primary.run();

  EXPECT_EQ(heard, "goodbye");
}

WORKER(SaysGoodbye) {
  cluster.process().on_message(
      [&loop](Message& message) { net::from_handle(loop, std::move(message.handle)).end(message.data.as_string()); });
  return loop.run();
}

// --- many at once -------------------------------------------------------------------------------------

// Sends each socket it gets back, and each that it accepts itself.
WORKER(SendsBack) {
  cluster.process().on_message([self = cluster.process()](Message& message) mutable {
    if (message.handle) self.send("back", std::move(message.handle));
  });
  auto server = net::create_server(
      cluster, [self = cluster.process()](net::Socket socket) mutable { self.send("accepted", socket.to_handle()); });
  server.listen(0);
  return loop.run();
}

TEST(Handles, TravelBothWaysAtOnceAndBlockNobody) {
  constexpr int each = 200;
  Primary primary;
  int back = 0;
  int accepted = 0;
  int closed = 0;
  Worker w = primary.cluster.fork(worker("SendsBack"));
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) { w.send("there", socket.to_handle()); });
  const auto connect = [&](int port) {
    for (int i = 0; i < each; ++i) {
      net::Socket client = net::connect(primary.loop, port);
      client.on_data([](std::string_view) {});
      client.on_close([&] {
        if (++closed < 2 * each) return;
        server.close();
        primary.finish();
      });
    }
  };
  w.on_message([&](Message& message) {
    ASSERT_TRUE(message.handle);
    ++(message.data == Value("back") ? back : accepted);
    net::from_handle(primary.loop, std::move(message.handle)).destroy();
  });
  w.on_listening([&](const Address& address) {
    server.listen(0, [&, port = address.port.value()] {
      connect(server.address()->port.value());
      connect(port);
    });
  });

  primary.run();

  EXPECT_EQ(back, each);
  EXPECT_EQ(accepted, each);
  EXPECT_EQ(closed, 2 * each);
}

TEST(Handles, OfEightyWorkersAllComeBack) {
  constexpr std::size_t workers = 80;
  Primary primary;
  std::size_t served = 0;
  std::vector<Worker> waiting;
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) {
    waiting.back().send("there and back", socket.to_handle());
    waiting.pop_back();
  });
  for (std::size_t i = 0; i < workers; ++i) waiting.push_back(primary.cluster.fork(worker("HandsBack")));
  primary.cluster.on_message([&](Worker w, Message& message) {
    net::from_handle(primary.loop, std::move(message.handle)).end("served");
    w.disconnect();
  });
  server.listen(0, [&] {
    for (std::size_t i = 0; i < workers; ++i) {
      net::Socket client = net::connect(primary.loop, server.address()->port.value());
      client.on_data([&](std::string_view text) {
        EXPECT_EQ(text, "served");
        if (++served == workers) server.close();
      });
    }
  });

  primary.run();

  EXPECT_EQ(served, workers);
}

WORKER(HandsBack) {
  cluster.process().on_message(
      [self = cluster.process()](Message& message) mutable { self.send("back", std::move(message.handle)); });
  return loop.run();
}

TEST(Handles, KeepTheirServerOpenInThreeWorkersOneOfWhichIsCutOff) {
  constexpr int sockets = 12;
  Primary primary;
  std::vector<Worker> workers;
  for (int i = 0; i < 3; ++i) workers.push_back(primary.cluster.fork(worker("KeepsUntilItsPeerEnds")));
  std::vector<net::Socket> clients;
  int accepted = 0;
  int kept = 0;
  int ended = 0;
  bool closed = false;
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) {
    workers[static_cast<std::size_t>(accepted++ % 3)].send("keep this", socket.to_handle());
  });
  primary.cluster.on_message([&](Worker, Message&) {
    if (++kept < sockets) return;
    server.close([&] {
      closed = true;
      EXPECT_GE(ended, 8) << "those of the two workers that can be asked";
      primary.finish();
    });
    workers[1].process().disconnect();
    for (net::Socket& client : clients) {
      EXPECT_FALSE(closed);
      client.end();
    }
  });
  server.listen(0, [&] {
    for (int i = 0; i < sockets; ++i) {
      clients.push_back(net::connect(primary.loop, server.address()->port.value()));
      clients.back().on_data([](std::string_view) {});
      clients.back().on_close([&] { ++ended; });
    }
  });

  primary.run();

  EXPECT_TRUE(closed);
  EXPECT_EQ(ended, sockets);
}

WORKER(KeepsUntilItsPeerEnds) {
  cluster.process().on_message([&loop, self = cluster.process()](Message& message) mutable {
    net::Socket socket = net::from_handle(loop, std::move(message.handle));
    socket.on_data([](std::string_view) {});
    self.send("kept");
  });
  return loop.run();
}

TEST(Handles, AreTakenByAWorkerWithoutInputAndOutput) {
  Primary primary;
  using Kind = StdioEntry::Kind;
  Settings settings;
  settings.stdio = {{Kind::ignore}, {Kind::ignore}, {Kind::ignore}, {Kind::ipc}};
  primary.cluster.setup_primary(settings);
  std::string heard;
  Worker w = primary.cluster.fork(worker("SaysGoodbye"));
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) { w.send("goodbye", socket.to_handle()); });
  server.listen(0, [&] {
    net::Socket client = net::connect(primary.loop, server.address()->port.value());
    client.on_data([&](std::string_view bytes) { heard += bytes; });
    client.on_close([&] {
      server.close();
      primary.finish();
    });
  });

  primary.run();

  EXPECT_EQ(heard, "goodbye");
}

TEST(Handles, OfServersMayBeInheritedAsADescriptor) {
  Primary primary;
  std::string heard;
  auto server = net::create_server(primary.cluster, [](net::Socket) { ADD_FAILURE() << "the primary accepted"; });
  server.listen(0, [&] {
    const int port = server.address()->port.value();
    Handle listening = server.to_handle();
    using Kind = StdioEntry::Kind;
    Settings settings;
    settings.stdio = {
        {Kind::ignore}, {Kind::inherit}, {Kind::inherit}, {Kind::ipc}, {Kind::descriptor, listening.descriptor()}};
    primary.cluster.setup_primary(settings);
    Worker w = primary.cluster.fork(worker("ListensOnFour"));
    server.close();
    w.on_message([&, port](Message&) {
      net::Socket client = net::connect(primary.loop, port);
      client.on_data([&](std::string_view bytes) { heard += bytes; });
      client.on_close([&] { primary.finish(); });
    });
  });

  primary.run();

  EXPECT_EQ(heard, "from the worker");
}

WORKER(ListensOnFour) {
  auto server = net::create_server(cluster, [](net::Socket socket) {
    socket.on_data([](std::string_view) {});
    socket.end("from the worker");
  });
  server.listen(Handle(HandleType::server, 4), [&cluster] { cluster.process().send("listening"); });
  return loop.run();
}

TEST(Handles, ThatAreNotWhatTheySayAreNotSent) {
  Primary primary;
  Worker w = primary.cluster.fork(worker("KeepsSockets"));
  for (const HandleType type : {HandleType::socket, HandleType::server, HandleType::udp_socket}) {
    EXPECT_THROW(w.send("take this", Handle(type, open("/dev/null", O_RDONLY | O_CLOEXEC))), Exception);
  }
  w.on_online([w]() mutable { w.disconnect(); });

  primary.run();

  EXPECT_EQ(w.process().exit_status(), ExitStatus::exited(0));
}

}  // namespace
}  // namespace muster::test
