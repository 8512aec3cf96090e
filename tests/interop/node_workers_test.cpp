// SPDX-License-Identifier: MIT
// A muster primary and unmodified Node workers.

#include <sys/socket.h>

#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "interop/peer.h"
#include "support/node.h"
#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

const char* const node_http_worker = R"(
  const http = require('node:http');
  const server = http.createServer((req, res) => res.end('node ' + process.pid));
  server.on('error', (e) => process.send({ code: e.code, message: e.message }));
  server.listen({ port: +(process.env.TEST_PORT || 0), host: process.env.TEST_HOST });
  process.on('message', (m, handle) => {
    if (m === 'exit') process.exit(3);
    if (m === 'throw') throw new Error('boom');
    if (m === 'disconnect') process.disconnect();
    if (m === 'leave') require('node:cluster').worker.disconnect();
    if (m === 'kill') require('node:cluster').worker.kill();
    if (m && m.echo !== undefined) process.send(m);
    if (handle && m === 'greet') { handle.end('hello from node'); }
  });
)";

struct NodeWorkers : Primary {
  explicit NodeWorkers(Peer peer, const char* script = node_http_worker) {
    Settings settings;
    settings.exec_path = node_program(peer.version);
    settings.serialization = peer.serialization;
    settings.exec = folder.write("worker.js", script);
    cluster.setup_primary(settings);
  }
  TemporaryFolder folder;
};

class NodeWorkersUnder : public testing::TestWithParam<PeerAndPolicy> {};

TEST_P(NodeWorkersUnder, AMusterPrimaryServeHttp) {
  const auto [peer, name] = GetParam();
  const SchedulingPolicy policy = scheduling_policy_from_name(name).value();
  Primary primary;
  const TemporaryFolder folder;
  primary.cluster.set_scheduling_policy(policy);
  Settings settings;
  settings.exec = folder.write("worker.js", node_http_worker);
  settings.exec_path = node_program(peer.version);
  settings.serialization = peer.serialization;
  primary.cluster.setup_primary(settings);
  int listening = 0;
  std::map<std::string, int> served;
  int done = 0;
  primary.cluster.on_listening([&](Worker, const Address& address) {
    if (++listening < 2) return;
    for (int i = 0; i < 40; ++i) {
      http_get(primary.loop, address.port.value(), [&](const std::string& response) {
        ++served[body_of(response)];
        if (++done == 40) primary.finish();
      });
    }
  });
  std::vector<ExitStatus> exits;
  primary.cluster.on_exit([&](Worker w, ExitStatus status) {
    exits.push_back(status);
    EXPECT_EQ(w.exited_after_disconnect(), true);
  });
  Worker first = primary.cluster.fork();
  Worker second = primary.cluster.fork();

  primary.run();

  int total = 0;
  for (const Worker& w : {first, second}) {
    const int here = served["node " + std::to_string(w.process().pid())];
    EXPECT_TRUE(here > 0 || policy == SchedulingPolicy::none);
    total += here;
  }
  EXPECT_EQ(total, 40);
  EXPECT_EQ(exits, (std::vector{ExitStatus::exited(0), ExitStatus::exited(0)}));
}

INSTANTIATE_TEST_SUITE_P(Node, NodeWorkersUnder, testing::Combine(each_peer, policies), name_of_both);

// What ends a Node worker, and what its primary hears of it.
struct Ending {
  const char* message;
  ExitStatus status;
  bool voluntary;
};

class NodeWorker : public testing::TestWithParam<std::tuple<Peer, Ending>> {};

TEST_P(NodeWorker, EndsAsUnderANodePrimary) {
  const Ending ending = std::get<1>(GetParam());
  NodeWorkers primary(std::get<0>(GetParam()));
  Settings silent;
  silent.silent = true;  // an uncaught exception prints
  primary.cluster.setup_primary(silent);
  std::vector<std::string> events;
  Worker w = primary.cluster.fork();
  w.on_online([&] { events.push_back("online"); });
  w.on_listening([&](const Address&) {
    events.push_back("listening");
    w.send(ending.message);
  });
  w.on_disconnect([&] { events.push_back("disconnect"); });
  w.on_exit([&](ExitStatus status) {
    events.push_back("exit");
    EXPECT_EQ(status, ending.status) << status.to_string();
  });

  primary.run();

  EXPECT_EQ(events, (std::vector<std::string>{"online", "listening", "disconnect", "exit"}));
  EXPECT_EQ(w.exited_after_disconnect(), ending.voluntary);
}

