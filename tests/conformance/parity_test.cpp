// SPDX-License-Identifier: MIT
// docs/parity.md promises: each of its rows says how muster stands to Node, and which test shows it. Whether the tests it names
// are there is seen here, whether they pass is theirs.

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "support/run.h"

namespace muster::test {
namespace {

// "Policy/Server.Serves/0", one of the instances of a test with parameters, is named Server.Serves in the document.
std::string plain_name(const std::string& suite, const std::string& test) {
  const std::size_t slash = suite.find('/');
  return (slash == std::string::npos ? suite : suite.substr(slash + 1)) + "." + test.substr(0, test.find('/'));
}

std::set<std::string> tests_of(const std::string& program) {
  std::set<std::string> names;
  std::string suite;
  std::istringstream list(run_program({program, "--gtest_list_tests"}).output);
  for (std::string line; std::getline(list, line);) {
    line = line.substr(0, line.find("  #"));
    if (line.starts_with("  ")) {
      names.insert(plain_name(suite, line.substr(2)));
    } else if (line.ends_with(".")) {
      suite = line.substr(0, line.size() - 1);
    }
  }
  return names;
}

std::set<std::string> all_tests() {
  std::set<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(MUSTER_BINARY_DIR)) {
    if (file.path().filename().string().ends_with("_tests")) names.merge(tests_of(file.path().string()));
  }
  return names;
}

std::string contents(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) result.push_back(line);
  return result;
}

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> result;
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match) result.push_back((*match)[1]);
  return result;
}

// The cells of "| a | b |": a, b.
std::vector<std::string> cells(const std::string& row) { return matches(row.substr(1), " *([^|]*[^| ]|) *\\|"); }

constexpr const char* test_name = "\\b([A-Z]\\w*\\.[A-Z]\\w*)\\b";

// What is wrong with the document, a sentence each.
std::vector<std::string> complaints(const std::string& document, const std::set<std::string>& tests) {
  std::vector<std::string> result;
  std::set<std::string> differences;
  for (const std::string& line : lines(document)) {
    for (const std::string& number : matches(line, "^([0-9]+)\\. ")) differences.insert(number);
  }
  for (const std::string& line : lines(document)) {
    const auto complain = [&](const std::string& what) { result.push_back(what + ": " + line); };
    const auto named = matches(line, test_name);
    for (const std::string& test : named) {
      if (!tests.contains(test)) complain("there is no test " + test);
    }
    if (!line.starts_with("|") || line.starts_with("|---") || line.starts_with("| |")) continue;
    const auto row = cells(line);
    if (row.size() != 5) {
      complain("this row has " + std::to_string(row.size()) + " cells, not 5");
      continue;
    }
    const auto difference = matches(row[3], "^differs \\(([0-9]+)\\)$");
    if (row[3] != "works" && row[3] != "not yet" && difference.empty()) {
      complain("'" + row[3] + "' is none of works, differs (number), not yet");
    }
    if (row[3] != "not yet" && matches(row[4], test_name).empty()) complain("this row names no test");
    if (!difference.empty() && !differences.contains(difference[0])) complain("there is no paragraph " + difference[0]);
  }
  return result;
}

const std::filesystem::path source = MUSTER_SOURCE_DIR;

TEST(Parity, IsShownByTestsThatExist) {
  const std::string document = contents(source / "docs/parity.md");

  EXPECT_GT(matches(document, "\\| (works) \\|").size(), 50U);
  for (const std::string& complaint : complaints(document, all_tests())) ADD_FAILURE() << "docs/parity.md: " << complaint;
}

TEST(Parity, NamesEachExampleAndNoOther) {
  std::set<std::string> there, named;
  for (const auto& file : std::filesystem::directory_iterator(source / "examples")) {
    if (file.path().extension() == ".cpp") there.insert("examples/" + file.path().filename().string());
  }
  for (const std::string& name : matches(contents(source / "docs/parity.md"), "`(examples/[^`]*)`")) named.insert(name);

  EXPECT_EQ(named, there);
}

TEST(Parity, IsFoundOutWhenItIsNotTrue) {
  const std::set<std::string> tests = {"Server.Serves", "Server.Closes"};
  const std::string sound =
      "| | Node | muster | | test |\n"
      "|---|---|---|---|---|\n"
      "| A | a | `a()` | works | Server.Serves, Server.Closes |\n"
      "| A | b | `b()` | differs (1) | Server.Serves |\n"
      "| A | c |  | not yet |  |\n"
      "1. b is another. (`Server.Closes`)\n";
  const std::pair<const char*, const char*> unsound[] = {
      {"| A | a | `a()` | works | |\n", "this row names no test"},
      {"| A | a | `a()` | differs (1) |  |\n", "this row names no test"},
      {"| A | a | `a()` | works | Server.Serves, Server.Sings |\n", "there is no test Server.Sings"},
      {"| A | a | `a()` | differs (2) | Server.Serves |\n", "there is no paragraph 2"},
      {"| A | a | `a()` | differs | Server.Serves |\n", "'differs' is none of works, differs (number), not yet"},
      {"| A | a | `a()` | soon |  |\n", "'soon' is none of works, differs (number), not yet"},
      {"| A | a | works | Server.Serves |\n", "this row has 4 cells, not 5"},
      {"2. a is another, too. (`Server.Sings`)\n", "there is no test Server.Sings"},
  };

  EXPECT_EQ(complaints(sound, tests), std::vector<std::string>{});
  for (const auto& [line, complaint] : unsound) {
    const auto found = complaints(sound + line, tests);
    ASSERT_FALSE(found.empty()) << line;
    EXPECT_EQ(found[0] + "\n", std::string(complaint) + ": " + line);
  }
}

TEST(Parity, KnowsTestsByTheirNamesWithoutParameters) {
  EXPECT_EQ(plain_name("Server", "Serves"), "Server.Serves");
  EXPECT_EQ(plain_name("Policy/Server", "Serves/0"), "Server.Serves");
}

}  // namespace
}  // namespace muster::test
