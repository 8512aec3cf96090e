// SPDX-License-Identifier: MIT
// Muster workers under an unmodified Node primary.

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
    const fork = (env) => cluster.fork({ TESTS_WORKER: 'MusterHttp', ...env });
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
    fork({ TESTS_WORKER: 'MusterUdp' }); fork({ TESTS_WORKER: 'MusterUdp' });
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
    const w = fork({ TESTS_WORKER: 'MusterKeepsSockets' });
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
    cluster.fork({ TESTS_WORKER: 'MusterHttp' });
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
    for (const limit of [0, 1, 9]) fork({ TESTS_WORKER: 'MusterLimited', TEST_LIMIT: limit });
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
      const w = fork({ TESTS_WORKER: 'MusterOpensTwice' });
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
    const w = fork({ TESTS_WORKER: 'MusterSendsBack' });
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
