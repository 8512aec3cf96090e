// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <muster/exit_status.h>

namespace muster {
namespace {

TEST(ExitStatus, HasACodeOrASignalAndNeverBoth) {
  EXPECT_EQ(ExitStatus::exited(3).code(), 3);
  EXPECT_EQ(ExitStatus::exited(3).signal(), std::nullopt);
  EXPECT_EQ(ExitStatus::killed(Signal::term).code(), std::nullopt);
  EXPECT_EQ(ExitStatus::killed(Signal::term).signal(), Signal::term);
}

TEST(ExitStatus, IsASuccessOnlyWithCodeZero) {
  EXPECT_TRUE(ExitStatus::exited(0).success());
  EXPECT_FALSE(ExitStatus::exited(1).success());
  EXPECT_FALSE(ExitStatus::killed(Signal::kill).success());
}

TEST(ExitStatus, IsPrintedAsSignalOrCode) {
  EXPECT_EQ(ExitStatus::exited(0).to_string(), "0");
  EXPECT_EQ(ExitStatus::exited(255).to_string(), "255");
  EXPECT_EQ(ExitStatus::killed(Signal::kill).to_string(), "SIGKILL");
}

}  // namespace
}  // namespace muster
