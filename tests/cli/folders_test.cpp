// SPDX-License-Identifier: MIT
#include "folders.h"

#include <sys/stat.h>

#include <filesystem>
#include <stdexcept>

#include <gtest/gtest.h>

#include "support.h"

namespace muster::cli {
namespace {

TEST(WriteFile, PutsWhatIsWholeInPlaceOfWhatWasThere) {
  test::Session session;
  session.write("state.json", "before");
  ASSERT_EQ(chmod(session.path().c_str(), 0700), 0);

  write_file(session.file("state.json"), "after");

  EXPECT_EQ(session.read("state.json"), "after");
  EXPECT_FALSE(std::filesystem::exists(session.file("state.json.new")));
}

// Whoever owns the folder above has put another in its place.
TEST(WriteFile, FollowsNoLinkInPlaceOfTheFolder) {
  test::Session session;
  std::filesystem::create_directory(session.file("other"));
  session.write("other/state.json", "kept");
  session.write("other/state.json.new", "kept");
  std::filesystem::create_directory_symlink("other", session.file("folder"));

  EXPECT_THROW(write_file(session.file("folder/state.json"), "after"), std::runtime_error);

  EXPECT_EQ(session.read("other/state.json"), "kept");
  EXPECT_EQ(session.read("other/state.json.new"), "kept");
}

TEST(WriteFile, NeedsAFolderThatNobodyElseMayChange) {
  test::Session session;
  std::filesystem::create_directory(session.file("folder"));
  ASSERT_EQ(chmod(session.file("folder").c_str(), 0777), 0);

  EXPECT_THROW(write_file(session.file("folder/state.json"), "x"), std::runtime_error);
}

}  // namespace
}  // namespace muster::cli
