// SPDX-License-Identifier: MIT
// Any object may go at any moment, from any listener, and any handle may outlive anything: docs/design.md. In a build with
// AddressSanitizer these fail where that is not so.

#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <muster/muster.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

using namespace std::chrono_literals;

// Answers what it is sent, by messages and by connections, until it is told to leave.
WORKER(LifetimeEcho) {
  auto server = net::create_server(
      cluster, [](net::Socket socket) { socket.on_data([socket](std::string_view bytes) mutable { socket.end(bytes); }); });
  server.listen(0);
  cluster.process().on_message([process = cluster.process()](Message& m) mutable { process.send(std::move(m.data)); });
  return loop.run();
}

// A primary with a worker, and one of everything that can be made on a loop, all at work.
class World {
 public:
  World(std::string when, std::string what) : when_(std::move(when)), what_(std::move(what)) {}

  void run() {
    begin_cluster();
    begin_servers();
    begin_others();
    loop_->set_timeout(100s, [this] { stuck_ = true, loop_->stop(); }).unref();
    loop_->run();
    outlive();
  }

  bool struck() const { return struck_; }
  bool stuck() const { return stuck_; }

 private:
  // Something happens, and perhaps something goes.
  void at(const char* moment) {
    if (struck_ || moment != when_) return;
    struck_ = true;
    const bool all = what_ == "everything";
    if (all || what_ == "cluster") cluster_.reset();
    if (all || what_ == "loop") loop_.reset();
    if (all || what_ == "sockets") {
      for (net::Socket& socket : sockets_) socket.destroy();
      sockets_.clear();
    }
    if (all || what_ == "servers") {
      if (server_->is_listening()) server_->close();
      if (web_->is_listening()) web_->close();
      server_.reset();
      web_.reset();
    }
    if (all || what_ == "datagrams") {
      for (dgram::Socket& socket : datagrams_) socket.close();
      datagrams_.clear();
    }
    if (all || what_ == "worker") {
      workers_.clear();
      subscriptions_.clear();
    }
    if (loop_) count_down(20);
  }

  // One of the courses of events is over.
  void end_one() {
    if (++ended_ == courses && !struck_) loop_->stop();
  }
  void end_one(const char* event) {
    at(event);
    end_one();
  }

  // What else happens after it, and then the end.
  void count_down(int turns) {
    loop_->set_timeout(1ms, [this, turns] { turns == 0 ? loop_->stop() : count_down(turns - 1); });
  }

  void begin_cluster() {
    cluster_->set_scheduling_policy([this](const IncomingConnection&, const std::vector<Worker>& workers) {
      at("choose");
      return workers.empty() ? std::nullopt : std::optional(workers.front());
    });
    cluster_->on_setup([this](const Settings&) { at("setup"); });
    cluster_->on_fork([this](Worker) { at("fork"); });
    cluster_->on_online([this](Worker) { at("online"); });
    cluster_->on_message([this](Worker, Message&) { at("message"); });
    cluster_->on_disconnect([this](Worker) { at("disconnect"); });
    cluster_->on_exit([this](Worker, ExitStatus) { at("exit"); });
    cluster_->on_listening([this](Worker, const Address& address) {
      at("listening");
      if (!loop_) return;
      net::Socket client = net::connect(*loop_, *address.port, "127.0.0.1", [this] { at("connected"); });
      client.write("hello");
      client.on_data([this](std::string_view) { at("answer"); });
      client.on_end([this] { at("end"); });
      client.on_close([this] {
        at("close");
        if (cluster_) cluster_->disconnect([this] { at("all disconnected"); });
      });
      sockets_.push_back(client);
    });
    Worker worker = cluster_->fork(test::worker("LifetimeEcho"));
    workers_.push_back(worker);
    subscriptions_.push_back(worker.on_online([this] {
      at("worker online");
      if (!workers_.empty()) workers_.front().send("hello", [this](std::error_code) { at("sent"); });
    }));
    worker.on_listening([this](const Address&) { at("worker listening"); });
    worker.on_message([this](Message&) { at("worker message"); });
    worker.on_disconnect([this] { at("worker disconnect"); });
    worker.on_exit([this](ExitStatus) { at("worker exit"); });
    worker.process().on_spawn([this] { at("spawn"); });
    worker.process().on_message([this](Message&) { at("process message"); });
    worker.process().on_disconnect([this] { at("process disconnect"); });
    worker.process().on_exit([this](ExitStatus) { at("process exit"); });
    worker.process().on_close([this](ExitStatus) {
      at("process close");
      end_one();
    });
  }

