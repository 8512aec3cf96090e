// SPDX-License-Identifier: MIT
#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

namespace muster::os {
namespace {

class File : public testing::Test {
 protected:
  File() {
    char name[] = "/tmp/muster-file-XXXXXX";
    folder = mkdtemp(name);
  }
  ~File() override { std::system(("rm -rf " + folder).c_str()); }

  std::string path(const std::string& name) const { return folder + "/" + name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
  Folder opened(const std::string& where) const {
    Folder result;
    EXPECT_EQ(result.open(where), 0);
    return result;
  }

  std::string folder;
};

TEST_F(File, IsReadWholeUpToALimit) {
  write("text", std::string(100'000, 'x'));

  EXPECT_EQ(read_file(path("text"), 100'000).text.size(), 100'000U);
  EXPECT_EQ(read_file(path("text"), 99'999).error, EFBIG);
  EXPECT_EQ(read_file(path("none"), 10).error, ENOENT);
  EXPECT_EQ(read_file(folder, 10).error, EISDIR);
}

TEST_F(File, ThatIsAPipeIsReadOnlyWhereItMayTakeTime) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);

  EXPECT_EQ(read_file(path("pipe"), 10).error, EINVAL);
  EXPECT_EQ(read_file(path("pipe"), 10, std::chrono::milliseconds(1)).error, ETIMEDOUT);
  std::thread writer([this] { write("pipe", "said"); });
  EXPECT_EQ(read_file(path("pipe"), 10, std::chrono::seconds(60)).text, "said");
  writer.join();
}

TEST_F(File, InAFolderOfOnesOwnMayBeALink) {
  write("file", "old ");
  ASSERT_EQ(symlink("file", path("link").c_str()), 0);
  const Folder mine = opened(folder);

  EXPECT_FALSE(mine.is_shared());
  EXPECT_EQ(mine.append("link").error, 0);
}

TEST_F(File, InAFolderThatOthersMayChangeIsNoLinkAndNobodyElses) {
  chmod(folder.c_str(), 0777);
  write("victim", "kept");
  ASSERT_EQ(symlink("victim", path("link").c_str()), 0);
  ASSERT_EQ(link(path("victim").c_str(), path("second").c_str()), 0);
  const Folder shared = opened(folder);

  EXPECT_TRUE(shared.is_shared());
  EXPECT_EQ(shared.append("link").error, ELOOP);
  EXPECT_EQ(shared.append("second").error, EPERM);
  EXPECT_EQ(shared.append("new").error, 0);
  EXPECT_EQ(shared.append("new").error, 0);
}

TEST_F(File, IsNotReachedOverALinkInAFolderThatOthersMayChange) {
  ASSERT_EQ(mkdir(path("real").c_str(), 0700), 0);
  ASSERT_EQ(symlink("real", path("way").c_str()), 0);
  EXPECT_EQ(opened(path("way")).append("log").error, 0);
  chmod(folder.c_str(), 0777);

  Folder through;
  EXPECT_EQ(through.open(path("way")), ELOOP);
  EXPECT_EQ(opened(path("real")).append("log").error, 0);
}

TEST_F(File, StaysInItsFolderWhateverBecomesOfTheName) {
  ASSERT_EQ(mkdir(path("here").c_str(), 0700), 0);
  const Folder here = opened(path("here"));
  ASSERT_EQ(rename(path("here").c_str(), path("there").c_str()), 0);

  EXPECT_EQ(here.append("log").error, 0);
  EXPECT_EQ(here.rename("log", "log.1"), 0);
  EXPECT_EQ(access(path("there/log.1").c_str(), F_OK), 0);
  EXPECT_EQ(here.remove("log.1"), 0);
}

TEST_F(File, ThatIsAPipeWithoutAReaderIsNotWaitedFor) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);

  EXPECT_EQ(opened(folder).append("pipe").error, ENXIO);
}

}  // namespace
}  // namespace muster::os