INSTANTIATE_TEST_SUITE_P(Node, NodeWorker,
                         testing::Combine(each_peer, testing::Values(Ending{"exit", ExitStatus::exited(3), false},
                                                                     Ending{"throw", ExitStatus::exited(1), false},
                                                                     Ending{"disconnect", ExitStatus::exited(0), false},
                                                                     Ending{"leave", ExitStatus::exited(0), true},
                                                                     Ending{"kill", ExitStatus::exited(0), true})),
                         [](const auto& info) {
                           return std::get<1>(info.param).message + ("_" + name_of(std::get<0>(info.param)));
                         });

class NodeWorkerUnderMuster : public testing::TestWithParam<Peer> {};

INSTANTIATE_TEST_SUITE_P(Node, NodeWorkerUnderMuster, each_peer, [](const auto& info) { return name_of(info.param); });

TEST_P(NodeWorkerUnderMuster, HearsThatItsPortIsTaken) {
  NodeWorkers primary(GetParam());
  auto blocker = net::create_server(primary.cluster, [](net::Socket) {});
  std::string message;
  ListenOptions options;
  options.host = "127.0.0.1";
  std::string port;
  blocker.listen(options, [&] {
    port = std::to_string(blocker.address()->port.value());
    Worker w = primary.cluster.fork({{"TEST_PORT", port}, {"TEST_HOST", "127.0.0.1"}});
    w.on_message([&, w](Message& m) mutable {
      message = m.data["message"].as_string();
      blocker.close();
      w.disconnect();
    });
  });

  primary.run();

  EXPECT_EQ(message, "bind EADDRINUSE 127.0.0.1:" + port);
}

TEST_P(NodeWorkerUnderMuster, EchoesMessagesAsTheyWere) {
  NodeWorkers primary(GetParam());
  const Value sent{
      {"echo", Value::array({1, -0.5, 1e21, "\xc3\xa9\xf0\x9f\x98\x80", nullptr, true, Value{{"b", 1}, {"a", 2}}})}};
  Value received;
  Worker w = primary.cluster.fork();
  w.on_online([&] { w.send(sent); });
  w.on_message([&](Message& message) {
    received = message.data;
    primary.finish();
  });

  primary.run();

  EXPECT_EQ(received, sent);
}

TEST_P(NodeWorkerUnderMuster, EchoesMessagesOfEveryKindInAdvancedSerialization) {
  NodeWorkers primary({GetParam().version, Serialization::advanced});
  Value sent{{"text", "\xc3\xa9\xf0\x9f\x98\x80"},
             {"nothing", Undefined()},
             {"bigint", BigInt(-5)},
             {"date", Date(1.7e12)},
             {"regexp", RegExp{"^a+$", "gi"}},
             {"map", Map{{{"key", 1}, {2, Value::array()}}}},
             {"set", Set{{1, "two"}}},
             {"boxed", Boxed{"boxed"}},
             {"array buffer", ArrayBuffer{"bytes"}},
             {"buffer", View::buffer("Buffer")},
             {"floats", View::of<float>({1.5F, -2})},
             {"error", ErrorObject{ErrorObject::Type::type_error, "message", "stack", "cause"}}};
  sent.set("self", sent.weak());
  Value received;
  Worker w = primary.cluster.fork();
  w.on_online([&] { w.send(Value{{"echo", sent}}); });
  w.on_message([&](Message& message) {
    received = message.data["echo"];
    primary.finish();
  });

  primary.run();

  EXPECT_TRUE(received == sent);
  EXPECT_TRUE(received["self"].same(received));
}

