// SPDX-License-Identifier: MIT
// A worker that speaks another version of what muster's ends have beyond Node.

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "support/run.h"

namespace muster::test {
namespace {

// Says that it is online with this, and sends the first message that it gets back to the program.
constexpr const char* worker_program = R"(
import json, os, socket, sys
channel = socket.socket(fileno=int(os.environ['NODE_CHANNEL_FD']))
send = lambda message: channel.sendall((json.dumps(message) + '\n').encode())
send({'cmd': 'NODE_CLUSTER', 'act': 'online', 'muster': json.loads(sys.argv[1]), 'seq': 0})
send({'cmd': 'NODE_CLUSTER', 'act': 'queryServer', 'index': 0, 'data': None, 'address': '127.0.0.1', 'port': 0,
      'addressType': 4, 'flags': 0, 'backlog': 0, 'seq': 1})
send({'first': json.loads(channel.makefile().readline())})
)";

struct Extension : testing::Test {
  // What the primary says first to a worker that says `version`, in JSON.
  Value first_answer(const std::string& version) {
    const std::string file = testing::TempDir() + "extension_worker_" + std::to_string(getpid()) + ".py";
    std::ofstream(file) << worker_program;
    Primary primary;
    Settings settings;
    settings.exec = file;
    settings.exec_path = "python3";
    settings.args = {version};
    primary.cluster.setup_primary(settings);
    Value first;
    Worker worker = primary.cluster.fork();
    worker.on_message([&](Message& message) { first = message.data["first"]; });
    primary.run();
    std::filesystem::remove(file);
    return first;
  }
};

TEST_F(Extension, OfANewerWorkerIsThePrimarysVersion) {
  const Value first = first_answer("99");

  EXPECT_EQ(first["msg"]["act"].string_or(""), "muster");
  EXPECT_EQ(first["msg"]["muster"], 2);
}

TEST_F(Extension, OfAWorkerThatSaysNoNumberIsNodes) {
  for (const char* version : {"0", "-1", "true", "\"1\"", "0.5", "null", "{}"}) {
    const Value first = first_answer(version);

    EXPECT_TRUE(first["act"].is_undefined()) << version;
    EXPECT_EQ(first["ack"], 1) << version;
  }
}

}  // namespace
}  // namespace muster::test
