// SPDX-License-Identifier: MIT
#include "config/ecosystem.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include <muster/loop.h>

#include "support/run.h"

namespace muster::cli {
namespace {

using Texts = std::vector<std::string>;

FileContent read(std::string_view json, const std::string& env_name = {}) {
  return read_ecosystem(json, "ecosystem.config.json", "/srv", env_name);
}

// Of the only app, which has this script.
FileContent app(const std::string& rest, const std::string& env_name = {}) {
  return read("{\"apps\": [{\"name\": \"api\", \"script\": \"api.js\", " + rest + "}]}", env_name);
}

Texts remarks_of(const FileContent& content) {
  Texts all;
  for (const auto& diagnostic : content.diagnostics) all.push_back(to_string(diagnostic));
  return all;
}

Values value_of(const FileContent& content, std::string_view setting) {
  Values values;
  if (content.apps.empty()) return {"no app"};
  for (const auto& given : content.apps[0].given) {
    if (given.setting == setting) values = given.values;
  }
  return values;
}

TEST(Ecosystem, IsKnownByItsName) {
  for (const auto* name : {"ecosystem.config.js", "/a/prod.config.cjs", "x.config.mjs", "process.json"}) {
    EXPECT_TRUE(is_ecosystem(name)) << name;
  }
  for (const auto* name : {"server.js", "config.js", "muster.toml", ""}) EXPECT_FALSE(is_ecosystem(name)) << name;
}

TEST(Ecosystem, HasItsSettingsUnderOtherNames) {
  const auto content = app(R"(
    "args": "--port 80 '--title=a b'", "interpreter": "bun", "node_args": ["--inspect"], "cwd": "app", "instances": 4,
    "exec_mode": "cluster", "env": {"PORT": 8000, "DEBUG": true, "NAME": "x y"}, "max_memory_restart": "200M",
    "max_restarts": 5, "kill_timeout": 1600, "wait_ready": true, "listen_timeout": "10s", "out_file": "out.log",
    "uid": 1000, "gid": "www", "restart_delay": 3000)");
  EXPECT_EQ(remarks_of(content), Texts{});
  ASSERT_EQ(content.apps.size(), 1u);
  EXPECT_EQ(content.apps[0].name, "api");
  EXPECT_EQ(content.apps[0].folder, "/srv/app") << "to PM2 all is relative to it";
  EXPECT_EQ(value_of(content, "app"), Values{"api.js"});
  EXPECT_EQ(value_of(content, "args"), (Values{"--port", "80", "--title=a b"}));
  EXPECT_EQ(value_of(content, "interpreter"), Values{"bun"});
  EXPECT_EQ(value_of(content, "interpreter_args"), Values{"--inspect"});
  EXPECT_EQ(value_of(content, "cwd"), Values{"/srv/app"});
  EXPECT_EQ(value_of(content, "workers"), Values{"4"});
  EXPECT_EQ(value_of(content, "env"), (Values{"DEBUG=true", "NAME=x y", "PORT=8000"}));
  EXPECT_EQ(value_of(content, "max_memory"), Values{"200M"});
  EXPECT_EQ(value_of(content, "max_restarts"), Values{"5"});
  EXPECT_EQ(value_of(content, "kill_timeout"), Values{"1600ms"}) << "PM2 counts in milliseconds";
  EXPECT_EQ(value_of(content, "ready"), Values{"message"});
  EXPECT_EQ(value_of(content, "ready_timeout"), Values{"10s"});
  EXPECT_EQ(value_of(content, "log_file"), Values{"out.log"});
  EXPECT_EQ(value_of(content, "user"), Values{"1000"});
  EXPECT_EQ(value_of(content, "group"), Values{"www"});
  EXPECT_EQ(value_of(content, "backoff"), Values{"3000ms"});
  EXPECT_EQ(value_of(content, "max_backoff"), Values{"3000ms"});
}

TEST(Ecosystem, CountsInstancesFromBothEnds) {
  EXPECT_EQ(value_of(app("\"instances\": \"max\""), "workers"), Values{"max"});
  EXPECT_EQ(value_of(app("\"instances\": 0"), "workers"), Values{"max"});
  EXPECT_EQ(value_of(app("\"instances\": \"3\""), "workers"), Values{"3"});
  const auto all_but_one = std::max(1, static_cast<int>(available_parallelism()) - 1);
  EXPECT_EQ(value_of(app("\"instances\": -1"), "workers"), Values{std::to_string(all_but_one)});
  EXPECT_EQ(value_of(app("\"instances\": -60000"), "workers"), Values{"1"});
  EXPECT_EQ(remarks_of(app("\"instances\": [1]")),
            Texts{"ecosystem.config.json: app \"api\": \"instances\" cannot be [1]; accepted: a number, 0 or \"max\" for all "
                  "processors, -1 for all but one"});
}

TEST(Ecosystem, SaysThatForkIsNoMode) {
  EXPECT_EQ(
      remarks_of(app("\"exec_mode\": \"fork\"")),
      Texts{"ecosystem.config.json: app \"api\": warning: \"exec_mode\" \"fork\" has no meaning here: one worker runs, and "
            "workers share the ports they listen on"});
  EXPECT_EQ(value_of(app("\"exec_mode\": \"fork\""), "workers"), Values{});
}

TEST(Ecosystem, PutsANamedEnvironmentOverTheOther) {
  const std::string env = R"("env": {"A": 1, "B": 1}, "env_production": {"B": 2}, "env_staging": {"B": 3})";
  EXPECT_EQ(value_of(app(env), "env"), (Values{"A=1", "B=1"}));
  EXPECT_EQ(value_of(app(env, "production"), "env"), (Values{"A=1", "B=2"}));
  EXPECT_EQ(remarks_of(app(env, "production")), Texts{});
  EXPECT_EQ(remarks_of(app(env, "prod")),
            Texts{"ecosystem.config.json: app \"api\": warning: there is no \"env_prod\", which --env-name asks for"});
}

TEST(Ecosystem, CountsRestartsForAsLongAsPm2Would) {
  // 4 lives of 2 s with 100, 200 and 400 ms between them.
  EXPECT_EQ(value_of(app("\"min_uptime\": 2000, \"max_restarts\": 3"), "restart_window"), Values{"8700ms"});
  EXPECT_EQ(value_of(app("\"min_uptime\": \"1s\", \"max_restarts\": 1, \"restart_delay\": 500"), "restart_window"),
            Values{"2500ms"});
  EXPECT_EQ(value_of(app("\"exp_backoff_restart_delay\": 50"), "backoff"), Values{"50ms"});
  EXPECT_EQ(value_of(app("\"exp_backoff_restart_delay\": 50"), "max_backoff"), Values{});
}

TEST(Ecosystem, NamesEveryKeyWithoutAMeaning) {
  EXPECT_EQ(
      remarks_of(app("\"watch\": true, \"instance_var\": \"ID\", \"made_up\": 1, \"autorestart\": true")),
      (Texts{
          "ecosystem.config.json: app \"api\": warning: \"instance_var\" has no meaning here and is ignored: NODE_APP_INSTANCE "
          "has the number",
          "ecosystem.config.json: app \"api\": warning: \"watch\" has no meaning here and is ignored",
          "ecosystem.config.json: app \"api\": warning: \"made_up\" has no meaning here and is ignored"}));
  EXPECT_EQ(remarks_of(app("\"interpreter_args\": \"-a\", \"node_args\": \"-b\"")).size(), 1u) << "of two spellings one counts";
  EXPECT_EQ(remarks_of(read("{\"apps\": [{\"script\": \"a.js\"}], \"deploy\": {}}")),
            Texts{"ecosystem.config.json: warning: \"deploy\" has no meaning here and is ignored"});
}

TEST(Ecosystem, HasOneFileForAllThatAnAppSays) {
  const auto two = app("\"out_file\": \"out\", \"error_file\": \"err\"");
  EXPECT_EQ(value_of(two, "log_file"), Values{"out"});
  EXPECT_EQ(remarks_of(two),
            Texts{"ecosystem.config.json: app \"api\": warning: \"error_file\" is ignored: what an app says is in "
                  "one file, that of \"out_file\""});
  EXPECT_EQ(value_of(app("\"output\": \"out\", \"error\": \"out\""), "log_file"), Values{"out"});
  EXPECT_EQ(value_of(app("\"error_file\": \"NULL\""), "log_file"), Values{"/dev/null"});
}

TEST(Ecosystem, MayBeAListOrOneApp) {
  EXPECT_EQ(read("[{\"script\": \"a.js\"}, {\"script\": \"b.js\"}]").apps.size(), 2u);
  EXPECT_EQ(read("{\"script\": \"dir/a.js\"}").apps.at(0).name, "a");
  for (const auto* json : {"1", "null", "[]", "{\"apps\": []}", "{\"apps\": 1}", "[1]"}) {
    EXPECT_EQ(remarks_of(read(json)),
              Texts{"ecosystem.config.json: has no apps; accepted: { \"apps\": [{ \"script\": ... }] }"})
        << json;
  }
}

TEST(Ecosystem, SaysWhereItIsNoJson) {
  const auto content = read("{\n  // allowed\n  \"apps\": [,]\n}");
  ASSERT_EQ(content.diagnostics.size(), 1u);
  EXPECT_EQ(to_string(content.diagnostics[0].place), "ecosystem.config.json:3:12");
  EXPECT_EQ(content.diagnostics[0].text.substr(0, 10), "not JSON: ");
}

TEST(Ecosystem, SaysWhatNoNumberIsAndWhatIsTooDeep) {
  EXPECT_EQ(remarks_of(app("\"kill_timeout\": 1e400")), Texts{"ecosystem.config.json: number overflow parsing '1e400'"});
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += i % 2 == 0 ? "[" : "{\"a\": ";
  for (const char* key : {"env", "args", "apps"}) {
    EXPECT_EQ(remarks_of(app("\"" + std::string(key) + "\": " + deep)), Texts{"ecosystem.config.json: nests too deep"});
  }
  // What looks like it in a text is none.
  EXPECT_EQ(remarks_of(app("\"args\": [\"" + std::string(500, '[') + "\"]")), Texts{});
}

TEST(Ecosystem, BearsTimesBeyondAllReason) {
  EXPECT_EQ(value_of(app("\"min_uptime\": \"30000d\", \"max_restarts\": 4000000000"), "restart_window"), Values{"36500d"});
}

TEST(Ecosystem, SurvivesValuesOfEveryType) {
  const auto meaningless = app("\"x\": 1").apps.size();
  for (const auto* key : {"name",
                          "script",
                          "args",
                          "interpreter",
                          "interpreter_args",
                          "cwd",
                          "instances",
                          "exec_mode",
                          "env",
                          "max_memory_restart",
                          "max_restarts",
                          "min_uptime",
                          "exp_backoff_restart_delay",
                          "restart_delay",
                          "kill_timeout",
                          "wait_ready",
                          "listen_timeout",
                          "out_file",
                          "error_file",
                          "log_file",
                          "uid",
                          "gid"}) {
    for (const auto* value : {"null", "true", "false", "-1", "1e99", "\"\"", "\"x\"", "[]", "[[]]", "{}"}) {
      EXPECT_EQ(read(std::string("[{\"") + key + "\": " + value + "}]").apps.size(), meaningless) << key << value;
    }
  }
}

// Files in JavaScript, evaluated by the node of this machine.
class EcosystemScript : public ::testing::Test {
 protected:
  Evaluated evaluate(const std::string& name, const std::string& text) {
    return evaluate_ecosystem(folder.write(name, text), name, own_environment(), folder.path());
  }
  static std::string remark_of(const Evaluated& evaluated) {
    return evaluated.diagnostics.empty() ? evaluated.json : to_string(evaluated.diagnostics[0]);
  }

