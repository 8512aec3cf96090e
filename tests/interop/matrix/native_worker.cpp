// SPDX-License-Identifier: MIT
// The worker of one cell of the matrix; peer_worker.cjs does the same with a peer.

#include <cstdlib>
#include <map>

#include "support/worker_main.h"

namespace muster::test {
namespace {

const char* const host = "127.0.0.1";

struct MatrixWorker {
  Loop& loop;
  Cluster& cluster;
  Process self = cluster.process();
  Worker worker = *cluster.worker();
  const std::string greeting = "hello from " + std::to_string(worker.id());

  ListenOptions options(int port = 0) const { return {.port = port, .host = host}; }
  net::Server server() {
    return net::create_server(cluster, [this](net::Socket socket) { socket.end(greeting); });
  }
  void failed(const std::string& why) { self.send(Value{{"failed", why}}); }
  // A server, and what is done at a message.
  void listen_and(Function<void()> then) {
    server().listen(options());
    self.on_message([then = std::make_shared<Function<void()>>(std::move(then))](Message&) { (*then)(); });
  }
  void echo() {
    self.on_message([this](Message& message) { self.send(message.data); });
  }

  void http() {
    auto server = http::create_server(cluster, [this](http::Request&, http::Response& response) { response.end(greeting); });
    server.listen(options());
  }
  void net() { server().listen(options()); }
  void path() { server().listen({.path = std::string(std::getenv("MATRIX_FOLDER")) + "/socket"}); }
  void udp() {
    auto socket = dgram::create_socket(cluster);
    socket.on_message([this, socket](std::string_view, const dgram::RemoteInfo& from) mutable {
      socket.send(greeting, from.port, from.address);
    });
    socket.bind({.address = host});
  }
  void message() { echo(); }
  void large() { echo(); }
  void socket_to_worker() {
    self.on_message([this](Message& message) {
      if (!message.handle) return failed("no handle");
      net::from_handle(loop, std::move(message.handle)).end(greeting);
    });
  }
  void socket_to_primary() {
    self.on_message([this](Message& message) {
      auto socket = std::make_shared<net::Socket>();
      *socket = net::connect(loop, static_cast<int>(message.data.number_or(0)), host,
                             [this, socket] { self.send("a socket", socket->to_handle()); });
    });
  }
  void server_to_worker() {
    self.on_message([this](Message& message) {
      if (!message.handle) return failed("no handle");
      auto server = this->server();
      server.on_connection([server](const net::Socket&) mutable { server.close(); });
      server.listen(std::move(message.handle), [this] { self.send("ready"); });
    });
  }
  void server_to_primary() {
    auto server = net::create_server(cluster, [this](const net::Socket&) { failed("the connection came here"); });
    self.on_message([this, server](Message& message) mutable {
      if (message.data == Value("close yours")) return server.close([this] { self.send("closed"); });
      ListenOptions own = options();
      own.exclusive = true;
      server.listen(own, [this, server] { self.send(Value{{"port", server.address()->port.value()}}, server.to_handle()); });
    });
  }
  void udp_to_worker() {
    self.on_message([this](Message& message) {
      if (!message.handle) return failed("no handle");
      auto socket = dgram::create_socket(cluster);
      socket.on_message([this, socket](std::string_view, const dgram::RemoteInfo& from) mutable {
        socket.send(greeting, from.port, from.address, [socket](std::error_code) mutable { socket.close(); });
      });
      socket.bind(std::move(message.handle), [this] { self.send("ready"); });
    });
  }
  void udp_to_primary() {
    auto socket = dgram::create_socket(cluster);
    self.on_message([this, socket](Message& message) mutable {
      if (message.data == Value("close yours")) return socket.close([this] { self.send("closed"); });
      socket.bind({.address = host, .exclusive = true}, [this, socket] {
        self.send(Value{{"port", socket.address()->port.value()}}, socket.to_handle());
      });
    });
  }
  void port_taken() {
    self.on_message([this](Message& message) {
      auto server = this->server();
      server.on_error([this](const Error& error) { failed(error_name(error.code)); });
      server.listen(options(static_cast<int>(message.data.number_or(0))), [this] { self.send("it listens"); });
    });
  }
  void asked_to_leave() { server().listen(options()); }
  void leaves() {
    listen_and([this] { worker.disconnect(); });
  }
  void kills_itself() {
    listen_and([this] { worker.kill(); });
  }
  void exits() {
    listen_and([this] { loop.stop(3); });
  }
  void killed() { server().listen(options()); }
  void closes_channel() {
    listen_and([this] { self.disconnect(); });
  }
  void primary_dies() { server().listen(options()); }
};

const std::map<std::string, void (MatrixWorker::*)()> actions = {
    {"http", &MatrixWorker::http},
    {"net", &MatrixWorker::net},
    {"path", &MatrixWorker::path},
    {"udp", &MatrixWorker::udp},
    {"message", &MatrixWorker::message},
    {"large", &MatrixWorker::large},
    {"socket_to_worker", &MatrixWorker::socket_to_worker},
    {"socket_to_primary", &MatrixWorker::socket_to_primary},
    {"server_to_worker", &MatrixWorker::server_to_worker},
    {"server_to_primary", &MatrixWorker::server_to_primary},
    {"udp_to_worker", &MatrixWorker::udp_to_worker},
    {"udp_to_primary", &MatrixWorker::udp_to_primary},
    {"port_taken", &MatrixWorker::port_taken},
    {"asked_to_leave", &MatrixWorker::asked_to_leave},
    {"leaves", &MatrixWorker::leaves},
    {"kills_itself", &MatrixWorker::kills_itself},
    {"exits", &MatrixWorker::exits},
    {"killed", &MatrixWorker::killed},
    {"closes_channel", &MatrixWorker::closes_channel},
    {"primary_dies", &MatrixWorker::primary_dies},
};

}  // namespace

WORKER(MatrixWorker) {
  const std::string action = std::getenv("MATRIX_ACTION");
  MatrixWorker worker{loop, cluster};
  (worker.*actions.at(action))();
  const int code = loop.run();
  if (action == "primary_dies") dprintf(1, "> worker: exit %d\n", code);
  return code;
}

}  // namespace muster::test
