// SPDX-License-Identifier: MIT
// What the documents say of the command is so.

#include <sys/stat.h>

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/config.h"
#include "support/run.h"

namespace muster::cli {
namespace {

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(std::string(MUSTER_SOURCE_DIR) + "/" + path).rdbuf();
  return text.str();
}

TEST(Document, ConfigurationIsAccepted) {
  const std::string document = read("docs/command.md");
  const auto begin = document.find("```toml\n");
  ASSERT_NE(begin, std::string::npos);
  const auto end = document.find("```", begin + 8);
  const test::TemporaryFolder folder;
  ASSERT_EQ(mkdir((folder.path() + "/api").c_str(), 0700), 0);
  folder.write("api/server.js", "");
  folder.write("gunicorn", "#!/bin/sh\n");
  ASSERT_EQ(chmod((folder.path() + "/gunicorn").c_str(), 0700), 0);
  folder.write("muster.toml", document.substr(begin + 8, end - begin - 8));

  Sources sources;
  sources.cwd = folder.path();
  sources.environment["PATH"] = folder.path() + ":" + std::getenv("PATH");
  const Resolved resolved = resolve(sources);

  ASSERT_TRUE(resolved.ok()) << report(resolved);
  ASSERT_EQ(resolved.apps.size(), 2U);
  EXPECT_EQ(resolved.apps[0].config.env.at("PORT"), "8000");
  EXPECT_EQ(resolved.apps[1].config.max_memory, 300U << 20);
}

// Each flag that a document names is one, --json and the like aside.
TEST(Document, FlagsAreThere) {
  for (const char* path : {"docs/command.md", "README.md", "deploy/systemd/api.service", "deploy/docker/Dockerfile"}) {
    const std::string text = read(path);
    ASSERT_FALSE(text.empty()) << path;
    for (std::size_t at = 0; (at = text.find("--", at)) != std::string::npos;) {
      const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
      const std::string flag = text.substr(at, end - at);
      const bool begins = at == 0 || std::string_view(" `\"(\n").find(text[at - 1]) != std::string_view::npos;
      at = end;
      if (!begins || flag.size() < 4 || flag[2] == '-') continue;
      bool known = false;
      for (const char* other :
           {"--json", "--help", "--config", "--fd", "--from", "--install", "--gtest", "--no-install-recommends", "--prefix"})
        known |= flag == other;
      for (const Setting& setting : settings()) known |= flag == flag_name(setting);
      EXPECT_TRUE(known) << path << ": " << flag;
    }
  }
}

}  // namespace
}  // namespace muster::cli