  test::TemporaryFolder folder;
};

TEST_F(EcosystemScript, IsEvaluatedByNode) {
  EXPECT_EQ(evaluate("a.config.js", "console.log('noise'); module.exports = {apps: [{script: 'a' + '.js'}]}").json,
            R"({"apps":[{"script":"a.js"}]})");
  EXPECT_EQ(evaluate("a.config.cjs", "module.exports = {apps: []}").json, R"({"apps":[]})");
  EXPECT_EQ(evaluate("a.config.mjs", "export default {apps: [{script: import.meta.url.slice(-3)}]}").json,
            R"({"apps":[{"script":"mjs"}]})");
  EXPECT_EQ(evaluate("b.config.mjs", "export const apps = []").json, R"({"apps":[]})");
}

TEST_F(EcosystemScript, DoesNotKeepUsWaitingForWhatItLeftRunning) {
  EXPECT_EQ(evaluate("a.config.js", "setInterval(() => {}, 1000); module.exports = []").json, "[]");
}

TEST_F(EcosystemScript, MayBeLong) {
  const auto evaluated = evaluate("a.config.js", "module.exports = {x: 'y'.repeat(300000)}");
  EXPECT_EQ(evaluated.json.size(), 300'008u);
}

TEST_F(EcosystemScript, SaysWhereItThrows) {
  EXPECT_EQ(remark_of(evaluate("a.config.js", "\n  nothing.here()\n")),
            "a.config.js:2:3: ReferenceError: nothing is not defined");
  EXPECT_EQ(remark_of(evaluate("b.config.js", "\nmodule.exports = {{\n")).substr(0, 29), "b.config.js:2: SyntaxError: U");
  EXPECT_EQ(remark_of(evaluate("c.config.mjs", "\nthrow new Error('on purpose')\n")), "c.config.mjs:2:7: Error: on purpose");
  EXPECT_EQ(remark_of(evaluate("d.config.js", "throw 'a text'")), "d.config.js: threw a text");
  EXPECT_EQ(remark_of(evaluate("e.config.js", "process.stderr.write('oh\\nno\\n'); process.exit(3)")),
            "e.config.js: node told nothing: oh");
}

TEST_F(EcosystemScript, MayNotBeEndless) {
  EXPECT_EQ(remark_of(evaluate("a.config.js", "module.exports = {x: 'y'.repeat(17 << 20)}")),
            "a.config.js: is more than 16 MiB");
  EXPECT_EQ(remark_of(evaluate("b.config.js", "for (;;) require('fs').writeSync(1, 'y'.repeat(100000))")),
            "b.config.js: prints more than 16 MiB");
}

TEST_F(EcosystemScript, SaysThatNodeIsMissing) {
  const auto evaluated =
      evaluate_ecosystem(folder.write("a.config.js", ""), "a.config.js", {{"PATH", folder.path()}}, folder.path());
  EXPECT_EQ(remark_of(evaluated),
            "a.config.js: is read by node, and there is no node on the PATH; accepted without: ecosystem.config.json");
}

TEST_F(EcosystemScript, IsReadInPlaceOfAnApp) {
  folder.write("api.js", "");
  folder.write("web.js", "");
  folder.write("ecosystem.config.js",
               "module.exports = {apps: [{script: 'api.js', instances: 2}, {name: 'web', script: './web.js'}]}");
  Sources sources{.words = {"ecosystem.config.js"}, .environment = own_environment(), .cwd = folder.path()};
  const auto resolved = resolve(sources);
  EXPECT_EQ(report(resolved), "ecosystem.config.js: 2 apps, no mistakes\n");
  ASSERT_EQ(resolved.apps.size(), 2u);
  EXPECT_EQ(resolved.apps[0].config.app, folder.path() + "/api.js");
  EXPECT_EQ(resolved.apps[0].config.workers, 2u);
  EXPECT_EQ(resolved.apps[1].config.name, "web");

  sources.words = {"ecosystem.config.js", "web"};
  EXPECT_EQ(resolve(sources).apps.size(), 1u);
}

}  // namespace
}  // namespace muster::cli