TEST_P(NodeWorkerUnderMuster, TakesASocketThatComesWithAMessage) {
  NodeWorkers primary(GetParam());
  std::string greeting;
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  net::Socket ours = net::from_handle(primary.loop, Handle(HandleType::socket, fds[0]));
  ours.on_data([&](std::string_view bytes) { greeting += bytes; });
  ours.on_close([&] { primary.finish(); });
  Worker w = primary.cluster.fork();
  w.send("greet", Handle(HandleType::socket, fds[1]));

  primary.run();

  EXPECT_EQ(greeting, "hello from node");
}

TEST_P(NodeWorkerUnderMuster, IsNotSentWhatItWouldDieOf) {
  NodeWorkers primary(GetParam());
  Worker w = primary.cluster.fork();
  w.on_listening([&](const Address&) {
    EXPECT_THROW(w.send("a file", Handle(HandleType::descriptor, dup(0))), Exception);
    primary.finish();
  });
  std::optional<ExitStatus> status;
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(status, ExitStatus::exited(0));
}

TEST_P(NodeWorkerUnderMuster, CountsTheSocketsItWasSent) {
  NodeWorkers primary(GetParam(), R"(
    const kept = [];
    process.on('message', (m, socket) => {
      if (!socket) return kept.pop().on('close', () => process.send('closed')).destroy();
      kept.push(socket);
      process.send('kept');
    });
  )");
  Worker w = primary.cluster.fork();
  std::vector<net::Socket> clients;
  std::vector<std::size_t> counts;
  int told = 0;
  bool closed = false;
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) { w.send("keep", socket.to_handle()); });
  server.listen(0, [&] {
    for (int i = 0; i < 3; ++i) {
      clients.push_back(net::connect(primary.loop, server.address()->port.value()));
      clients.back().on_data([](std::string_view) {});
    }
  });
  w.on_message([&](Message&) {
    if (++told < 3 || closed) return;
    server.get_connections([&](std::error_code error, std::size_t count) {
      EXPECT_FALSE(error);
      counts.push_back(count);
      if (count == 1) {
        server.close([&] {
          closed = true;
          primary.finish();
        });
      }
      if (count > 0) w.send("close one");
    });
  });

  primary.run();

  EXPECT_EQ(counts, (std::vector<std::size_t>{3, 2, 1}));
  EXPECT_TRUE(closed);
}

TEST_P(NodeWorkerUnderMuster, ListensOnAPathAndAgainAfterClosing) {
  NodeWorkers primary(GetParam(), R"(
    const net = require('node:net');
    const path = process.env.TEST_PATH;
    let left = 3;
    const server = net.createServer((s) => s.end('x'));
    // Later, for a server that is closed in its own 'listening' is never announced.
    server.on('listening', () => setImmediate(() => { if (--left) server.close(() => server.listen(path)); }));
    server.listen(path);
  )");
  int listened = 0;
  const std::string path = primary.folder.path() + "/s";
  Worker w = primary.cluster.fork({{"TEST_PATH", path}});
  w.on_listening([&](const Address& address) {
    EXPECT_EQ(address.type, AddressType::pipe);
    EXPECT_EQ(address.address, path);
    if (++listened == 3) primary.finish();
  });

  primary.run();

  EXPECT_EQ(listened, 3);
}

TEST_P(NodeWorkerUnderMuster, ThatDiedLosesNoConnectionNobodyTouched) {
  NodeWorkers primary(GetParam());
  std::string answer;
  Worker stopped = primary.cluster.fork();
  std::optional<Worker> second;
  stopped.on_listening([&](const Address& address) {
    stopped.process().kill(Signal::stop);
    http_get(primary.loop, address.port.value(), [&](const std::string& response) {
      answer = body_of(response);
      primary.finish();
    });
    second = primary.cluster.fork();
    second->on_listening([&](const Address&) { stopped.process().kill(Signal::kill); });
  });

  primary.run();

  EXPECT_EQ(answer, "node " + std::to_string(second->process().pid()));
}

