// SPDX-License-Identifier: MIT
// The primary of one cell of the matrix, whose workers are a peer's. What it says is what happened.
// peer_primary.cjs does the same with a peer.

#include <csignal>
#include <cstdlib>
#include <map>
#include <set>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

const char* const host = "127.0.0.1";

std::string environment(const char* name) { return std::getenv(name); }

void say(const std::string& text) { dprintf(1, "> %s\n", text.c_str()); }

struct MatrixPrimary {
  Loop& loop;
  Cluster& cluster;
  std::map<std::string, int> answers = {};
  int listening = 0;
  int left = 8;
  int port = 0;
  Value sent = {};

  void finish() { cluster.disconnect(); }
  void ask(net::Socket socket) {
    read(std::move(socket), [this](const std::string& text) {
      say(text);
      finish();
    });
  }
  // Reads what a connection brings, to its end.
  static void read(net::Socket socket, Function<void(const std::string&)> done) {
    auto text = std::make_shared<std::string>();
    auto callback = std::make_shared<Function<void(const std::string&)>>(std::move(done));
    socket.on_data([text](std::string_view bytes) { text->append(bytes); });
    socket.on_error([](const Error& error) { say("client: " + error_name(error.code)); });
    socket.on_close([text, callback] { (*callback)(*text); });
  }
  void hear() {
    auto client = dgram::create_socket(cluster);
    client.on_message([this, client](std::string_view bytes, const dgram::RemoteInfo&) mutable {
      say(std::string(bytes));
      client.close([this] { finish(); });
    });
    client.send("ping", port, host);
  }
  void echo(const Value& value) {
    sent = value;
    Worker worker = cluster.fork();
    worker.on_online([this, worker]() mutable { worker.send(sent); });
    worker.on_message([this](Message& message) {
      say(message.data == sent ? "the same" : "not the same");
      finish();
    });
  }
  // The worker listens, is told to do something and ends.
  void ends(Function<void(Worker)> then) {
    if (environment("MATRIX_ACTION") != "asked_to_leave") cluster.on_disconnect([](Worker) { say("disconnect"); });
    cluster.on_listening([callback = std::make_shared<Function<void(Worker)>>(std::move(then))](Worker worker, const Address&) {
      say("listening");
      (*callback)(worker);
    });
    cluster.fork();
  }
  void tells(const char* what) {
    ends([what](Worker worker) { worker.send(what); });
  }
  ListenOptions options() const { return {.port = 0, .host = host}; }

  void http() {
    cluster.on_listening([this](Worker, const Address& address) {
      if (++listening < 2) return;
      for (int i = 0; i < 8; ++i) {
        http_get(loop, address.port.value(), [this](const std::string& response) {
          ++answers[body_of(response)];
          if (--left > 0) return;
          // The system chooses the worker.
          if (cluster.scheduling_policy() == SchedulingPolicy::none) {
            say("8 answers");
          } else {
            for (const auto& [text, count] : answers) say(text);
          }
          finish();
        });
      }
    });
    cluster.fork();
    cluster.fork();
  }
  void net() {
    cluster.on_listening([this](Worker, const Address& address) { ask(net::connect(loop, address.port.value(), host)); });
    cluster.fork();
  }
  void path() {
    cluster.on_listening([this](Worker, const Address& address) {
      say("listening " + std::string(to_string(address.type)));
      ask(net::connect(loop, address.address.value()));
    });
    cluster.fork();
  }
  void udp() {
    cluster.on_listening([this](Worker, const Address& address) {
      say("listening " + std::string(to_string(address.type)));
      port = address.port.value();
      hear();
    });
    cluster.fork();
  }
  void message() {
    echo(Value{{"a", Value::array({1, -0.5, 1e21, "\xc3\xa9\xf0\x9f\x98\x80", nullptr, true, Value::object()})},
               {"b", Value{{"d", "\n\xe2\x80\xa8"}, {"c", ""}}}});
  }
  void large() { echo(std::string(1 << 20, 'x')); }
  void socket_to_worker() {
    Worker worker = cluster.fork();
    auto server = net::create_server(cluster, [](const net::Socket&) {});
    server.on_connection([worker, server](net::Socket socket) mutable {
      worker.send("a socket", socket.to_handle());
      server.close();
    });
    worker.on_online([this, server]() mutable {
      server.listen(options(), [this, server] { ask(net::connect(loop, server.address()->port.value(), host)); });
    });
  }
  void socket_to_primary() {
    Worker worker = cluster.fork();
    auto server = net::create_server(cluster, [](const net::Socket&) {});
    server.on_connection([this, server](net::Socket socket) mutable {
      server.close();
      ask(std::move(socket));
    });
    worker.on_online([this, worker, server]() mutable {
      server.listen(options(), [worker, server]() mutable { worker.send(server.address()->port.value()); });
    });
    worker.on_message([this](Message& message) {
      if (!message.handle) return say("no handle");
      net::from_handle(loop, std::move(message.handle)).end("hello from the primary");
    });
  }
  void server_to_worker() {
    Worker worker = cluster.fork();
    auto server = net::create_server(cluster, [](const net::Socket&) { say("the connection came here"); });
    worker.on_online([this, worker, server]() mutable {
      server.listen(options(), [this, worker, server]() mutable {
        port = server.address()->port.value();
        worker.send("a server", server.to_handle());
      });
    });
    worker.on_message([this, server](Message&) mutable { server.close([this] { ask(net::connect(loop, port, host)); }); });
  }
  void server_to_primary() {
    Worker worker = cluster.fork();
    worker.on_online([worker]() mutable { worker.send("send yours"); });
    worker.on_message([this, worker](Message& message) mutable {
      if (message.data == Value("closed")) return ask(net::connect(loop, port, host));
      if (!message.handle) return say("no handle");
      port = static_cast<int>(message.data["port"].number_or(0));
      auto server = net::create_server(cluster, [](net::Socket socket) { socket.end("hello from the primary"); });
      server.on_connection([server](const net::Socket&) mutable { server.close(); });
      server.listen(std::move(message.handle));
      worker.send("close yours");
    });
  }
  void udp_to_worker() {
    Worker worker = cluster.fork();
    auto socket = dgram::create_socket(cluster);
    worker.on_online([this, worker, socket]() mutable {
      socket.bind({.address = host}, [this, worker, socket]() mutable {
        port = socket.address()->port.value();
        worker.send("a socket", socket.to_handle());
      });
    });
    worker.on_message([this, socket](Message&) mutable { socket.close([this] { hear(); }); });
  }
  void udp_to_primary() {
    Worker worker = cluster.fork();
    worker.on_online([worker]() mutable { worker.send("send yours"); });
    worker.on_message([this, worker](Message& message) mutable {
      if (message.data == Value("closed")) return hear();
      if (!message.handle) return say("no handle");
      port = static_cast<int>(message.data["port"].number_or(0));
      auto socket = dgram::create_socket(cluster);
      socket.on_message([socket](std::string_view, const dgram::RemoteInfo& from) mutable {
        socket.send("hello from the primary", from.port, from.address, [socket](std::error_code) mutable { socket.close(); });
      });
      socket.bind(std::move(message.handle));
      worker.send("close yours");
    });
  }
  void port_taken() {
    Worker worker = cluster.fork();
    auto taken = net::create_server(cluster, [](const net::Socket&) {});
    worker.on_online([this, worker, taken]() mutable {
      taken.listen(options(), [worker, taken]() mutable { worker.send(taken.address()->port.value()); });
    });
    worker.on_message([this, taken](Message& message) mutable {
      if (message.data == Value("it listens")) say("it listens");
      taken.close();
      finish();
    });
  }
  void asked_to_leave() {
    ends([](Worker worker) { worker.disconnect(); });
  }
  void leaves() { tells("leave"); }
  void kills_itself() { tells("kill yourself"); }
  void exits() { tells("exit"); }
  void killed() {
    ends([](Worker worker) { worker.kill(); });
  }
  void closes_channel() { tells("close the channel"); }
  void primary_dies() {
    ends([](const Worker&) { raise(SIGKILL); });
  }
};

