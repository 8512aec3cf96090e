// muster and an unmodified Node on one wire, each as primary and as worker.

#include <sys/socket.h>

#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "support/node.h"
#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// --- a muster primary with Node workers --------------------------------------------------------------

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

// A Node, and how it speaks.
struct Peer {
  int version;
  Serialization serialization;
};
const Peer peers[] = {
    {20, Serialization::json}, {20, Serialization::advanced}, {26, Serialization::json}, {26, Serialization::advanced}};
const auto each_peer = testing::ValuesIn(peers);

std::string name_of(Peer peer) {
  return node_name(peer.version) + (peer.serialization == Serialization::json ? "_json" : "_advanced");
}

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

using PeerAndPolicy = std::tuple<Peer, const char*>;
const auto policies = testing::Values("rr", "none");

std::string name_of_both(const testing::TestParamInfo<PeerAndPolicy>& info) {
  const auto [peer, policy] = info.param;
  return policy + ("_" + name_of(peer));
}

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
    first.listen(0, '127.0.0.1', () => {
      const port = first.address().port;
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
  primary.cluster.fork();

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
    const six = net.createServer().listen({ port: 0, host: '::', ipv6Only: true }, () => {
      const four = net.createServer().listen(six.address().port, '0.0.0.0', () => process.send(['both']));
      four.on('error', (e) => process.send([e.message]));
    });
  )");
  primary.cluster.set_scheduling_policy(scheduling_policy_from_name(std::get<1>(GetParam())).value());
  primary.cluster.fork();

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
    open(four, 0, '127.0.0.1', (probe) => {
      const port = probe.address().port;
      probe.close(() => open(four, port, '127.0.0.1', () => open(four, port, '127.0.0.1', () =>
        open('udp4', port, '127.0.0.1', () => open({ type: 'udp6', ipv6Only: true }, port, '::', () => process.send(story))))));
    });
  )");
  primary.cluster.fork();

  primary.run();

  EXPECT_EQ(primary.story, (std::vector<std::string>{"bound", "bound", "bound", "EADDRINUSE", "bound"}));
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

// --- muster workers under a Node primary -------------------------------------------------------------

WORKER(MusterHttp) {
  auto server = http::create_server(cluster, [id = cluster.worker()->id()](http::Request&, http::Response& response) {
    response.end("muster " + std::to_string(id));
  });
  server.on_error([self = cluster.process()](const Error& error) mutable {
    self.send(Value{{"code", error_name(error.code)}, {"message", error.message}});
  });
  const char* port = std::getenv("TEST_PORT");
  ListenOptions options;
  options.port = port ? std::stoi(port) : 0;
  options.host = port ? "127.0.0.1" : "";
  server.listen(options);
  cluster.process().on_message([&loop, worker = *cluster.worker()](Message& message) mutable {
    if (message.data == Value("exit")) loop.stop(3);
    if (message.data == Value("disconnect")) worker.process().disconnect();
    if (message.data == Value("leave")) worker.disconnect();
    if (message.data == Value("kill")) worker.kill();
    if (!message.data["echo"].is_undefined()) worker.send(message.data);
    if (message.handle) net::from_handle(loop, std::move(message.handle)).end("hello from muster");
  });
  return loop.run();
}

// Runs a script as a Node primary whose workers are this program; what it prints is what happened.
std::string node_primary(Peer peer, const std::string& script, const Env& env = {}) {
  const TemporaryFolder folder;
  const std::string path = folder.write("primary.js", R"(
    const cluster = require('node:cluster'), http = require('node:http'), net = require('node:net');
    const log = console.log;
    setTimeout(() => { log('gave up waiting'); process.exit(1); }, 60000).unref();
    process.execPath = process.env.TEST_PROGRAM;
    cluster.setupPrimary({ exec: 'unused', args: [], serialization: process.env.TEST_SERIALIZATION });
    const fork = (env) => cluster.fork({ MUSTER_TEST_WORKER: 'MusterHttp', ...env });
    const get = (port, f) => http.get({ port, host: '127.0.0.1', agent: false }, (res) => {
      let body = ''; res.on('data', (d) => body += d).on('end', () => f(body));
    });
  )" + script);
  Env all = env;
  all["TEST_SERIALIZATION"] = peer.serialization == Serialization::json ? "json" : "advanced";
  all["TEST_PROGRAM"] = std::filesystem::read_symlink("/proc/self/exe").string();
  const ProgramResult result = run_program({node_program(peer.version), path}, all);
  EXPECT_EQ(result.exit_code, 0) << result.output;
  return result.output;
}