TEST_P(NodeWorkerUnderMuster, BindsUdpThroughItsPrimary) {
  NodeWorkers primary(GetParam(), R"(
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', (m, from) => socket.send('node got ' + m, from.port, from.address));
    socket.bind(0);
  )");
  std::string answer;
  std::set<int> ports;
  int listening = 0;
  auto client = dgram::create_socket(primary.cluster);
  client.on_message([&](std::string_view bytes, const dgram::RemoteInfo&) {
    answer = bytes;
    client.close();
    primary.finish();
  });
  primary.cluster.on_listening([&](Worker, const Address& address) {
    EXPECT_EQ(address.type, AddressType::udp4);
    ports.insert(address.port.value());
    if (++listening == 2) client.send("this", *ports.begin(), "127.0.0.1");
  });
  primary.cluster.fork();
  primary.cluster.fork();

  primary.run();

  EXPECT_EQ(answer, "node got this");
  EXPECT_EQ(ports.size(), 1U);
}

TEST_P(NodeWorkerUnderMuster, TakesNoMoreConnectionsThanItMay) {
  NodeWorkers primary(GetParam(), R"(
    const server = require('node:net').createServer((s) => s.write(process.env.TEST_LIMIT));
    server.maxConnections = +process.env.TEST_LIMIT;
    server.listen(process.env.TEST_PATH);
  )");
  const std::string path = primary.folder.path() + "/s";
  std::map<std::string, int> served;
  std::vector<net::Socket> clients;
  int listening = 0;
  int answered = 0;
  primary.cluster.on_listening([&](Worker, const Address&) {
    if (++listening < 3) return;
    for (int i = 0; i < 10; ++i) {
      clients.push_back(net::connect(primary.loop, path));
      clients.back().on_data([&](std::string_view limit) {
        ++served[std::string(limit)];
        if (++answered < 10) return;
        for (net::Socket& client : clients) client.end();
        primary.finish();
      });
    }
  });
  // Not 0, which Node 20 takes for no limit.
  for (const char* limit : {"1", "2", "7"}) primary.cluster.fork({{"TEST_PATH", path}, {"TEST_LIMIT", limit}});

  primary.run();

  EXPECT_EQ(served, (std::map<std::string, int>{{"1", 1}, {"2", 2}, {"7", 7}}));
}

// Opens what it is told, one after the other, and sends what came of each. What is read of it is in `story`.
struct Asking : NodeWorkers {
  Asking(Peer peer, const char* script) : NodeWorkers(peer, script) {
    cluster.on_message([this](Worker w, Message& message) {
      for (const Value& line : message.data.as_array()) story.push_back(line.as_string());
      w.disconnect();
    });
    cluster.on_exit([this](Worker, ExitStatus status) { exits.push_back(status); });
  }
  std::vector<std::string> story;
  std::vector<ExitStatus> exits;
};

TEST_P(NodeWorkersUnder, AMusterPrimaryMayHaveAPortOnce) {
  Asking primary(std::get<0>(GetParam()), R"(
    const net = require('node:net'), story = [];
    const first = net.createServer(), second = net.createServer();
    const port = +process.env.PORT;
    first.listen(port, '127.0.0.1', () => {
      first.close(() => first.listen(port, '127.0.0.1', () => {
        story.push('first');
        second.on('error', (e) => {
          story.push(e.message.replace(port, 'PORT'));
          first.close(() => second.listen(port, '127.0.0.1'));
        }).on('listening', () => { story.push('second'); process.send(story); });
        second.listen(port, '127.0.0.1');
      }));
    });
  )");
  primary.cluster.set_scheduling_policy(scheduling_policy_from_name(std::get<1>(GetParam())).value());
  primary.cluster.fork({{"PORT", std::to_string(free_port())}});

  primary.run();

  EXPECT_EQ(primary.story, (std::vector<std::string>{"first", "bind EADDRINUSE 127.0.0.1:PORT", "second"}));
  EXPECT_EQ(primary.exits, std::vector{ExitStatus::exited(0)});
}

TEST_P(NodeWorkersUnder, AMusterPrimaryCloseBeforeTheyListen) {
  Asking primary(std::get<0>(GetParam()), R"(
    const net = require('node:net'), story = [];
    const first = net.createServer(), second = net.createServer();
    first.on('error', (e) => story.push(e.message));
    first.listen(0, () => story.push('listening')).close(() => story.push('closed'));
    second.listen(0, () => process.send(story));
  )");
  primary.cluster.set_scheduling_policy(scheduling_policy_from_name(std::get<1>(GetParam())).value());
  primary.cluster.fork();

  primary.run();

  EXPECT_EQ(primary.story, std::vector<std::string>{"closed"});
  EXPECT_EQ(primary.exits, std::vector{ExitStatus::exited(0)});
}

