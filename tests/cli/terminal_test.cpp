// SPDX-License-Identifier: MIT
// What a worker prints does not steer the terminal of whoever looks at it.

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>

#include <fmt/core.h>

#include "support.h"

namespace muster::test {
namespace {

// A terminal, of which this is the other side.
class Terminal {
 public:
  Terminal() {
    master_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_EQ(grantpt(master_), 0);
    EXPECT_EQ(unlockpt(master_), 0);
    slave_ = open(ptsname(master_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    termios raw{};
    tcgetattr(slave_, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave_, TCSANOW, &raw);
  }
  ~Terminal() {
    close(slave_);
    close(master_);
  }
  int descriptor() const { return slave_; }
  std::string name() const { return ptsname(master_); }
  // Until this was shown.
  std::string until(std::string_view part) {
    while (!has(shown_, part)) {
      pollfd ready{master_, POLLIN, 0};
      if (poll(&ready, 1, 100'000) <= 0) {
        ADD_FAILURE() << part << " was never shown; this was: " << shown_;
        return shown_;
      }
      char bytes[4096];
      const ssize_t size = read(master_, bytes, sizeof bytes);
      if (size > 0) shown_.append(bytes, static_cast<std::size_t>(size));
    }
    return shown_;
  }

 private:
  int master_ = -1, slave_ = -1;
  std::string shown_;
};

// Its title, a colour, 8-bit and 7-bit controls, and what turns the order of text.
constexpr const char* app = R"(
console.log('before\x1b]0;title\x07\x1b[31mred\x1b[0m\u009b31m\u202eback\rafter the words');
process.exit(1);)";

void expect_harmless(std::string shown) {
  for (const char* steering : {"\x1b", "\xc2\x9b", "\u202e", "\x07"}) EXPECT_FALSE(has(shown, steering)) << shown;
}

// What it takes without being read is less than it says.
TEST(Terminal, ThatIsNotReadKeepsNobodyWaiting) {
  Session session;
  session.write("app.js",
                "let n = 0; setInterval(() => { for (let i = 0; i < 100; ++i) console.log('x'.repeat(400)); "
                "require('fs').writeFileSync('lines', `${n += 100}`); }, 0);" +
                    server_js(0));
  Terminal terminal;
  Running muster(session, {.words = {"run", "--name", "app", "app.js"}, .output = terminal.descriptor()});
  EXPECT_TRUE(eventually([&] { return session.status("app")["state"] == "running"; }, "it runs"));
  // It is full by far when so much was printed.
  const auto lines = [&] {
    int count = 0;
    std::ifstream(session.file("lines")) >> count;
    return count;
  };
  EXPECT_TRUE(eventually([&] { return lines() > 5000; }, "it prints"));
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
}

// What hangs up sends SIGHUP too, which asks for a reload otherwise.
TEST(Terminal, ThatIsGoneTakesTheAppAlong) {
  Session session;
  session.write("app.js", server_js(0));
  auto terminal = std::make_unique<Terminal>();
  Running muster(session, {.words = {"run", "app.js"}, .output = terminal->descriptor()});
  terminal->until("1 worker is ready");
  terminal.reset();
  muster.signal(SIGHUP);
  EXPECT_EQ(muster.own_exit_code(), 0);
}

// In a session of its own, with that terminal, and in the background there, where the terminal stops who writes.
constexpr const char* background = R"(
import os, signal, sys, termios
os.setsid()
terminal = os.open(sys.argv[1], os.O_RDWR)
flags = termios.tcgetattr(terminal)
flags[3] |= termios.TOSTOP
termios.tcsetattr(terminal, termios.TCSANOW, flags)
if os.fork() == 0:
    os.setpgid(0, 0)
    os.execv(sys.argv[2], sys.argv[2:])
os.wait()
)";

TEST(Terminal, ThatStopsWhoWritesInTheBackgroundStopsNobody) {
  Session session;
  session.write("app.js", server_js(0));
  Terminal terminal;
  Running muster(session, {.words = {"run", "--name", "app", "app.js"},
                           .before = {"python3", "-c", background, terminal.name()},
                           .output = terminal.descriptor()});
  terminal.until("1 worker is ready");
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  muster.own_exit_code();
}

// Also where none of its standard streams is that terminal.
TEST(Terminal, ThatIsGoneTakesTheAppAlongWhereverItWrites) {
  Session session;
  session.write("app.js", server_js(0));
  auto terminal = std::make_unique<Terminal>();
  Running muster(
      session, {.words = {"run", "--name", "app", "app.js"},
                .before = {"python3", "-c",
                           "import os, sys; os.setsid(); os.open(sys.argv[1], os.O_RDWR); os.execv(sys.argv[2], sys.argv[2:])",
                           terminal->name()}});
  muster.line("1 worker is ready");
  terminal.reset();
  EXPECT_EQ(muster.exit_code(), 0);
  EXPECT_FALSE(has(muster.output(), "reloading"));
}

// As nohup(1) has it ignored.
TEST(Terminal, ThatIsGoneIsNothingWhereSighupWasIgnored) {
  Session session;
  session.write("app.js", server_js(0));
  auto terminal = std::make_unique<Terminal>();
  Running muster(session,
                 {.words = {"run", "app.js"}, .before = {"env", "--ignore-signal=HUP"}, .output = terminal->descriptor()});
  terminal->until("1 worker is ready");
  terminal.reset();
  muster.signal(SIGHUP);
  // It has taken that one when it takes the next.
  EXPECT_EQ(session.run({"scale", "app", "2"}).code, 0);
  EXPECT_EQ(session.status("app")["reloads"], 0);
  EXPECT_EQ(session.status("app")["state"], "running");
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.own_exit_code(), 0);
}

TEST(Terminal, IsNotSteeredByAWorkerInTheForeground) {
  for (const char* format : {"text", "json"}) {
    Session session;
    session.write("app.js", app);
    Terminal terminal;
    Running muster(session,
                   {.words = {"run", "--log-format", format, "--backoff", "1ms", "app.js"}, .output = terminal.descriptor()});
    expect_harmless(terminal.until("the app has failed"));
    muster.own_exit_code();
  }
}

TEST(Terminal, GetsAllOfItWhereThatIsAskedFor) {
  Session session;
  session.write("app.js", app);
  Terminal terminal;
  Running muster(session, {.words = {"run", "--raw", "--backoff", "1ms", "app.js"}, .output = terminal.descriptor()});
  EXPECT_TRUE(has(terminal.until("the app has failed"), "\x1b]0;title\x07\x1b[31mred"));
  muster.own_exit_code();
}

TEST(Terminal, IsNotSteeredByLogsNorByAStartThatFails) {
  Session session;
  session.write("app.js", std::string(app) + "\n");
  {
    Terminal terminal;
    Running start(session, {.words = {"start", "--backoff", "1ms", "app.js"}, .output = terminal.descriptor()});
    expect_harmless(terminal.until("no worker ever became ready"));
    start.own_exit_code();
  }
  for (const auto& words : std::vector<std::vector<std::string>>{{"logs", "app"}, {"logs", "--json", "app"}, {"why", "app"}}) {
    Terminal terminal;
    Running logs(session, {.words = words, .output = terminal.descriptor()});
    expect_harmless(terminal.until(words[0] == "why" ? "worker 1" : "after the words"));
    logs.own_exit_code();
  }
  Terminal terminal;
  Running logs(session, {.words = {"logs", "--raw", "app"}, .output = terminal.descriptor()});
  EXPECT_TRUE(has(terminal.until("after the words"), "\x1b]0;title\x07\x1b[31mred"));
  logs.own_exit_code();
}

TEST(Terminal, IsNotSteeredByTheLogsOfAnAppThatRuns) {
  Session session;
  session.write("app.js", "console.log('before\\x1b[31mred after the words');" + server_js(0));
  EXPECT_EQ(session.run({"start", "app.js"}).code, 0);
  for (const bool raw : {false, true}) {
    Terminal terminal;
    std::vector<std::string> words{"logs", "app"};
    if (raw) words.insert(words.begin() + 1, "--raw");
    Running logs(session, {.words = words, .output = terminal.descriptor()});
    EXPECT_EQ(has(terminal.until("after the words"), "\x1b[31m"), raw);
    logs.own_exit_code();
  }
}

}  // namespace
}  // namespace muster::test