class MusterWorkersUnder : public testing::TestWithParam<PeerAndPolicy> {};

TEST_P(MusterWorkersUnder, ANodePrimaryServeHttp) {
  const auto [peer, policy] = GetParam();
  const std::string output = node_primary(peer, R"(
    let listening = 0, left = 20; const seen = {};
    cluster.on('listening', (w, a) => {
      if (++listening < 2) return;
      for (let i = 0; i < 20; i++) get(a.port, (body) => {
        seen[body] = (seen[body] || 0) + 1;
        if (--left === 0) { log(Object.values(seen).reduce((a, b) => a + b), Object.keys(seen).every((k) => /^muster [12]$/.test(k))); cluster.disconnect(); }
      });
    });
    cluster.on('exit', (w, code, signal) => log('exit', code, signal, w.exitedAfterDisconnect));
    fork(); fork();
  )",
                                          {{"NODE_CLUSTER_SCHED_POLICY", policy}});

  EXPECT_EQ(output, "20 true\nexit 0 null true\nexit 0 null true\n");
}

INSTANTIATE_TEST_SUITE_P(Node, MusterWorkersUnder, testing::Combine(each_peer, policies), name_of_both);

struct NodeSees {
  const char* message;
  const char* exit;
};

class MusterWorker : public testing::TestWithParam<std::tuple<Peer, NodeSees>> {};

TEST_P(MusterWorker, EndsAsANodeWorkerDoes) {
  const auto [peer, seen] = GetParam();
  const std::string output = node_primary(peer, R"(
    const w = fork();
    for (const e of ['fork', 'online', 'disconnect']) cluster.on(e, () => log(e));
    cluster.on('listening', () => { log('listening'); w.send(process.env.TEST_MESSAGE); });
    cluster.on('exit', (w, code, signal) => log('exit', code, signal, w.exitedAfterDisconnect));
  )",
                                          {{"TEST_MESSAGE", seen.message}});

  EXPECT_EQ(output, std::string("fork\nonline\nlistening\ndisconnect\n") + seen.exit + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Node, MusterWorker,
    testing::Combine(each_peer,
                     testing::Values(NodeSees{"exit", "exit 3 null false"}, NodeSees{"disconnect", "exit 0 null false"},
                                     NodeSees{"leave", "exit 0 null true"}, NodeSees{"kill", "exit 0 null true"})),
    [](const auto& info) { return std::get<1>(info.param).message + ("_" + name_of(std::get<0>(info.param))); });

class MusterWorkerUnderNode : public testing::TestWithParam<Peer> {};

INSTANTIATE_TEST_SUITE_P(Node, MusterWorkerUnderNode, each_peer, [](const auto& info) { return name_of(info.param); });

TEST_P(MusterWorkerUnderNode, HearsThatItsPortIsTaken) {
  for (const char* policy : {"rr", "none"}) {
    const std::string output = node_primary(GetParam(), R"(
      const blocker = net.createServer().listen(0, '127.0.0.1', () => {
        const w = fork({ TEST_PORT: blocker.address().port });
        w.on('message', (m) => {
          log(m.code, m.message.replace(blocker.address().port, 'PORT'));
          blocker.close(); w.disconnect();
        });
      });
    )",
                                            {{"NODE_CLUSTER_SCHED_POLICY", policy}});

    EXPECT_EQ(output, "EADDRINUSE bind EADDRINUSE 127.0.0.1:PORT\n") << policy;
  }
}

WORKER(MusterUdp) {
  auto socket = dgram::create_socket(cluster);
  socket.on_message([socket](std::string_view bytes, const dgram::RemoteInfo& from) mutable {
    socket.send("muster got " + std::string(bytes), from.port, from.address);
  });
  socket.bind(0);
  return loop.run();
}

TEST_P(MusterWorkerUnderNode, BindsUdpThroughItsPrimary) {
  const std::string output = node_primary(GetParam(), R"(
    let listening = 0; const ports = new Set();
    const client = require('node:dgram').createSocket('udp4');
    client.on('message', (m) => { log(String(m), ports.size); client.close(); cluster.disconnect(); });
    cluster.on('listening', (w, a) => { ports.add(a.port); log(a.addressType); if (++listening === 2) client.send('this', a.port, '127.0.0.1'); });
    cluster.on('exit', (w, code, signal) => log('exit', code, signal));
    fork({ MUSTER_TEST_WORKER: 'MusterUdp' }); fork({ MUSTER_TEST_WORKER: 'MusterUdp' });
  )");

  EXPECT_EQ(output, "udp4\nudp4\nmuster got this 1\nexit 0 null\nexit 0 null\n");
}

