// SPDX-License-Identifier: MIT
#include "config/config.h"

#include <filesystem>
#include <set>

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/run.h"

namespace muster::cli {
namespace {

using Texts = std::vector<std::string>;

// A folder with apps, and a PATH of its own.
class Config : public ::testing::Test {
 protected:
  Config() {
    std::filesystem::create_directory(path("bin"));
    program("bin/node");
    program("bin/gunicorn");
    file("server.js");
    file("other.js");
    sources.cwd = folder.path();
    sources.environment["PATH"] = path("bin");
  }

  std::string path(const std::string& name) const { return folder.path() + "/" + name; }
  void file(const std::string& name, const std::string& text = "") { folder.write(name, text); }
  void program(const std::string& name) {
    file(name, "#!/bin/sh\n");
    chmod(path(name).c_str(), 0755);
  }
  void flag(const std::string& setting, const Values& values) {
    sources.flags.push_back({.setting = setting, .values = values, .called = flag_name(*find_setting(setting))});
  }

  // With the folder left out, which has another name each time.
  Texts diagnostics(const Resolved& resolved) const {
    Texts all;
    for (const auto& diagnostic : resolved.diagnostics) {
      std::string text = to_string(diagnostic);
      for (auto at = text.find(folder.path()); at != std::string::npos; at = text.find(folder.path())) {
        text.replace(at, folder.path().size(), "DIR");
      }
      all.push_back(text);
    }
    return all;
  }
  Texts diagnostics() const { return diagnostics(resolve(sources)); }
  // Of one app without mistakes.
  AppConfig config() const {
    const auto resolved = resolve(sources);
    EXPECT_EQ(diagnostics(resolved), Texts{});
    return resolved.apps.empty() ? AppConfig{} : resolved.apps[0].config;
  }

