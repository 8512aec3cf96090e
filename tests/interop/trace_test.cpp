// SPDX-License-Identifier: MIT
// The same scenarios on Node's cluster and on muster: every event, in its order, with what is true at that moment.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include <gtest/gtest.h>

#include "core/json.h"
#include "support/node.h"
#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

std::vector<Value> scenarios() {
  std::ifstream file(MUSTER_SOURCE_DIR "/tests/conformance/scenarios.json");
  std::ostringstream text;
  text << file.rdbuf();
  return core::parse_json(text.str()).value().as_array();
}

// The events of each worker, without its id: what different workers do may interleave in any way, and any of them may be
// the first.
std::multiset<std::string> lives(const std::string& output) {
  std::map<std::string, std::string> events;
  std::istringstream stream(output);
  for (std::string line; std::getline(stream, line);) {
    // Node's own race: its answer may meet a channel that the worker has closed by then.
    if (line.ends_with("worker error EPIPE")) continue;
    const std::size_t space = line.find(' ');
    events[line.substr(0, space)] += line.substr(space + 1) + "\n";
  }
  std::multiset<std::string> result;
  for (const auto& [worker, life] : events) result.insert(life);
  return result;
}

std::vector<std::string> actions(const Value& script, const std::string& trigger) {
  std::vector<std::string> result;
  if (script[trigger].is_array()) {
    for (const Value& action : script[trigger].as_array()) result.push_back(action.as_string());
  }
  return result;
}

std::pair<std::string, std::string> split(const std::string& action) {
  const std::size_t space = action.find(' ');
  return {action.substr(0, space), space == std::string::npos ? "" : action.substr(space + 1)};
}

// The program of trace.js, as a worker.
struct TraceWorker {
  TraceWorker(Loop& l, Cluster& c) : loop(l), cluster(c) {
    cluster.process().on_message([this](Message& message) { act("message " + message.data.as_string()); });
    act("start");
  }

  void act(const std::string& trigger) {
    for (const std::string& action : actions(script, trigger)) {
      const auto [verb, word] = split(action);
      ListenOptions options;
      if (verb == "listen") {
        listen(options);
      } else if (verb == "listen-taken") {
        options.port = std::stoi(std::getenv("TAKEN"));
        options.host = "127.0.0.1";
        listen(options);
      } else if (verb == "listen-path") {
        options.path = std::getenv("TEST_PATH");
        listen(options);
      } else if (verb == "listen-exclusive") {
        options.exclusive = true;
        listen(options);
      } else if (verb == "close") {
        server->close([this] { act("closed"); });
      } else if (verb == "exit") {
        loop.stop(std::stoi(word));
        return;
      } else if (verb == "throw") {
        loop.stop(1);
        return;
      } else if (verb == "leave") {
        cluster.worker()->disconnect();
      } else if (verb == "kill") {
        cluster.worker()->kill();
      } else if (verb == "disconnect") {
        cluster.process().disconnect();
      } else if (verb == "signal") {
        // What was said before is on its way already, as in Node.
        loop.set_timeout(std::chrono::milliseconds(0),
                         [this, word = word] { cluster.process().kill(*Signal::from_name(word)); });
      } else if (verb == "send") {
        cluster.process().send(word);
      }
    }
  }

  void listen(const ListenOptions& options) {
    server.emplace(net::create_server(cluster, [](net::Socket) {}));
    server->on_listening([this] { loop.set_timeout(std::chrono::milliseconds(0), [this] { act("listening"); }); });
    server->on_error([this](const Error& error) {
      cluster.process().send("error-" + error_name(error.code));
      act("error");
    });
    server->listen(options);
  }

  Loop& loop;
  Cluster& cluster;
  const Value scenario = core::parse_json(std::getenv("SCENARIO")).value();
  const Value script = scenario["worker"];
  std::optional<net::Server> server;
};

WORKER(Trace) {
  TraceWorker worker(loop, cluster);
  return loop.run();
}

// The program of trace.js, as a primary.
struct TracePrimary : Primary {
  TracePrimary(Value s, Env e) : scenario(std::move(s)), script(scenario["primary"]), env(std::move(e)) {
    cluster.set_scheduling_policy(scenario["policy"] == Value("none") ? SchedulingPolicy::none : SchedulingPolicy::round_robin);
    Settings settings;
    settings.silent = true;
    cluster.setup_primary(settings);
    cluster.on_setup([this](const Settings&) { output << "0 cluster setup\n"; });
    cluster.on_fork([this](Worker w) {
      log(w, "cluster", "fork", facts(w));
      act("fork", w);
    });
    cluster.on_online([this](Worker w) {
      log(w, "cluster", "online", facts(w));
      act("online", w);
    });
    cluster.on_listening([this](Worker w, const Address& address) {
      log(w, "cluster", "listening", std::string(to_string(address.type)) + " " + facts(w));
      act("listening", w);
      if (++listening == scenario["workers"].as_number()) act("all-listening", w);
    });
    cluster.on_message([this](Worker w, Message& message) {
      log(w, "cluster", "message", message.data.as_string());
      act("message " + message.data.as_string(), w);
    });
    cluster.on_disconnect([this](Worker w) {
      log(w, "cluster", "disconnect", facts(w));
      act("disconnect", w);
    });
    cluster.on_exit([this](Worker w, ExitStatus status) {
      log(w, "cluster", "exit", status.to_string() + " " + facts(w));
      act("exit", w);
    });
    if (!scenario["taken"].truthy()) {
      fork_all();
      return;
    }
    blocker.emplace(net::create_server(cluster, [](net::Socket) {}));
    ListenOptions options;
    options.host = "127.0.0.1";
    blocker->listen(options, [this] {
      env["TAKEN"] = std::to_string(blocker->address()->port.value());
      blocker->unref();
      fork_all();
    });
  }