TEST_P(MusterWorkerUnderNode, EchoesMessagesAndTakesASocket) {
  const std::string output = node_primary(GetParam(), R"(
    const w = fork();
    const sent = { echo: [1, -0.5, 1e21, 'é😀', null, true, { b: 1, a: 2 }] };
    w.on('message', (m) => {
      log(JSON.stringify(m) === JSON.stringify(sent));
      const server = net.createServer((s) => { server.close(); w.send('greet', s); }).listen(0, () => {
        let text = '';
        net.connect(server.address().port).on('data', (d) => text += d).on('close', () => { log(text); w.disconnect(); });
      });
    });
    w.on('online', () => w.send(sent));
  )");

  EXPECT_EQ(output, "true\nhello from muster\n");
}

// Keeps the sockets it is sent, and closes one for each other message.
WORKER(MusterKeepsSockets) {
  auto kept = std::make_shared<std::vector<net::Socket>>();
  cluster.process().on_message([&loop, kept, self = cluster.process()](Message& message) mutable {
    if (!message.handle) {
      kept->back().on_close([self]() mutable { self.send("closed"); });
      kept->back().destroy();
      kept->pop_back();
      return;
    }
    kept->push_back(net::from_handle(loop, std::move(message.handle)));
    self.send("kept");
  });
  return loop.run();
}

TEST_P(MusterWorkerUnderNode, CountsTheSocketsItWasSent) {
  const std::string output = node_primary(GetParam(), R"(
    const w = fork({ MUSTER_TEST_WORKER: 'MusterKeepsSockets' });
    let told = 0;
    const server = net.createServer((s) => w.send('keep', s)).listen(0, () => {
      for (let i = 0; i < 3; i++) net.connect(server.address().port).on('data', () => {});
    });
    w.on('message', (m) => {
      if (++told < 3) return;
      if (told === 6) return w.disconnect();
      server.getConnections((e, n) => {
        log(e || n);
        if (told === 5) server.close(() => log('closed'));
        w.send('close one');
      });
    });
  )");

  EXPECT_EQ(output, "3\n2\n1\nclosed\n");
}

TEST_P(MusterWorkerUnderNode, EchoesMessagesOfEveryKindInAdvancedSerialization) {
  const std::string output = node_primary({GetParam().version, Serialization::advanced}, R"(
    const assert = require('node:assert');
    const sent = { echo: { nothing: undefined, bigint: -5n, date: new Date(1.7e12), regexp: /^a+$/gi, holes: [1, , 3],
                           map: new Map([['key', 1], [2, []]]), set: new Set([1, 'two']), boxed: Object('boxed'),
                           'array buffer': new Uint8Array([1, 2]).buffer, buffer: Buffer.from('Buffer'),
                           floats: Float32Array.of(1.5, -2), error: new TypeError('message', { cause: 'cause' }) } };
    sent.echo.self = sent.echo;
    const w = fork();
    w.on('message', (m) => {
      assert.deepStrictEqual(m, sent);
      log(m.echo.error instanceof TypeError, m.echo.error.stack === sent.echo.error.stack, 1 in m.echo.holes);
      w.disconnect();
    });
    w.on('online', () => w.send(sent));
  )");

  EXPECT_EQ(output, "true true false\n");
}

TEST_P(MusterWorkerUnderNode, EndsWhenItsPrimaryIsKilled) {
  // The worker holds the primary's standard output too: run_program() returns when both are gone.
  const TemporaryFolder folder;
  const std::string path = folder.write("primary.js", R"(
    const cluster = require('node:cluster');
    process.execPath = process.env.TEST_PROGRAM;
    cluster.setupPrimary({ exec: 'unused', args: [] });
    cluster.fork({ MUSTER_TEST_WORKER: 'MusterHttp' });
    cluster.on('listening', () => process.kill(process.pid, 'SIGKILL'));
  )");

  const ProgramResult result = run_program({node_program(GetParam().version), path},
                                           {{"TEST_PROGRAM", std::filesystem::read_symlink("/proc/self/exe").string()}});

  EXPECT_EQ(result.output.find("gave up"), std::string::npos);
}

// Listens on TEST_PATH with as many connections as TEST_LIMIT; says its limit to each and keeps it.
WORKER(MusterLimited) {
  const char* limit = std::getenv("TEST_LIMIT");
  auto server = net::create_server(cluster, [limit](net::Socket socket) {
    socket.on_data([](std::string_view) {});
    socket.write(limit);
  });
  server.set_max_connections(std::stoul(limit));
  ListenOptions options;
  options.path = std::getenv("TEST_PATH");
  server.listen(options);
  return loop.run();
}