  void begin_servers() {
    server_ = net::create_server(*cluster_, [this](net::Socket socket) {
      sockets_.push_back(socket);
      socket.on_data([this, socket](std::string_view bytes) mutable {
        at("data");
        socket.end(bytes);
      });
      at("connection");
    });
    server_->listen(0, [this] {
      at("server listening");
      if (!server_ || !server_->address() || !loop_) return;
      net::Socket client = net::connect(*loop_, *server_->address()->port, "127.0.0.1");
      client.write("x");
      client.on_data([](std::string_view) {});
      sockets_.push_back(client);
    });
    server_->on_close([this] {
      at("server close");
      end_one();
    });
    web_ = http::create_server(*cluster_, [this](http::Request& request, http::Response& response) {
      request.on_data([this](std::string_view) { at("body"); });
      request.on_end([this, response]() mutable {
        at("body end");
        response.end("answer");
      });
      response.on_finish([this] { at("finish"); });
      at("request");
    });
    web_->listen(0, [this] {
      if (!web_->address()) return;
      net::Socket client = net::connect(*loop_, *web_->address()->port, "127.0.0.1");
      client.write("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody");
      client.on_data([](std::string_view) {});
      client.on_close([this] {
        at("web close");
        if (server_ && server_->is_listening()) server_->close();
        end_one();
      });
      sockets_.push_back(client);
    });
  }

  void begin_others() {
    for (int i = 0; i < 2; ++i) datagrams_.push_back(dgram::create_socket(*cluster_));
    datagrams_[0].on_message([this](std::string_view, const dgram::RemoteInfo&) { end_one("datagram"); });
    datagrams_[0].bind(0, [this] {
      at("bound");
      if (datagrams_.size() < 2) return;
      datagrams_[1].send("x", *datagrams_[0].address()->port, "127.0.0.1",
                         [this](std::error_code) { end_one("datagram sent"); });
    });
    loop_->set_timeout(1ms, [this] { end_one("timer"); });
    loop_->next_tick([this] { end_one("tick"); });
    loop_->post([this] { end_one("posted"); });
    loop_->run_in_thread([] {}, [this](std::error_code) { end_one("thread"); });
    EXPECT_EQ(pipe(pipe_), 0);
    EXPECT_EQ(write(pipe_[1], "x", 1), 1);
    watch_ = loop_->on_readable(pipe_[0], [this] {
      watch_.cancel();
      end_one("readable");
    });
  }

  // Every handle that is left, used and dropped.
  void outlive() {
    cluster_.reset();
    loop_.reset();
    const auto try_to = [](auto&& call) {
      try {
        call();
      } catch (const Exception&) {
        // That it is gone may be said.
      }
    };
    for (Worker& worker : workers_) {
      try_to([&] { worker.send("late", [](std::error_code) {}); });
      try_to([&] { worker.disconnect(); });
      worker.kill();
      worker.process().kill(Signal::kill);
      worker.process().disconnect();
      worker.on_exit([](ExitStatus) {});
      EXPECT_FALSE(worker.is_connected());
      EXPECT_TRUE(worker.id() == 1 && worker.process().pid() > 0);
    }
    for (net::Socket& socket : sockets_) {
      try_to([&] { socket.write("late"); });
      socket.pause();
      socket.resume();
      socket.end();
      socket.destroy();
      EXPECT_TRUE(socket.is_destroyed());
    }
    if (server_) {
      server_->get_connections([](std::error_code, std::size_t) {});
      try_to([&] { server_->close(); });
      try_to([&] { server_->listen(0); });
      server_->unref();
      EXPECT_FALSE(server_->is_listening());
    }
    if (web_) {
      try_to([&] { web_->listen(0); });
      try_to([&] { web_->close(); });
    }
    for (dgram::Socket& socket : datagrams_) {
      try_to([&] { socket.send("late", 9, "127.0.0.1", [](std::error_code) {}); });
      try_to([&] { socket.close(); });
    }
    watch_.cancel();
    for (const int fd : pipe_) close(fd);
  }