  void fork_all() {
    for (int i = 0; i < scenario["workers"].as_number(); ++i) fork();
  }

  void fork() {
    Worker w = cluster.fork(worker("Trace", env));
    w.on_online([this, w] { log(w, "worker", "online"); });
    w.on_listening([this, w](const Address&) { log(w, "worker", "listening"); });
    w.on_disconnect([this, w] { log(w, "worker", "disconnect"); });
    w.on_exit([this, w](ExitStatus) { log(w, "worker", "exit"); });
    w.on_message([this, w](Message& message) { log(w, "worker", "message", message.data.as_string()); });
    w.on_error([this, w](const Error& error) { log(w, "worker", "error", error_name(error.code)); });
    w.process().on_spawn([this, w] { log(w, "process", "spawn"); });
    w.process().on_message([this, w](Message& message) { log(w, "process", "message", message.data.as_string()); });
    w.process().on_disconnect([this, w] { log(w, "process", "disconnect"); });
    w.process().on_exit([this, w](ExitStatus) { log(w, "process", "exit"); });
  }

  std::string facts(const Worker& w) const {
    const auto said = [](bool b) { return b ? "true" : "false"; };
    const auto voluntary = w.exited_after_disconnect();
    return std::string("listed=") + said(cluster.workers().contains(w.id())) + " connected=" + said(w.is_connected()) +
           " dead=" + said(w.is_dead()) + " voluntary=" + (voluntary ? said(*voluntary) : "undefined");
  }

  void log(const Worker& w, const char* who, const char* event, const std::string& details = "") {
    output << w.id() << " " << who << " " << event << (details.empty() ? "" : " ") << details << "\n";
  }

  void act(const std::string& trigger, Worker w) {
    for (const std::string& action : actions(script, trigger)) {
      const auto [verb, word] = split(action);
      if (verb == "disconnect") {
        w.disconnect();
      } else if (verb == "kill") {
        w.process().kill(word.empty() ? Signal::term : *Signal::from_name(word));
      } else if (verb == "send") {
        w.send(word);
      } else if (verb == "process-disconnect") {
        w.process().disconnect();
      } else if (verb == "cluster-disconnect") {
        cluster.disconnect();
      } else if (verb == "fork") {
        fork();
      }
    }
  }

  Value scenario;
  Value script;
  Env env;
  int listening = 0;
  std::optional<net::Server> blocker;
  std::ostringstream output;
};

// Of two workers that end at once one may be reaped with the other, before its channel was read to the end. Neither Node nor
// muster says which of `disconnect` and `exit` comes first, and such a run can not be compared.
bool overtaken(const std::string& life) {
  const std::size_t exit = life.find("worker exit"), disconnect = life.find("worker disconnect");
  return exit != std::string::npos && disconnect != std::string::npos && exit < disconnect;
}

std::multiset<std::string> comparable(const Value& scenario, const std::function<std::string()>& play) {
  std::multiset<std::string> result = lives(play());
  for (int again = 0; scenario["workers"].as_number() > 1 && again < 10; ++again) {
    if (std::none_of(result.begin(), result.end(), overtaken)) break;
    result = lives(play());
  }
  return result;
}

class Trace : public testing::TestWithParam<std::tuple<Value, int>> {};

TEST_P(Trace, IsNodes) {
  const auto& [scenario, version] = GetParam();
  std::string text;
  core::write_json(scenario, text);
  const TemporaryFolder folder;
  const Env env{{"SCENARIO", text}, {"TEST_PATH", folder.path() + "/socket"}};

  const auto nodes = comparable(scenario, [&, version = version] {
    const ProgramResult node = run_program({node_program(version), MUSTER_SOURCE_DIR "/tests/conformance/trace.js"}, env);
    EXPECT_EQ(node.exit_code, 0) << node.output;
    return node.output;
  });
  const auto musters = comparable(scenario, [&, &scenario = scenario] {
    TracePrimary muster(scenario, env);
    muster.run();
    return muster.output.str();
  });

  EXPECT_EQ(musters, nodes);
}

INSTANTIATE_TEST_SUITE_P(Conformance, Trace, testing::Combine(testing::ValuesIn(scenarios()), testing::ValuesIn(node_versions)),
                         [](const auto& info) {
                           return std::get<0>(info.param)["name"].as_string() + "_" + node_name(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace muster::test