TEST_P(MusterWorkerUnderNode, TakesNoMoreConnectionsThanItMay) {
  const TemporaryFolder folder;
  const std::string output = node_primary(GetParam(), R"(
    let listening = 0, answered = 0; const served = {}, clients = [];
    cluster.on('listening', () => {
      if (++listening < 3) return;
      for (let i = 0; i < 10; i++) clients.push(net.connect(process.env.TEST_PATH).on('data', (limit) => {
        served[limit] = (served[limit] || 0) + 1;
        if (++answered < 10) return;
        log(JSON.stringify(served));
        for (const c of clients) c.end();
        cluster.disconnect();
      }));
    });
    for (const limit of [0, 1, 9]) fork({ MUSTER_TEST_WORKER: 'MusterLimited', TEST_LIMIT: limit });
  )",
                                          {{"TEST_PATH", folder.path() + "/s"}});

  EXPECT_EQ(output, "{\"1\":1,\"9\":9}\n");
}

// Opens one server and closes it before it listens, then two on one port, then two UDP sockets at one address.
WORKER(MusterOpensTwice) {
  auto story = std::make_shared<std::string>();
  auto early = net::create_server(cluster, [](net::Socket) {});
  auto first = net::create_server(cluster, [](net::Socket) {});
  auto second = net::create_server(cluster, [](net::Socket) {});
  dgram::SocketOptions reuse;
  reuse.reuse_addr = true;
  auto third = dgram::create_socket(cluster, reuse);
  auto fourth = dgram::create_socket(cluster, reuse);
  ListenOptions options;
  options.host = "127.0.0.1";
  early.listen(0, [story] { *story += "early "; });
  early.close([&] { first.listen(options); });
  first.on_listening([&] {
    options.port = first.address()->port;
    second.listen(options);
  });
  second.on_error([&](const Error& error) {
    *story += error_name(error.code) + " ";
    dgram::BindOptions bind;
    bind.address = "127.0.0.1";
    third.bind(bind);
  });
  third.on_listening([&] {
    // The port that the first got, asked for by its number, is another question: it must not be the first's by chance.
    dgram::BindOptions bind;
    bind.address = "127.0.0.1";
    bind.port = third.address()->port.value();
    fourth.bind(bind);
  });
  fourth.on_listening([&] { cluster.process().send(*story + "bound"); });
  fourth.on_error([&](const Error& error) { cluster.process().send(*story + error.message); });
  return loop.run();
}

TEST_P(MusterWorkerUnderNode, OpensWhatItHasAlreadyWhereItMay) {
  for (const char* policy : {"rr", "none"}) {
    const std::string output = node_primary(GetParam(), R"(
      const w = fork({ MUSTER_TEST_WORKER: 'MusterOpensTwice' });
      w.on('message', (m) => { log(m); w.disconnect(); });
      w.on('exit', (code, signal) => log('exit', code, signal));
    )",
                                            {{"NODE_CLUSTER_SCHED_POLICY", policy}});

    EXPECT_EQ(output, "EADDRINUSE bound\nexit 0 null\n") << policy;
  }
}

// Sends back what it is sent, and what it accepts.
WORKER(MusterSendsBack) {
  cluster.process().on_message(
      [self = cluster.process()](Message& message) mutable { self.send(std::move(message.data), std::move(message.handle)); });
  auto server = net::create_server(
      cluster, [self = cluster.process()](net::Socket socket) mutable { self.send("accepted", socket.to_handle()); });
  server.listen(0);
  return loop.run();
}

TEST_P(MusterWorkerUnderNode, SendsSocketsWhileItIsSentSome) {
  const std::string output = node_primary(GetParam(), R"(
    const w = fork({ MUSTER_TEST_WORKER: 'MusterSendsBack' });
    const each = 50, got = {}, text = 'm'.repeat(800000);
    let closed = 0;
    const server = net.createServer((s) => w.send(server.count++ ? 'back' : text, s));
    server.count = 0;
    const connect = (port) => {
      for (let i = 0; i < each; i++) net.connect(port).on('data', () => {}).on('close', () => {
        if (++closed < 2 * each) return;
        log(got.accepted, got.back, got[text]);
        server.close(); w.disconnect();
      });
    };
    w.on('message', (m, socket) => { got[m] = (got[m] || 0) + 1; socket.destroy(); });
    w.on('listening', (a) => server.listen(0, () => { connect(server.address().port); connect(a.port); }));
  )");

  EXPECT_EQ(output, "50 49 1\n");
}

}  // namespace
}  // namespace muster::test
