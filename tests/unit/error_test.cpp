// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <muster/error.h>

#include <cerrno>

namespace muster {
namespace {

TEST(ErrorName, IsNodesCode) {
  EXPECT_EQ(error_name(Errc::ipc_channel_closed), "ERR_IPC_CHANNEL_CLOSED");
  EXPECT_EQ(error_name(Errc::child_process_ipc_required), "ERR_CHILD_PROCESS_IPC_REQUIRED");
  EXPECT_EQ(error_name(Errc::handle_not_received), "SentHandleNotReceivedWarning");
  EXPECT_EQ(error_name(std::error_code(EADDRINUSE, std::generic_category())), "EADDRINUSE");
  EXPECT_EQ(error_name(std::error_code(9999, std::generic_category())), "Unknown system error -9999");
}

TEST(ErrorName, KnowsEveryErrc) {
  for (int code = 1; code <= static_cast<int>(Errc::ipc_queue_full); ++code) {
    const std::error_code error = make_error_code(static_cast<Errc>(code));
    EXPECT_NE(error_name(error), "ERR_UNKNOWN") << code;
    EXPECT_NE(error.message(), "unknown error") << code;
  }
}

// The texts are those of Node 20's util._exceptionWithHostPort.
TEST(SystemError, ReadsAsInNode) {
  EXPECT_EQ(system_error(EADDRINUSE, "bind", "127.0.0.1", 8000).message, "bind EADDRINUSE 127.0.0.1:8000");
  EXPECT_EQ(system_error(EADDRINUSE, "bind", "", 8000).message, "bind EADDRINUSE null:8000");
  EXPECT_EQ(system_error(EADDRINUSE, "bind", "/x/y").message, "bind EADDRINUSE /x/y");
  EXPECT_EQ(system_error(EADDRNOTAVAIL, "bind", "127.0.0.1", 0).message, "bind EADDRNOTAVAIL 127.0.0.1");
  EXPECT_EQ(system_error(EADDRINUSE, "bind", "/x/y", -1).message, "bind EADDRINUSE /x/y");
  EXPECT_EQ(system_error(EACCES, "bind", "", 0).message, "bind EACCES");
  EXPECT_EQ(system_error(9999, "bind").message, "bind Unknown system error -9999");
}

TEST(SystemError, KeepsItsParts) {
  const Error error = system_error(ECONNREFUSED, "connect", "::1", 80);

  EXPECT_EQ(error.code, std::errc::connection_refused);
  EXPECT_EQ(error.syscall, "connect");
  EXPECT_EQ(error.address, "::1");
  EXPECT_EQ(error.port, 80);
}

TEST(Exception, CarriesNodesCodeAndText) {
  const Exception exception(Errc::ipc_one_pipe, "Child process can have only one IPC pipe");

  EXPECT_EQ(exception.code(), Errc::ipc_one_pipe);
  EXPECT_STREQ(exception.what(), "ERR_IPC_ONE_PIPE: Child process can have only one IPC pipe");
}

}  // namespace
}  // namespace muster
