// SPDX-License-Identifier: MIT
#include "config/options.h"

#include <sstream>

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

using Words = std::vector<std::string>;

Command parse_line(const Words& words) {
  std::vector<const char*> argv{"muster"};
  for (const auto& word : words) argv.push_back(word.c_str());
  return parse(static_cast<int>(argv.size()), argv.data(), {{"HOME", "/root"}}, "/srv");
}

// What was asked for, which must be a `Kind`.
template <class Kind>
Kind read(const Words& words) {
  const Command command = parse_line(words);
  if (const auto* kind = std::get_if<Kind>(&command)) return *kind;
  const auto* say = std::get_if<command::Say>(&command);
  ADD_FAILURE() << (say ? say->text : "something else");
  return {};
}

std::string mistake_of(const Words& words) {
  const auto say = read<command::Say>(words);
  EXPECT_EQ(say.code, 2);
  return say.text;
}

TEST(Options, LeaveToTheAppWhatFollowsIt) {
  const auto run =
      read<command::Run>({"run", "-n", "4", "--name=api", "--pin", "server.js", "--workers", "9", "--", "-x", "--help"});
  EXPECT_EQ(run.sources.words, (Words{"server.js", "--workers", "9", "--", "-x", "--help"}));
  ASSERT_EQ(run.sources.flags.size(), 3u);
  EXPECT_EQ(run.sources.flags[0].setting, "name");
  EXPECT_EQ(run.sources.flags[1].setting, "workers");
  EXPECT_EQ(run.sources.flags[1].values, Values{"4"});
  EXPECT_EQ(run.sources.flags[1].called, "--workers");
  EXPECT_EQ(run.sources.flags[2].values, Values{"true"});
  EXPECT_EQ(run.sources.cwd, "/srv");
  EXPECT_EQ(run.sources.environment.at("HOME"), "/root");
}

TEST(Options, LeaveToTheAppWhatFollowsTwoDashes) {
  EXPECT_EQ(read<command::Start>({"start", "-n4", "--", "--odd", "--json"}).sources.words, (Words{"--odd", "--json"}));
  EXPECT_EQ(read<command::Start>({"start", "--"}).sources.words, Words{});
}

TEST(Options, TakeAFlagAsOftenAsItMakesSense) {
  const auto run = read<command::Run>({"run", "--env", "A=1", "--listen", "tcp://*:1", "--env=B=2 3", "--listen", "unix:/a b",
                                       "--workers", "1", "--workers", "2", "--interpreter-args", "--inspect --x", "app"});
  ASSERT_EQ(run.sources.flags.size(), 4u);
  EXPECT_EQ(run.sources.flags[0].values, (Values{"--inspect", "--x"}));
  EXPECT_EQ(run.sources.flags[1].values, (Values{"A=1", "B=2 3"}));
  EXPECT_EQ(run.sources.flags[2].values, (Values{"tcp://*:1", "unix:/a b"}));
  EXPECT_EQ(run.sources.flags[3].values, Values{"2"});
}

TEST(Options, SwitchOffWhatAFileSwitchesOn) {
  EXPECT_EQ(read<command::Run>({"run", "--no-pin"}).sources.flags.at(0).values, Values{"false"});
}

TEST(Options, NameAFile) {
  const auto run = read<command::Run>({"run", "--config", "x.toml", "--env-name", "production", "--json"});
  EXPECT_EQ(run.sources.config, "x.toml");
  EXPECT_EQ(run.sources.env_name, "production");
  EXPECT_TRUE(run.json);
  EXPECT_EQ(read<command::Check>({"check", "ecosystem.config.js"}).sources.words, Words{"ecosystem.config.js"});
}

