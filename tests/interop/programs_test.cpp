// SPDX-License-Identifier: MIT
// Programs of Node's world, as their users write them, under a muster primary; and a Node primary of muster workers. The
// programs are in the folder beside this file, what they are made of is in its package-lock.json.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>
#include <tuple>

#include <gtest/gtest.h>

#include "support/node.h"
#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// A copy of the programs, with their packages where Node looks for them.
struct ProgramFolder : TemporaryFolder {
  ProgramFolder() {
    std::filesystem::copy(MUSTER_SOURCE_DIR "/tests/interop/programs", path());
    std::filesystem::create_directory_symlink(node_modules(), path() + "/node_modules");
  }
  void make_certificate() const {
    const ProgramResult made = run_program({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                            "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                                            "-keyout", path() + "/key.pem", "-out", path() + "/cert.pem"});
    if (made.exit_code != 0) throw std::runtime_error("openssl made no certificate: " + made.output);
  }
};

// A muster primary of two workers that run one of the programs, and a script that is their client: a process that this one
// starts and exchanges messages with, but no worker.
struct ProgramPrimary : Primary {
  ProgramPrimary(int version, const std::string& policy, const std::string& program,
                 const std::vector<std::string>& client_script)
      : policy(policy) {
    cluster.set_scheduling_policy(scheduling_policy_from_name(policy).value());
    Settings settings;
    settings.exec_path = node_program(version);
    settings.exec = program;
    settings.args.emplace();
    settings.cwd = folder.path();
    cluster.setup_primary(settings);
    cluster.on_listening([this](Worker, const Address& address) {
      Array pids;
      for (const Worker& w : workers) pids.push_back(w.process().pid());
      if (++listening >= 2) tell({{"what", "listening"}, {"port", *address.port}, {"pids", pids}, {"policy", this->policy}});
    });
    cluster.on_exit([this](Worker w, ExitStatus status) {
      if (killed == w) return tell({{"what", "killed"}});
      if (!leaving) {
        ADD_FAILURE() << "a worker ended with " << status.to_string();
        stop();
      } else if (--staying == 0) {
        tell({{"what", "left"}});
      }
    });

    settings.exec_path.reset();
    settings.exec = "/usr/bin/env";
    settings.args = {"-u", "NODE_UNIQUE_ID", node_program(version)};
    settings.args->insert(settings.args->end(), client_script.begin(), client_script.end());
    clients.setup_primary(settings);
  }

  // Two workers and the client, who says what is to be done with them.
  void start() {
    ListenOptions options;
    options.host = "127.0.0.1";
    backend.listen(options, [this] {
      fork();
      fork();
      start_client();
    });
  }
  void start_client() {
    client.emplace(clients.fork());
    client->on_message([this](Message& message) {
      if (!message.data["kill"].is_undefined()) kill(static_cast<int>(message.data["kill"].as_number()));
      if (!message.data["fork"].is_undefined()) fork();
      if (!message.data["done"].is_undefined()) leave();
    });
    client->on_exit([this](ExitStatus status) {
      client_status = status;
      if (!leaving) stop();
    });
  }
  void fork() {
    workers.push_back(
        cluster.fork({{"BACKEND", "http://127.0.0.1:" + std::to_string(backend.address()->port.value())}, {"POLICY", policy}}));
    workers.back().on_error([](const Error& error) { ADD_FAILURE() << error.message; });
  }
  void tell(Value message) { client->send(std::move(message)); }
  void kill(int pid) {
    for (const Worker& w : workers) {
      if (w.process().pid() == pid) killed = w;
    }
    ASSERT_TRUE(killed);
    killed->process().kill(Signal::kill);
  }
  void leave() {
    leaving = true;
    staying = cluster.workers().size();
    backend.close();
    finish();
  }
  // The client got what it expects; of the workers, one was killed at most and the others left as they should.
  void expect_all_went_well() {
    EXPECT_EQ(client_status, ExitStatus::exited(0));
    for (const Worker& w : workers) {
      EXPECT_EQ(w.exited_after_disconnect(), w != killed);
      EXPECT_EQ(w.process().exit_status(), w == killed ? ExitStatus::killed(Signal::kill) : ExitStatus::exited(0));
    }
  }

  const std::string policy;
  ProgramFolder folder;
  Cluster clients{loop, 0, nullptr};
  // What undici.js asks: it says what it is told.
  http::Server backend = http::create_server(cluster, [](http::Request& request, http::Response& response) {
    response.set_header("content-type", "application/json");
    request.on_data([response](std::string_view body) mutable { response.write(body); });
    request.on_end([response]() mutable { response.end(); });
  });
  std::vector<Worker> workers;
  std::optional<Worker> client, killed;
  std::optional<ExitStatus> client_status;
  int listening = 0;
  bool leaving = false;
  std::size_t staying = 0;
};

struct Program {
  const char* file;
  const char* client;  // one of clients.js
};

using VersionAndPolicy = std::tuple<int, const char*>;
const auto policies = testing::Values("rr", "none");

class NodeProgram : public testing::TestWithParam<std::tuple<int, const char*, Program>> {};

TEST_P(NodeProgram, ServesUnderMusterWhileAWorkerIsKilled) {
  const auto [version, policy, program] = GetParam();
  ProgramPrimary primary(version, policy, program.file, {"client.js", program.client});
  if (std::string(program.client).starts_with("http")) primary.folder.make_certificate();
  primary.start();

  primary.run();

  EXPECT_TRUE(primary.killed);
  primary.expect_all_went_well();
}

std::string name_of_program(const testing::TestParamInfo<NodeProgram::ParamType>& info) {
  const std::string file = std::get<2>(info.param).file;
  return file.substr(0, file.find('.')) + "_" + std::get<1>(info.param) + "_" + node_name(std::get<0>(info.param));
}

INSTANTIATE_TEST_SUITE_P(Node, NodeProgram,
                         testing::Combine(testing::ValuesIn(node_versions), policies,
                                          testing::Values(Program{"express.js", "fetch"}, Program{"fastify.mjs", "undici"},
                                                          Program{"koa.js", "http"}, Program{"undici.js", "undici"},
                                                          Program{"ws.js", "ws"}, Program{"socketio.js", "socketio"},
                                                          Program{"https.js", "https"}, Program{"http2.js", "http2"})),
                         name_of_program);

class NodeProgramsUnder : public testing::TestWithParam<VersionAndPolicy> {};

std::string name_of(const testing::TestParamInfo<VersionAndPolicy>& info) {
  return std::get<1>(info.param) + ("_" + node_name(std::get<0>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(Node, NodeProgramsUnder, testing::Combine(testing::ValuesIn(node_versions), policies), name_of);

TEST_P(NodeProgramsUnder, MusterResumeTlsSessionsOfEachOther) {
  const auto [version, policy] = GetParam();
  ProgramPrimary primary(version, policy, "https.js", {"resume.js"});
  primary.folder.make_certificate();
  primary.start();

  primary.run();

  EXPECT_EQ(primary.workers.size(), 3U);
  primary.expect_all_went_well();
}

TEST_P(NodeProgramsUnder, MusterSendSocketsUpAndDown) {
  const auto [version, policy] = GetParam();
  ProgramPrimary primary(version, policy, "sockets.js", {"sockets_client.js"});
  primary.start();
  int taken = 0;
  std::map<int, int> taken_from;
  // Of each worker's in turn one goes to the other worker, and one is answered here.
  primary.cluster.on_message([&](Worker from, Message& message) {
    ASSERT_TRUE(message.handle);
    ++taken;
    if (++taken_from[from.id()] % 2 == 1) {
      Worker& other = primary.workers[from == primary.workers[0] ? 1 : 0];
      other.send(message.data, std::move(message.handle));
      return;
    }
    net::Socket socket = net::from_handle(primary.loop, std::move(message.handle));
    socket.on_data([socket, accepted = message.data["accepted"].as_number()](std::string_view question) mutable {
      socket.end(R"({"question":")" + std::string(question) + R"(","accepted":)" + std::to_string(static_cast<int>(accepted)) +
                 R"(,"answered":"primary"})");
    });
  });

  primary.run();

  EXPECT_EQ(taken, 24);
  primary.expect_all_went_well();
}

class NodeSticky : public testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Node, NodeSticky, testing::ValuesIn(node_versions));

TEST_P(NodeSticky, SessionsOverPollingMeetTheirWorkerAgain) {
  ProgramPrimary primary(GetParam(), "ip_hash", "socketio.js", {"polling.js"});
  primary.start();

  primary.run();

  primary.expect_all_went_well();
}

// What the command line of this process says behind the two words that Node puts there.
std::vector<std::string> worker_arguments() {
  std::ifstream file("/proc/self/cmdline");
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return {words.begin() + 2, words.end()};
}

WORKER(Shop) {
  auto server = http::create_server(cluster, [&cluster](http::Request& request, http::Response& response) {
    std::string text = "served " + std::string(request.url()) + " with";
    for (const std::string& argument : worker_arguments()) text += " " + argument;
    response.end(text);
    cluster.process().send(Value{{"url", request.url()}, {"pid", getpid()}});
  });
  ListenOptions options;
  options.host = "127.0.0.1";
  server.listen(options);
  cluster.process().on_message([&cluster](Message& message) {
    if (message.data == Value("close the shop")) cluster.worker()->disconnect();
  });
  return loop.run();
}

class NodePrimary : public testing::TestWithParam<VersionAndPolicy> {};

INSTANTIATE_TEST_SUITE_P(Node, NodePrimary, testing::Combine(testing::ValuesIn(node_versions), policies), name_of);

TEST_P(NodePrimary, DrivesMusterWorkersAndReplacesOne) {
  const auto [version, policy] = GetParam();
  const ProgramFolder folder;

  const ProgramResult result = run_program({node_program(version), folder.path() + "/primary.js"},
                                           {{"NODE_CLUSTER_SCHED_POLICY", policy},
                                            {"TESTS_WORKER", "Shop"},
                                            {"WORKER", std::filesystem::read_symlink("/proc/self/exe").string()}});

  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output, policy == std::string("rr") ? "12 requests, workers 1,2\n"
                                                         "worker 1 died: SIGKILL\n"
                                                         "12 requests, workers 2,3\n"
                                                         "a worker left: 0\n"
                                                         "a worker left: 0\n"
                                                       : "12 requests\n"
                                                         "worker 1 died: SIGKILL\n"
                                                         "12 requests\n"
                                                         "a worker left: 0\n"
                                                         "a worker left: 0\n");
}

}  // namespace
}  // namespace muster::test