TEST_P(NodeWorkersUnder, AMusterPrimaryLeaveIpv4ToOthersWhereTheyAskForIpv6Only) {
  Asking primary(std::get<0>(GetParam()), R"(
    const net = require('node:net');
    const six = net.createServer().listen({ port: +process.env.PORT, host: '::', ipv6Only: true }, () => {
      const four = net.createServer().listen(six.address().port, '0.0.0.0', () => process.send(['both']));
      four.on('error', (e) => process.send([e.message]));
    });
  )");
  primary.cluster.set_scheduling_policy(scheduling_policy_from_name(std::get<1>(GetParam())).value());
  primary.cluster.fork({{"PORT", std::to_string(free_port())}});

  primary.run();

  EXPECT_EQ(primary.story, std::vector<std::string>{"both"});
}

TEST_P(NodeWorkerUnderMuster, HasAUdpAddressTwiceAndOneOfEachFamily) {
  Asking primary(GetParam(), R"(
    const dgram = require('node:dgram'), story = [];
    const open = (options, port, address, done) => {
      const socket = dgram.createSocket(options);
      socket.on('error', (e) => { story.push(e.code); done(socket); });
      socket.bind(port, address, () => { story.push('bound'); done(socket); });
    };
    const four = { type: 'udp4', reuseAddr: true };
    const port = +process.env.PORT;
    open(four, port, '127.0.0.1', () => open(four, port, '127.0.0.1', () =>
      open('udp4', port, '127.0.0.1', () => open({ type: 'udp6', ipv6Only: true }, port, '::', () => process.send(story)))));
  )");
  primary.cluster.fork({{"PORT", std::to_string(free_port())}});

  primary.run();

  EXPECT_EQ(primary.story, (std::vector<std::string>{"bound", "bound", "EADDRINUSE", "bound"}));
  EXPECT_EQ(primary.exits, std::vector{ExitStatus::exited(0)});
}

TEST_P(NodeWorkerUnderMuster, GivesASocketBackWithHundredsOfKilobytes) {
  NodeWorkers primary(GetParam(), "process.on('message', (m, h) => process.send(m, h));");
  const std::string text(800'000, 'm');
  bool same = false;
  std::string heard;
  net::Socket client;
  net::Socket back;
  Worker w = primary.cluster.fork();
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) { w.send(text, socket.to_handle()); });
  server.listen(0, [&] {
    client = net::connect(primary.loop, server.address()->port.value());
    client.on_data([&](std::string_view bytes) { heard += bytes; });
    client.on_close([&] {
      server.close();
      primary.finish();
    });
  });
  w.on_message([&](Message& message) {
    same = message.data == Value(text);
    back = net::from_handle(primary.loop, std::move(message.handle));
    back.on_data([](std::string_view) {});
    back.end("it went round");
  });

  primary.run();

  EXPECT_TRUE(same);
  EXPECT_EQ(heard, "it went round");
}

TEST_P(NodeWorkerUnderMuster, SendsSocketsWhileItIsSentSome) {
  constexpr int each = 50;
  NodeWorkers primary(GetParam(), R"(
    process.on('message', (m, h) => process.send('back', h));
    require('node:net').createServer((s) => process.send('accepted', s)).listen(0);
  )");
  std::map<std::string, int> got;
  int closed = 0;
  Worker w = primary.cluster.fork();
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
    ++got[message.data.as_string()];
    net::from_handle(primary.loop, std::move(message.handle)).destroy();
  });
  w.on_listening([&](const Address& address) {
    server.listen(0, [&, port = address.port.value()] {
      connect(server.address()->port.value());
      connect(port);
    });
  });

  primary.run();

  EXPECT_EQ(got, (std::map<std::string, int>{{"accepted", each}, {"back", each}}));
}

}  // namespace
}  // namespace muster::test