  // The cluster, two servers, and what begin_others() begins.
  static constexpr int courses = 3 + 7;
  const std::string when_, what_;
  bool struck_ = false, stuck_ = false;
  int ended_ = 0;
  std::unique_ptr<Loop> loop_ = std::make_unique<Loop>();
  std::unique_ptr<Cluster> cluster_ = std::make_unique<Cluster>(*loop_, 0, nullptr);
  std::vector<Worker> workers_;
  std::vector<ScopedSubscription> subscriptions_;
  std::vector<net::Socket> sockets_;
  std::optional<net::Server> server_;
  std::optional<http::Server> web_;
  std::vector<dgram::Socket> datagrams_;
  int pipe_[2] = {-1, -1};
  Watch watch_;
};

class Lifetime : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Lifetime, OfAnObjectEndsWhereverThatIs) {
  const auto [what, when] = GetParam();
  World world(when, what);
  world.run();
  EXPECT_TRUE(world.struck()) << "it never happened";
  EXPECT_FALSE(world.stuck());
}

INSTANTIATE_TEST_SUITE_P(
    Of, Lifetime,
    testing::Combine(testing::Values("cluster", "loop", "sockets", "servers", "datagrams", "worker", "everything"),
                     testing::Values("setup", "fork", "online", "listening", "message", "disconnect", "exit", "choose",
                                     "connected", "answer", "end", "close", "all disconnected", "worker online", "sent",
                                     "worker listening", "worker message", "worker disconnect", "worker exit", "spawn",
                                     "process message", "process disconnect", "process exit", "process close", "connection",
                                     "data", "server listening", "server close", "request", "body", "body end", "finish",
                                     "web close", "datagram", "bound", "datagram sent", "timer", "tick", "posted", "thread",
                                     "readable")),
    [](const auto& info) {
      std::string name = std::string(std::get<0>(info.param)) + "_at_" + std::get<1>(info.param);
      std::replace(name.begin(), name.end(), ' ', '_');
      return name;
    });

// The same in a worker, which ends well whatever it destroys.
WORKER(LifetimeStruck) {
  const std::string when = std::getenv("WHEN"), what = std::getenv("WHAT");
  bool struck = false;
  const auto at = [&](const char* moment) {
    if (struck || moment != when) return;
    struck = true;
    if (what != "loop") own_cluster().reset();
    if (what != "cluster") own_loop().reset();
  };
  auto server = net::create_server(cluster, [&](net::Socket socket) {
    socket.on_data([&, socket](std::string_view bytes) mutable {
      at("data");
      socket.end(bytes);
    });
    at("connection");
  });
  server.on_close([&] { at("server close"); });
  server.listen(0, [&] { at("listening"); });
  Process process = cluster.process();
  Worker worker = *cluster.worker();
  process.on_message([&](Message& m) {
    at("process message");
    process.send(std::move(m.data), [&](std::error_code) { at("sent"); });
  });
  worker.on_message([&](Message&) { at("worker message"); });
  worker.on_disconnect([&] { at("worker disconnect"); });
  process.on_disconnect([&] { at("process disconnect"); });
  const int code = loop.run();
  process.send("late", [](std::error_code) {});
  worker.disconnect();
  server.get_connections([](std::error_code, std::size_t) {});
  return struck ? code : 7;
}

