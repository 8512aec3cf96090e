// SPDX-License-Identifier: MIT
#include "core/inspection.h"

#include <gtest/gtest.h>
#include <muster/error.h>

namespace muster::core {
namespace {

Settings told(std::vector<std::string> exec_argv) {
  Settings settings;
  settings.exec_argv = std::move(exec_argv);
  return settings;
}

TEST(InspectPorts, AreNotGivenOutUnlessSomebodyAsks) {
  InspectPorts ports;
  Settings settings = told({"--max-old-space-size=100"});
  settings.inspect_port = InspectPort([]() -> int { throw std::logic_error("asked for nothing"); });

  EXPECT_EQ(ports.next(settings, "--no-warnings", {}), std::nullopt);
}

TEST(InspectPorts, CountUpFromNodesOwn) {
  InspectPorts ports;

  EXPECT_EQ(ports.next(told({"--inspect"}), "", {}), (Inspection{"127.0.0.1", 9230}));
  EXPECT_EQ(ports.next(told({"--inspect-brk"}), "", {}), (Inspection{"127.0.0.1", 9231}));
}

TEST(InspectPorts, CountUpFromWhatThePrimaryWasTold) {
  for (const char* options :
       {"--inspect=9300", "--inspect-brk=0.0.0.0:9300", "--no-warnings  --inspect-port=9300", "--debug-port=9300"}) {
    InspectPorts ports;

    EXPECT_EQ(ports.next({}, options, {})->port, 9301) << options;
  }
}

TEST(InspectPorts, KeepTheHostThatWorkersAreTold) {
  InspectPorts ports;

  EXPECT_EQ(ports.next(told({"--inspect=0.0.0.0:9400"}), "", {}), (Inspection{"0.0.0.0", 9230}));
  EXPECT_EQ(ports.next(told({"--inspect=localhost"}), "", {}), (Inspection{"localhost", 9231}));
}

TEST(InspectPorts, StartAgainAboveTheReservedOnesWhenTheyRunOut) {
  InspectPorts ports;

  EXPECT_EQ(ports.next({}, "--inspect=65534", {})->port, 65535);
  EXPECT_EQ(ports.next({}, "--inspect=65534", {})->port, 1024);
}

TEST(InspectPorts, AreWhatTheProgramChose) {
  InspectPorts ports;
  EXPECT_EQ(ports.next(told({"--inspect"}), "", 0)->port, 0);
  EXPECT_EQ(ports.next(told({"--inspect"}), "", 7000)->port, 7000);

  // And counting has not gone on meanwhile.
  EXPECT_EQ(ports.next(told({"--inspect"}), "", {})->port, 9230);
}

TEST(InspectPorts, RefuseWhatIsNoPort) {
  InspectPorts ports;
  for (const int port : {-1, 65536}) {
    try {
      ports.next(told({"--inspect"}), "", port);
      ADD_FAILURE() << port;
    } catch (const Exception& e) {
      EXPECT_EQ(e.code(), Errc::socket_bad_port);
      EXPECT_EQ(std::string(e.what()), "ERR_SOCKET_BAD_PORT: settings.inspect_port should be >= 0 and < 65536. Received " +
                                           std::to_string(port) + ".");
    }
  }
}

}  // namespace
}  // namespace muster::core
