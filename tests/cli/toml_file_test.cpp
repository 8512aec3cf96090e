// SPDX-License-Identifier: MIT
#include "config/toml_file.h"

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

FileContent read(std::string_view text) { return read_toml(text, "muster.toml", "/srv"); }

std::vector<std::string> remarks_of(const FileContent& content) {
  std::vector<std::string> all;
  for (const auto& diagnostic : content.diagnostics) all.push_back(to_string(diagnostic));
  return all;
}

using Texts = std::vector<std::string>;

// What is said for a setting at last.
Values value_of(const FileApp& app, std::string_view setting) {
  Values values;
  for (const auto& given : app.given) {
    if (given.setting == setting) values = given.values;
  }
  return values;
}

TEST(TomlFile, HasOneAppAtItsTop) {
  const auto content = read(R"(
app = "server.js"
args = ["--port", 80]
interpreter_args = "--inspect '--title=a b'"
workers = 4
pin = true
heartbeat = 2.5
listen = "unix:/a b"
[env]
PORT = 8000
NAME = "x y"
)");
  EXPECT_EQ(remarks_of(content), Texts{});
  ASSERT_EQ(content.apps.size(), 1u);
  const auto& app = content.apps[0];
  EXPECT_EQ(app.name, "");
  EXPECT_EQ(app.folder, "/srv");
  EXPECT_EQ(value_of(app, "args"), (Values{"--port", "80"}));
  EXPECT_EQ(value_of(app, "interpreter_args"), (Values{"--inspect", "--title=a b"}));
  EXPECT_EQ(value_of(app, "workers"), Values{"4"});
  EXPECT_EQ(value_of(app, "pin"), Values{"true"});
  EXPECT_EQ(value_of(app, "heartbeat"), Values{"2.5"});
  EXPECT_EQ(value_of(app, "listen"), Values{"unix:/a b"});
  EXPECT_EQ(value_of(app, "env"), (Values{"PORT=8000", "NAME=x y"}));
}

TEST(TomlFile, HasAppsInTheirOrderWithDefaultsAbove) {
  const auto content = read("workers = 2\n[apps.web]\napp = \"web.js\"\n[apps.api]\napp = \"api.js\"\nworkers = 4\n");
  EXPECT_EQ(remarks_of(content), Texts{});
  ASSERT_EQ(content.apps.size(), 2u);
  EXPECT_EQ(content.apps[0].name, "web");
  EXPECT_EQ(value_of(content.apps[0], "workers"), Values{"2"});
  EXPECT_EQ(content.apps[1].name, "api");
  EXPECT_EQ(value_of(content.apps[1], "workers"), Values{"4"});
  EXPECT_EQ(to_string(content.apps[1].place), "muster.toml:4:7");
}

TEST(TomlFile, TellsEveryMistakeAndWhereItIs) {
  EXPECT_EQ(remarks_of(read("app = true\n"
                            "\n"
                            "max_memroy = \"200M\"\n"
                            "listen = 1979-05-27\n"
                            "watch = true\n"
                            "args = [1, [2]]\n"
                            "env = \"PORT=80\"\n")),
            (Texts{"muster.toml:1:7: app cannot be true or false; accepted: a file, or the name of a program on the PATH",
                   "muster.toml:3:1: unknown key \"max_memroy\"; did you mean \"max_memory\"?",
                   "muster.toml:4:10: listen cannot be a date or a time of day; accepted: tcp://host:port, tcp://[::]:port, "
                   "unix:/path or udp://host:port",
                   "muster.toml:5:1: unknown key \"watch\"",
                   "muster.toml:6:12: args cannot be a list; accepted: a list of texts, or one text that is split at spaces",
                   "muster.toml:7:7: env cannot be one value; accepted: a table [env] of KEY = \"VALUE\""}));
}

TEST(TomlFile, TellsMistakesInApps) {
  EXPECT_EQ(
      remarks_of(read("name = \"x\"\n[apps]\nworkers = 2\n[apps.all]\nname = \"y\"\n[apps.api]\nworkrs = 1\n")),
      (Texts{
          "muster.toml:1:1: the name of an app is that of its table: [apps.NAME]",
          "muster.toml:3:1: the app \"workers\" cannot be one value; accepted: a table [apps.NAME]; \"workers\" for every app "
          "goes above [apps]",
          "muster.toml:4:7: an app cannot be called \"all\"; accepted: up to 64 letters, digits and . _ -, no dot first, "
          "not \"all\"",
          "muster.toml:5:1: the name of an app is that of its table: [apps.NAME]",
          "muster.toml:7:1: unknown key \"workrs\"; did you mean \"workers\"?"}));
  EXPECT_EQ(remarks_of(read("[[apps]]\napp = \"x\"\n")),
            Texts{"muster.toml:1:1: apps cannot be a list; accepted: a table [apps.NAME] for each app"});
  EXPECT_EQ(remarks_of(read("[apps]\n")), Texts{"muster.toml:1:1: [apps] has no app; accepted: a table [apps.NAME] for each"});
  EXPECT_EQ(
      remarks_of(read("[app.api]\nworkers = 1\n")),
      Texts{"muster.toml:1:1: app cannot be a table; accepted: a file, or the name of a program on the PATH; several apps "
            "are tables [apps.NAME]"});
}

TEST(TomlFile, HasNoKeyWithoutEnd) {
  std::string key = "a";
  for (int i = 0; i < 100'000; ++i) key += ".a";
  for (const std::string& text : {key + " = 1\n", "[" + key + "]\n", "b = {" + key + " = 1}\n"}) {
    EXPECT_EQ(remarks_of(read(text)), Texts{"muster.toml: has a key of too many parts"});
  }
  std::string dots = "app = \"a.js\"\nargs = [";
  for (int i = 0; i < 300; ++i) dots += "1.5, ";
  EXPECT_EQ(remarks_of(read(dots + "\"" + std::string(300, '.') + "\"]\n")), Texts{});
}

TEST(TomlFile, SaysWhereItIsNoToml) {
  const auto content = read("app = \"x\"\nworkers = = 2\n");
  ASSERT_EQ(content.diagnostics.size(), 1u);
  EXPECT_TRUE(content.apps.empty());
  EXPECT_EQ(to_string(content.diagnostics[0].place), "muster.toml:2:11");
}

}  // namespace
}  // namespace muster::cli