class LifetimeOfAWorker : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(LifetimeOfAWorker, EndsWhereverThatIs) {
  const auto [what, when] = GetParam();
  Primary primary;
  std::optional<ExitStatus> status;
  std::vector<net::Socket> sockets;
  Worker worker = primary.cluster.fork(test::worker("LifetimeStruck", {{"WHEN", when}, {"WHAT", what}}));
  worker.on_listening([&](const Address& address) {
    net::Socket client = net::connect(primary.loop, *address.port, "127.0.0.1");
    client.write("x");
    client.on_data([](std::string_view) {});
    client.on_close([&] {
      worker.send("hello");
      worker.on_message([&](Message&) { worker.disconnect(); });
    });
    sockets.push_back(client);
  });
  worker.on_error([](const Error&) {});
  worker.on_exit([&](ExitStatus ended) { status = ended; });
  primary.run();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->to_string(), "0");
}

INSTANTIATE_TEST_SUITE_P(Of, LifetimeOfAWorker,
                         testing::Combine(testing::Values("cluster", "loop", "both"),
                                          testing::Values("connection", "data", "server close", "listening", "process message",
                                                          "sent", "worker message", "worker disconnect", "process disconnect")),
                         [](const auto& info) {
                           std::string name = std::string(std::get<0>(info.param)) + "_at_" + std::get<1>(info.param);
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST(Lifetimes, OfAnInspectPortFunctionThatForksOrEndsTheCluster) {
  Loop loop;
  auto cluster = std::make_unique<Cluster>(loop, 0, nullptr);
  int asked = 0;
  Settings settings;
  settings.exec = "/there/is/no/program";
  settings.exec_argv = {"--inspect"};
  settings.inspect_port = [&] {
    if (++asked == 1) {
      EXPECT_EQ(cluster->fork().id(), 2);
    }
    return 9000 + asked;
  };
  cluster->setup_primary(settings);
  Worker worker = cluster->fork();
  EXPECT_EQ(worker.id(), 1);
  EXPECT_EQ(asked, 2);
  std::vector<Worker> workers{worker};
  for (const auto& [id, other] : cluster->workers()) workers.push_back(other);
  for (Worker& each : workers) each.on_error([](const Error&) {});
  loop.run();

  settings.inspect_port = [&] {
    cluster.reset();
    return 9000;
  };
  cluster->setup_primary(settings);
  try {
    cluster->fork();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Exception& e) {
    EXPECT_EQ(e.code(), Errc::cluster_closed);
  }
}

TEST(Lifetimes, OfThePrimarysOwnProcessIsWhoeverNamesIt) {
  Loop loop;
  std::error_code failed;
  {
    Cluster cluster(loop, 0, nullptr);
    cluster.process().send("to nobody", [&](std::error_code error) { failed = error; });
    cluster.process().on_error([](const Error&) {});
    cluster.process().send("to nobody");
  }
  loop.run();
  EXPECT_EQ(failed, Errc::ipc_channel_closed);
}

TEST(Lifetimes, OfAStreamThatIsNotThereIsSaid) {
  Primary primary;
  Worker worker = primary.cluster.fork(test::worker("LifetimeEcho"));
  worker.on_online([&] { worker.disconnect(); });
  EXPECT_FALSE(worker.process().stdout_stream());
  try {
    worker.process().stdout_stream().on_data([](std::string_view) {});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Exception& e) {
    EXPECT_EQ(std::string(e.what()), "ERR_INVALID_HANDLE_TYPE: This Socket is empty: it names no connection");
  }
  primary.run();
}

TEST(Lifetimes, OfALoopMayEndBeforeItsClusters) {
  auto loop = std::make_unique<Loop>();
  Cluster cluster(*loop, 0, nullptr);
  auto server = net::create_server(cluster, [](net::Socket) {});
  server.listen(0);
  auto socket = dgram::create_socket(cluster);
  loop.reset();
  server.get_connections([](std::error_code, std::size_t) {});
  socket.send("late", 9, "127.0.0.1", [](std::error_code) {});
  EXPECT_FALSE(server.is_listening());
  EXPECT_TRUE(cluster.workers().empty());
  EXPECT_THROW(cluster.fork(), Exception);
}

}  // namespace
}  // namespace muster::test