TEST(Options, NameAnApp) {
  EXPECT_EQ(read<command::Status>({"status", "api", "--json"}).name, "api");
  EXPECT_TRUE(read<command::List>({"list", "--json"}).json);
  EXPECT_FALSE(read<command::List>({"list"}).json);
  EXPECT_EQ(read<command::Reload>({"reload", "--timeout", "5m", "api"}).timeout, Milliseconds(300'000));
  EXPECT_EQ(read<command::Restart>({"restart", "api"}).timeout, std::nullopt);
  EXPECT_EQ(read<command::Stop>({"stop", "all", "--timeout=1s"}).name, "all");
  EXPECT_EQ(read<command::Kill>({"kill", "all"}).name, "all");
  EXPECT_EQ(read<command::Delete>({"delete", "api"}).name, "api");
  EXPECT_TRUE(read<command::Save>({"save", "--json"}).json);
  EXPECT_FALSE(read<command::Resurrect>({"resurrect"}).json);
}

TEST(Options, ScaleToANumberOrByOne) {
  using How = command::Scale::How;
  const auto scale = [](const std::string& text) {
    const auto scale = read<command::Scale>({"scale", "api", text});
    return std::pair(scale.how, scale.workers);
  };
  EXPECT_EQ(scale("4"), std::pair(How::to, 4));
  EXPECT_EQ(scale("+1"), std::pair(How::by, 1));
  EXPECT_EQ(scale("-2"), std::pair(How::by, -2));
  EXPECT_EQ(scale("max"), std::pair(How::max, 0));
  EXPECT_EQ(mistake_of({"scale", "api", "0"}),
            "muster: N cannot be \"0\"; accepted: a number from 1, +1 or -1 for more or fewer, max\n");
  EXPECT_EQ(mistake_of({"scale", "api", ""}),
            "muster: N cannot be \"\"; accepted: a number from 1, +1 or -1 for more or fewer, max\n");
}

TEST(Options, SayHowToLook) {
  const auto logs = read<command::Logs>({"logs", "-f", "-n", "50", "api"});
  EXPECT_TRUE(logs.follow);
  EXPECT_EQ(logs.lines, 50u);
  EXPECT_EQ(logs.name, "api");
  EXPECT_EQ(read<command::Logs>({"logs", "-fn5"}).lines, 5u);
  EXPECT_EQ(read<command::Logs>({"logs"}).name, "");

  const auto top = read<command::Top>({"top", "--once", "--interval", "500ms"});
  EXPECT_TRUE(top.once);
  EXPECT_EQ(top.interval, Milliseconds(500));

  EXPECT_EQ(read<command::Why>({"why", "api"}).worker, std::nullopt);
  EXPECT_EQ(read<command::Why>({"why", "api/2"}).worker, 2u);
  EXPECT_EQ(mistake_of({"why", "api/x"}), "muster: WORKER cannot be \"x\"; accepted: the number of a worker, from 1\n");
}

TEST(Options, SuggestTheCommandThatWasMeant) {
  EXPECT_EQ(mistake_of({"strat"}), "muster: unknown command \"strat\"; did you mean \"start\"?\n");
  EXPECT_EQ(mistake_of({"monit"}), "muster: unknown command \"monit\"; here it is \"top\"\n");
  EXPECT_EQ(mistake_of({"server.js"}), "muster: unknown command \"server.js\"; to run a file: muster run server.js\n");
  EXPECT_EQ(mistake_of({"frobnicate"}), "muster: unknown command \"frobnicate\"; `muster --help` lists them\n");
  EXPECT_EQ(mistake_of({"--verison"}), "muster: unknown flag \"--verison\"; did you mean \"--version\"?\n");
}

TEST(Options, SuggestTheFlagThatWasMeant) {
  EXPECT_EQ(mistake_of({"run", "--max-memroy", "200M", "x"}),
            "muster: unknown flag \"--max-memroy\"; did you mean \"--max-memory\"?\n");
  EXPECT_EQ(mistake_of({"run", "--max_memory=200M", "x"}),
            "muster: unknown flag \"--max_memory\"; did you mean \"--max-memory\"?\n");
  EXPECT_EQ(mistake_of({"run", "--port", "80"}),
            "muster: unknown flag \"--port\"; `muster run --help` lists them, those of the app come after it\n");
  EXPECT_EQ(mistake_of({"logs", "--folow"}), "muster: unknown flag \"--folow\"; did you mean \"--follow\"?\n");
  EXPECT_EQ(mistake_of({"logs", "-x"}), "muster: unknown flag \"-x\"; `muster logs --help` lists them\n");
}

TEST(Options, SayWhatIsMissingOrTooMuch) {
  EXPECT_EQ(mistake_of({"status"}), "muster: status needs more: muster status NAME\n");
  EXPECT_EQ(mistake_of({"status", "a", "b"}), "muster: \"b\" is one word too many: muster status NAME\n");
  EXPECT_EQ(mistake_of({"run", "--workers"}),
            "muster: --workers needs a value; accepted: a whole number from 1, or max: one for each processor\n");
  EXPECT_EQ(mistake_of({"run", "-n"}),
            "muster: -n needs a value; accepted: a whole number from 1, or max: one for each processor\n");
  EXPECT_EQ(mistake_of({"run", "--cwd=", "x"}), "muster: --cwd needs a value\n");
  EXPECT_EQ(
      mistake_of({"reload", "a b"}),
      "muster: \"a b\" is not the name of an app; accepted: up to 64 letters, digits and . _ -, no dot first, not \"all\"\n");
  EXPECT_EQ(
      mistake_of({"stop", "api", "--timeout", "soon"}),
      "muster: --timeout cannot be \"soon\"; accepted: a time, such as 500ms, 30s, 5m, 2h or 1d; without a unit, seconds\n");
  EXPECT_EQ(mistake_of({}).substr(0, 28), "muster: what is to be done?\n");
}

TEST(Options, SurviveWhateverIsTyped) {
  for (const auto& word : {"", "-", "--", "---", "-=", "--=", "-1", "=", "-n", "--json=x", "--json=", "--pin=maybe", "[a,b]",
                           "%%", "\xff", "-f=", "{}"}) {
    for (const auto* command : {"run", "logs", "scale", "why", "check", "list"}) {
      parse_line({command, word});
      parse_line({command, word, word});
      parse_line({word, command});
    }
  }
  EXPECT_EQ(mistake_of({"list", "--json=x"}), "muster: --json takes no value\n");
}

TEST(Help, FitsATerminal) {
  std::vector<Words> all{{"--help"}};
  for (const auto* command : {"run", "start", "check", "list", "status", "reload", "restart", "scale", "stop", "kill", "logs",
                              "top", "why", "delete", "save", "resurrect"}) {
    all.push_back({command, "--help"});
    EXPECT_NE(read<command::Say>({"--help"}).text.find(std::string("\n  ") + command), std::string::npos) << command;
  }
  for (const auto& words : all) {
    const auto say = read<command::Say>(words);
    EXPECT_EQ(say.code, 0);
    std::istringstream lines(say.text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(Help, ListsTheSettingsUnderTheirHeadings) {
  const auto text = read<command::Say>({"run", "--help"}).text;
  for (const auto& setting : settings()) {
    EXPECT_NE(text.find("\n" + setting.heading + ":\n"), std::string::npos);
    EXPECT_EQ(text.find(flag_name(setting) + " ") != std::string::npos, setting.has_flag) << setting.name;
  }
  EXPECT_NE(text.find("-n, --workers N"), std::string::npos);
  EXPECT_EQ(read<command::Say>({"help", "run"}).text, text);
}

TEST(Help, TellsTheVersion) {
  EXPECT_EQ(read<command::Say>({"--version"}).text.substr(0, 7), "muster ");
  EXPECT_EQ(read<command::Say>({"--version"}).code, 0);
}

}  // namespace
}  // namespace muster::cli