  test::TemporaryFolder folder;
  Sources sources;
};

TEST(Settings, HaveNamesThatAreFlagsAndVariablesToo) {
  const auto* setting = find_setting("max_memory");
  ASSERT_TRUE(setting);
  EXPECT_EQ(flag_name(*setting), "--max-memory");
  EXPECT_EQ(variable_name(*setting), "MUSTER_MAX_MEMORY");
  EXPECT_FALSE(find_setting("watch"));
  std::set<std::string> names;
  for (const auto& name : setting_names()) EXPECT_TRUE(names.insert(name).second) << name;
}

TEST(Settings, ReadTheTextsTheyWrite) {
  AppConfig config;
  config.name = "api";
  config.args = {"a", "b"};
  config.env = {{"PORT", "80"}, {"EMPTY", ""}};
  config.listen = {"tcp://*:80"};
  config.workers = 0;
  config.policy = SchedulingPolicy::ip_hash;
  config.pin = true;
  config.ready = ReadySign::notify;
  config.max_memory = 200 << 20;
  config.heartbeat = Milliseconds(2'500);
  config.log_format = LogFormat::json;
  config.admin = "[::1]:9000";

  EXPECT_EQ(nlohmann::json::parse(nlohmann::json(config).dump()).get<AppConfig>(), config);
}

TEST(Settings, CoverTheWholeConfiguration) {
  AppConfig config;
  for (const auto& setting : settings()) {
    AppConfig changed;
    bool differs = false;
    for (const auto* text : {"1", "5", "true", "json", "kernel", "notify", "A=b", "tcp://*:1", "host:1"}) {
      changed = {};
      differs = differs || (setting.set(changed, text) && !(changed == config) && setting.get(changed) != setting.get(config));
    }
    EXPECT_TRUE(differs) << setting.name;
    EXPECT_FALSE(setting.help.empty() || setting.heading.empty() || setting.accepted.empty()) << setting.name;
  }
}

TEST(AppName, IsThatOfTheFileWithWhatIsNotAllowedLeftOut) {
  EXPECT_EQ(app_name_of("/srv/server.js"), "server");
  EXPECT_EQ(app_name_of("my app.v2.js"), "my-app.v2");
  EXPECT_EQ(app_name_of(".hidden"), "hidden");
  EXPECT_EQ(app_name_of("all.js"), "all-app");
  EXPECT_EQ(app_name_of("..."), "app");
  EXPECT_EQ(app_name_of(std::string(100, 'x')), std::string(64, 'x'));
  for (const auto* name : {"", "all", ".x", "a b", "a/b", "\xc3\xa9"}) EXPECT_FALSE(valid_app_name(name)) << name;
}

TEST_F(Config, IsCompletedFromTheApp) {
  sources.words = {"server.js", "--port", "80"};
  const auto found = config();
  EXPECT_EQ(found.app, path("server.js"));
  EXPECT_EQ(found.args, (Values{"--port", "80"}));
  EXPECT_EQ(found.name, "server");
  EXPECT_EQ(found.interpreter, "node");
  EXPECT_EQ(found.cwd, folder.path());
}

TEST_F(Config, LeavesAProgramToThePath) {
  sources.words = {"gunicorn"};
  EXPECT_EQ(config().app, "gunicorn");
  EXPECT_EQ(config().interpreter, "");
}

TEST_F(Config, TakesAFlagBeforeAVariableBeforeAFileBeforeADefault) {
  file("muster.toml", "app = \"server.js\"\nworkers = 2\nparallel = 2\nmax_restarts = 2\nenv = {A = 1, B = 1, C = 1}\n");
  sources.environment["MUSTER_WORKERS"] = "3";
  sources.environment["MUSTER_PARALLEL"] = "3";
  sources.environment["MUSTER_ENV"] = "B=2 C=2";
  flag("workers", {"4"});
  flag("env", {"C=3 4"});

  const auto found = config();

  EXPECT_EQ(found.workers, 4u);
  EXPECT_EQ(found.parallel, 3u);
  EXPECT_EQ(found.max_restarts, 2u);
  EXPECT_EQ(found.log_files, 5u);
  EXPECT_EQ(found.env, (std::map<std::string, std::string>{{"A", "1"}, {"B", "2"}, {"C", "3 4"}}));
}

TEST_F(Config, TellsWhoSaidWhat) {
  file("muster.toml", "app = \"server.js\"\nparallel = 2\n");
  sources.environment["MUSTER_WORKERS"] = "3";
  flag("policy", {"none"});
  const auto resolved = resolve(sources);
  ASSERT_EQ(resolved.apps.size(), 1u);
  EXPECT_EQ(
      resolved.apps[0].origins,
      (std::map<std::string, std::string>{
          {"app", "muster.toml:1:1"}, {"parallel", "muster.toml:2:1"}, {"policy", "--policy"}, {"workers", "MUSTER_WORKERS"}}));
  EXPECT_EQ(resolved.file, path("muster.toml"));
}

TEST_F(Config, ReadsEveryKindOfSetting) {
  sources.words = {"server.js"};
  flag("workers", {"max"});
  flag("policy", {"least-connections"});
  flag("pin", {"true"});
  flag("ready_timeout", {"5m"});
  flag("max_memory", {"200M"});
  flag("admin", {"127.0.0.1:9000"});
  const auto found = config();
  EXPECT_EQ(found.workers, 0u);
  EXPECT_EQ(found.policy, SchedulingPolicy::least_connections);
  EXPECT_TRUE(found.pin);
  EXPECT_EQ(found.ready_timeout, Milliseconds(300'000));
  EXPECT_EQ(found.max_memory, 200u << 20);
  EXPECT_EQ(found.admin, "127.0.0.1:9000");
}

TEST_F(Config, AsksToBeForcedToMoreWorkersThanAMachineCarries) {
  sources.words = {"server.js"};
  flag("workers", {"5000"});
  ASSERT_EQ(diagnostics().size(), 1U);
  EXPECT_NE(diagnostics()[0].find("--workers cannot be 5000: 5000 workers are more than"), std::string::npos)
      << diagnostics()[0];
  EXPECT_NE(diagnostics()[0].find("accepted: fewer, or 5000 with --force"), std::string::npos) << diagnostics()[0];
  flag("force", {"true"});
  EXPECT_EQ(diagnostics(), Texts{});
}

TEST_F(Config, SaysWhereWorkersOfAnotherUserMayListen) {
  sources.words = {"server.js"};
  flag("user", {"nobody"});
  flag("may_listen", {"80", "127.0.0.1:443", "unix:run/x", "0", "tcp://*:80", "http"});
  EXPECT_EQ(diagnostics(), (Texts{"--may-listen cannot be \"0\"; accepted: a port from 1, host:port or unix:/path",
                                  "--may-listen cannot be \"tcp://*:80\"; accepted: a port from 1, host:port or unix:/path",
                                  "--may-listen cannot be \"http\"; accepted: a port from 1, host:port or unix:/path"}));
}

TEST_F(Config, SaysWhichGroupAUserWithoutAnEntryNeeds) {
  sources.words = {"server.js"};
  flag("user", {"3999999"});
  EXPECT_EQ(diagnostics(), (Texts{"--user is 3999999, which has no entry and so no group; --group must say it"}));
  flag("group", {"3999999"});
  EXPECT_EQ(diagnostics(), Texts{});
}

TEST_F(Config, SaysWhatIsAcceptedInPlaceOfWhatIsWrong) {
  sources.words = {"server.js"};
  sources.environment["MUSTER_POLICY"] = "least_connection";
  flag("workers", {"0"});
  flag("parallel", {"0"});
  flag("max_memory", {"lots"});
  flag("listen", {"tcp://*:80", "8000"});
  flag("name", {"all"});
  flag("env", {"PORT"});
  flag("pin", {"maybe"});
  EXPECT_EQ(
      diagnostics(),
      (Texts{
          "MUSTER_POLICY cannot be \"least_connection\"; accepted: round_robin, rr, none, least_connections, ip_hash, kernel; "
          "did you mean \"least_connections\"?",
          "--workers cannot be \"0\"; accepted: a whole number from 1, or max: one for each processor",
          "--parallel cannot be \"0\"; accepted: a whole number from 1",
          "--max-memory cannot be \"lots\"; accepted: a size, such as 512K, 200M or 1.5G; without a unit, bytes",
          "--listen cannot be \"8000\"; accepted: tcp://host:port, tcp://[::]:port, unix:/path or udp://host:port",
          "--name cannot be \"all\"; accepted: up to 64 letters, digits and . _ -, no dot first, not \"all\"",
          "--env cannot be \"PORT\"; accepted: KEY=VALUE", "--pin cannot be \"maybe\"; accepted: true or false"}));
}

TEST_F(Config, TellsEveryMistakeOfAFileInItsOrder) {
  file("muster.toml",
       "workers = 0\nmax_memroy = 1\npolicy = \"random\"\napp = \"servr.js\"\nbackoff = \"1m\"\nmax_backoff = 1\n");
  EXPECT_EQ(diagnostics(),
            (Texts{"muster.toml:1:1: workers cannot be \"0\"; accepted: a whole number from 1, or max: one for each "
                   "processor",
                   "muster.toml:2:1: unknown key \"max_memroy\"; did you mean \"max_memory\"?",
                   "muster.toml:3:1: policy cannot be \"random\"; accepted: round_robin, rr, none, least_connections, "
                   "ip_hash, kernel",
                   "muster.toml:4:1: there is no file \"servr.js\" in DIR, nor a program of that name on the PATH; did "
                   "you mean \"server.js\"?",
                   "muster.toml:6:1: max_backoff of 1s is less than backoff of 1m"}));
}

TEST_F(Config, TellsAMistakeInTheDefaultsOfSeveralAppsOnce) {
  file("muster.toml", "workers = 0\napp = \"server.js\"\n[apps.a]\n[apps.b]\n");
  EXPECT_EQ(diagnostics(),
            Texts{"muster.toml:1:1: workers cannot be \"0\"; accepted: a whole number from 1, or max: one for each "
                  "processor"});
}

TEST_F(Config, KnowsPathsInAFileFromWhereTheFileIs) {
  std::filesystem::create_directories(path("etc/run"));
  file("etc/app.js");
  file("etc/muster.toml", "app = \"app.js\"\ncwd = \"run\"\nlog_file = \"../log\"\nlisten = \"unix:a.sock\"\n");
  sources.config = "etc/muster.toml";
  const auto found = config();
  EXPECT_EQ(found.app, path("etc/app.js"));
  EXPECT_EQ(found.cwd, path("etc/run"));
  EXPECT_EQ(found.log_file, path("log"));
  EXPECT_EQ(found.listen, Values{"unix:" + path("etc/a.sock")});
}

TEST_F(Config, HasSeveralAppsInOneFile) {
  file("muster.toml", "workers = 2\n[apps.web]\napp = \"server.js\"\n[apps.api]\napp = \"other.js\"\nworkers = 3\n");
  const auto resolved = resolve(sources);
  EXPECT_EQ(diagnostics(resolved), Texts{});
  ASSERT_EQ(resolved.apps.size(), 2u);
  EXPECT_EQ(resolved.apps[0].config.name, "web");
  EXPECT_EQ(resolved.apps[0].config.workers, 2u);
  EXPECT_EQ(resolved.apps[1].config.name, "api");
  EXPECT_EQ(resolved.apps[1].config.workers, 3u);
  EXPECT_EQ(report(resolved), "muster.toml: 2 apps, no mistakes\n");
}

TEST_F(Config, TakesTheAppsOfAFileThatWordsName) {
  file("muster.toml", "[apps.web]\napp = \"server.js\"\n[apps.api]\napp = \"missing.js\"\n");
  sources.words = {"web"};
  EXPECT_EQ(config().name, "web");

  sources.words = {"muster.toml", "web"};
  EXPECT_EQ(config().name, "web");

  sources.words = {"muster.toml", "wbe"};
  EXPECT_EQ(diagnostics(), Texts{"muster.toml: has no app \"wbe\"; accepted: web, api; did you mean \"web\"?"});
}

TEST_F(Config, DoesNotCareForAFileWhenTheCommandNamesAnApp) {
  file("muster.toml", "this is = no toml\n");
  sources.words = {"server.js"};
  EXPECT_EQ(config().app, path("server.js"));
}

TEST_F(Config, TellsAMistakeInAFileThatHidesItsNames) {
  file("muster.toml", "[apps.api\n");
  sources.words = {"api"};
  const auto all = diagnostics();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].substr(0, 14), "muster.toml:1:");
}

TEST_F(Config, RefusesAnEmptyApp) {
  sources.words = {""};
  EXPECT_EQ(diagnostics(), Texts{"APP cannot be \"\"; accepted: a file, or the name of a program on the PATH"});
}

TEST_F(Config, IsNotThatOfTheWorkerThatAsks) {
  sources.words = {"server.js"};
  for (const auto* name : {"MUSTER_APP", "MUSTER_WORKER", "MUSTER_GENERATION", "MUSTER_REPORT_FD", "MUSTER_DRAIN_TIMEOUT"}) {
    sources.environment[name] = "1";
  }
  EXPECT_EQ(config().drain_timeout, AppConfig{}.drain_timeout);
  EXPECT_EQ(config().name, "server");
  sources.environment.erase("MUSTER_WORKER");
  EXPECT_EQ(config().drain_timeout, Milliseconds(1'000));
}

TEST_F(Config, SuggestsAnAppOfTheFileToo) {
  file("muster.toml", "[apps.payments]\napp = \"server.js\"\n");
  sources.words = {"paymnets"};
  EXPECT_EQ(diagnostics(), Texts{"there is no file \"paymnets\" in DIR, nor a program of that name on the PATH; did you mean "
                                 "\"payments\"?"});
}

TEST_F(Config, LetsWordsSayWhatRunsWithTheSettingsOfAFile) {
  file("settings.toml", "workers = 3\nargs = \"-a\"\n");
  sources.config = "settings.toml";
  sources.words = {"server.js", "-b"};
  EXPECT_EQ(config().workers, 3u);
  EXPECT_EQ(config().app, path("server.js"));
  EXPECT_EQ(config().args, Values{"-b"});
}

TEST_F(Config, NamesNoAppsWithoutWordsAndFile) {
  EXPECT_EQ(diagnostics(), Texts{"no app: name one, as in `muster run server.js`, or describe it in muster.toml"});
  file("ecosystem.config.js");
  EXPECT_EQ(diagnostics(), Texts{"no app: name one, as in `muster run server.js`, or describe it in muster.toml; there is "
                                 "ecosystem.config.js: `muster run ecosystem.config.js`"});
}

TEST_F(Config, HasItsAppAndItsFileFromVariables) {
  sources.environment["MUSTER_APP"] = "server.js";
  sources.environment["MUSTER_ARGS"] = "-a 'b c'";
  EXPECT_EQ(config().args, (Values{"-a", "b c"}));

  file("some.toml", "workers = 7\n");
  sources.environment["MUSTER_CONFIG"] = "some.toml";
  EXPECT_EQ(config().workers, 7u);
  EXPECT_EQ(config().app, path("server.js"));
}

TEST_F(Config, SaysWhyAFileCannotBeRead) {
  file("muster.toml", "");
  sources.config = "mustr.toml";
  EXPECT_EQ(diagnostics(), Texts{"mustr.toml: cannot be read: No such file or directory; did you mean \"muster.toml\"?"});
  EXPECT_EQ(report(resolve(sources)),
            "mustr.toml: cannot be read: No such file or directory; did you mean \"muster.toml\"?\nmustr.toml: 1 mistake\n");
  sources.config = "bin";
  EXPECT_EQ(diagnostics(), Texts{"bin: cannot be read: Is a directory"});
}

TEST_F(Config, WarnsOfVariablesThatAreNearlyKnown) {
  sources.words = {"server.js"};
  sources.environment["MUSTER_MAX_MEMROY"] = "1";
  sources.environment["TESTS_PORT"] = "1";
  sources.environment["TESTS_WRITE"] = "1";
  sources.environment["MUSTER_SOMETHING_ELSE"] = "1";
  sources.environment["MUSTER_WORKERS"] = "";
  EXPECT_EQ(diagnostics(), Texts{"warning: MUSTER_MAX_MEMROY means nothing; did you mean \"MUSTER_MAX_MEMORY\"?"});
  EXPECT_TRUE(resolve(sources).ok());
  EXPECT_EQ(
      report(resolve(sources)),
      "warning: MUSTER_MAX_MEMROY means nothing; did you mean \"MUSTER_MAX_MEMORY\"?\ncommand line: 1 app, no mistakes, 1 "
      "warning\n");
}

TEST_F(Config, FindsTheInterpreterOrSaysThatItIsMissing) {
  file("app.py");
  sources.words = {"app.py"};
  EXPECT_EQ(diagnostics(), Texts{"DIR/app.py is not executable; accepted: a program, or a script with --interpreter python3"});

  flag("interpreter", {"python9"});
  EXPECT_EQ(diagnostics(), Texts{"there is no program \"python9\" on the PATH, which is to run DIR/app.py"});

  sources.flags.clear();
  flag("interpreter", {"bin/nodr"});
  EXPECT_EQ(diagnostics(), Texts{"there is no interpreter DIR/bin/nodr; did you mean \"node\"?"});

  sources.flags.clear();
  program("tool.js");
  sources.words = {"tool.js"};
  flag("interpreter", {"none"});
  EXPECT_EQ(config().interpreter, "");
}

TEST_F(Config, RefusesWhatCannotBeRun) {
  sources.words = {"bin"};
  EXPECT_EQ(diagnostics(), Texts{"DIR/bin is a folder; accepted: a file, or the name of a program on the PATH"});
  sources.words = {"lib/server.js"};
  EXPECT_EQ(diagnostics(), Texts{"there is no folder DIR/lib for \"lib/server.js\""});
  sources.words = {"./servers.js"};
  EXPECT_EQ(diagnostics(), Texts{"there is no file \"servers.js\" in DIR; did you mean \"server.js\"?"});
  file("muster.toml", "[apps.api]\nworkers = 1\n");
  sources.words = {};
  EXPECT_EQ(diagnostics(), Texts{"muster.toml:1:7: app is missing: what runs as \"api\"?"});
}

TEST_F(Config, RefusesFoldersAndUsersThatAreNotThere) {
  sources.words = {"server.js"};
  flag("cwd", {"nowhere"});
  flag("user", {"nobody-of-this-name"});
  EXPECT_EQ(diagnostics(), (Texts{"there is no folder DIR/nowhere, which is --cwd",
                                  "there is no user \"nobody-of-this-name\", which is --user"}));
}

TEST_F(Config, RefusesContradictions) {
  sources.words = {"gunicorn"};
  flag("listen", {"tcp://*:80"});
  flag("ready", {"message"});
  flag("policy", {"ip_hash"});
  EXPECT_EQ(diagnostics(),
            (Texts{"--ready cannot be \"message\" with --listen: the app has its sockets from LISTEN_FDS and no channel "
                   "to tell so; accepted: automatic, notify, delay",
                   "warning: --policy has no meaning with --listen: the workers take connections themselves"}));
  sources.flags.clear();
  flag("interpreter_args", {"-x"});
  flag("ready_delay", {"1h"});
  EXPECT_EQ(diagnostics(), (Texts{"--interpreter-args without an interpreter",
                                  "--ready-delay of 1h is longer than ready_timeout of "
                                  "30s"}));
}

TEST_F(Config, LetsADefaultGiveWay) {
  sources.words = {"server.js"};
  flag("backoff", {"1m"});
  EXPECT_EQ(config().max_backoff, Milliseconds(60'000));
  sources.flags.clear();
  flag("max_backoff", {"50ms"});
  EXPECT_EQ(config().backoff, Milliseconds(50));
}

TEST_F(Config, RefusesWhatTwoAppsCannotShare) {
  file("muster.toml", "app = \"server.js\"\nadmin = \"127.0.0.1:9000\"\nlog_file = \"log\"\n[apps.a]\n[apps.b]\n");
  sources.environment["MUSTER_NAME"] = "x";
  EXPECT_EQ(diagnostics(), (Texts{"muster.toml:2:1: the apps \"x\" and \"x\" cannot both have admin 127.0.0.1:9000",
                                  "muster.toml:3:1: the apps \"x\" and \"x\" cannot both have log_file DIR/log",
                                  "muster.toml:5:7: two apps are called \"x\"", "MUSTER_NAME cannot be for 2 apps at once"}));
}

TEST_F(Config, IsResolvedFromTheSameSourcesAgain) {
  file("muster.toml", "app = \"server.js\"\n");
  flag("workers", {"2"});
  const auto again = nlohmann::json::parse(nlohmann::json(sources).dump()).get<Sources>();
  EXPECT_EQ(resolve(again).apps[0].config, resolve(sources).apps[0].config);

  file("muster.toml", "app = \"other.js\"\n");
  EXPECT_EQ(resolve(again).apps[0].config.app, path("other.js"));
  EXPECT_EQ(resolve(again).apps[0].config.workers, 2u);
}

TEST_F(Config, IsToldInJson) {
  file("muster.toml", "app = \"server.js\"\nwatch = 1\n");
  const auto json = nlohmann::json(resolve(sources));
  EXPECT_EQ(json["ok"], false);
  EXPECT_EQ(json["file"], path("muster.toml"));
  EXPECT_EQ(json["apps"][0]["config"]["kill_timeout"], "5s");
  EXPECT_EQ(json["apps"][0]["origins"]["app"], "muster.toml:1:1");
  EXPECT_EQ(
      json["remarks"][0],
      (nlohmann::json{
          {"file", "muster.toml"}, {"line", 2}, {"column", 1}, {"severity", "mistake"}, {"text", "unknown key \"watch\""}}));
}

}  // namespace
}  // namespace muster::cli