const std::map<std::string, void (MatrixPrimary::*)()> actions = {
    {"http", &MatrixPrimary::http},
    {"net", &MatrixPrimary::net},
    {"path", &MatrixPrimary::path},
    {"udp", &MatrixPrimary::udp},
    {"message", &MatrixPrimary::message},
    {"large", &MatrixPrimary::large},
    {"socket_to_worker", &MatrixPrimary::socket_to_worker},
    {"socket_to_primary", &MatrixPrimary::socket_to_primary},
    {"server_to_worker", &MatrixPrimary::server_to_worker},
    {"server_to_primary", &MatrixPrimary::server_to_primary},
    {"udp_to_worker", &MatrixPrimary::udp_to_worker},
    {"udp_to_primary", &MatrixPrimary::udp_to_primary},
    {"port_taken", &MatrixPrimary::port_taken},
    {"asked_to_leave", &MatrixPrimary::asked_to_leave},
    {"leaves", &MatrixPrimary::leaves},
    {"kills_itself", &MatrixPrimary::kills_itself},
    {"exits", &MatrixPrimary::exits},
    {"killed", &MatrixPrimary::killed},
    {"closes_channel", &MatrixPrimary::closes_channel},
    {"primary_dies", &MatrixPrimary::primary_dies},
};

}  // namespace

// Not a worker, but a program of its own all the same.
WORKER(MatrixPrimary) {
  const bool deno = environment("MATRIX_PEER").starts_with("Deno");
  Settings settings;
  settings.exec_path = environment("MATRIX_PROGRAM");
  if (deno) settings.exec_argv = {"run", "-A", "--quiet"};
  settings.exec = MUSTER_SOURCE_DIR "/tests/interop/matrix/peer_worker.cjs";
  settings.args.emplace();
  settings.serialization = environment("MATRIX_SERIALIZATION") == "advanced" ? Serialization::advanced : Serialization::json;
  cluster.setup_primary(settings);
  cluster.on_exit([](Worker worker, ExitStatus status) {
    say("exit " + status.to_string() + (worker.exited_after_disconnect() == true ? " true" : " false"));
  });
  cluster.on_message([](Worker, Message& message) {
    if (const Value& failed = message.data["failed"]; failed.is_string()) say("worker: " + failed.as_string());
  });
  cluster.on_fork([](Worker worker) { worker.on_error([](const Error& error) { say("error " + error_name(error.code)); }); });
  MatrixPrimary primary{loop, cluster};
  (primary.*actions.at(environment("MATRIX_ACTION")))();
  const int code = loop.run();
  say("end " + std::to_string(code));
  return code;
}

}  // namespace muster::test
