// SPDX-License-Identifier: MIT
// top, by its frames and on a terminal.

#include "show/top.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <sstream>

#include <gtest/gtest.h>
#include <muster/muster.h>

#include "show/printable.h"
#include "sample.h"

namespace muster::test {
namespace {

using namespace cli;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The lines of a frame as they are seen.
std::vector<std::string> seen(const std::string& frame) {
  std::vector<std::string> lines;
  std::istringstream in(frame);
  for (std::string line; std::getline(in, line);) lines.push_back(printable(line));
  return lines;
}

TEST(Top, ShowsEachAppWithItsWorkersBySeat) {
  AppStatus app = sample_status();
  std::swap(app.workers[0], app.workers[2]);
  AppStatus other;
  other.name = "aaa";
  other.state = "stopped";
  other.workers_wanted = 1;
  Top top;
  top.update({app, other});

  EXPECT_EQ(top.text(120, Colour::no),
            "WORKER   PID  STATE          UPTIME  RESTARTS   CPU    MEMORY  OPEN  CONN/S  REQ/S     LAG  MSG/S\n"
            "aaa  stopped  0/1 ready  0 restarts\n"
            "\n"
            "api  degraded  3/4 ready  7 restarts  primary 12.4 MiB 0.3%  tcp://127.0.0.1:8000  unix:/run/api.sock\n"
            "     1  4201  ready           2h 5m         0  7.5%  61.0 MiB    12     3.5   1.2k  0.8 ms    0.2\n"
            "     2  4202  ready           2h 5m         1   15%  62.0 MiB    12     3.5   2.5k  0.8 ms    0.2\n"
            "     3  4203  ready           2h 5m         0   23%  63.0 MiB     -       -      -       -      -\n"
            "     4     -  waiting 3.2 s       -         6     -         -     -       -      -       -      -\n");
}

TEST(Top, SortsByWhatIsAskedFor) {
  Top top;
  top.update({sample_status()});
  const auto first = [&] { return seen(top.frame({24, 120}, Colour::no)).at(3).substr(5, 1); };
  EXPECT_EQ(first(), "1");
  EXPECT_TRUE(top.press("c"));
  EXPECT_EQ(first(), "3");
  AppStatus app = sample_status();
  app.workers[1].memory = 1 << 30;
  top.update({app});
  EXPECT_TRUE(top.press("m"));
  EXPECT_EQ(first(), "2");
  EXPECT_TRUE(top.press("p"));
  EXPECT_EQ(first(), "1");
}

TEST(Top, IsLeftByQAndByControlC) {
  Top top;
  EXPECT_TRUE(top.press("xyz\x1b[C\x1b"));
  EXPECT_FALSE(top.press("q"));
  Top other;
  EXPECT_FALSE(other.press("\x03"));
}

TEST(Top, WritesOverWhatIsThereAndNeverMoreThanTheScreenHas) {
  Top top;
  AppStatus app = sample_status();
  for (unsigned seat = 5; seat <= 60; ++seat) app.workers.push_back({.seat = seat, .pid = 1, .state = "ready"});
  app.why = app.listening[0] = std::string(300, 'x');
  app.name = "日本語の名前" + std::string(100, 'n');
  top.update({app});
  for (const Top::Size size : {Top::Size{24, 80}, {10, 60}, {5, 40}, {1, 20}, {3, 1}}) {
    const std::string frame = top.frame(size, Colour::yes);
    EXPECT_TRUE(frame.starts_with("\x1b[H"));
    // Cleared before it is written: after a full line the cursor stands on its last character.
    std::size_t begin = std::string_view("\x1b[H").size();
    for (std::size_t end = 0; end != std::string::npos; begin = end + 2) {
      end = frame.find("\r\n", begin);
      EXPECT_EQ(frame.compare(begin, 3, end == std::string::npos ? "\x1b[J" : "\x1b[K"), 0);
      EXPECT_EQ(frame.substr(begin + 3, end - begin - 3).find("\x1b[K"), std::string::npos);
    }
    const auto lines = seen(frame);
    EXPECT_LE(lines.size(), size.rows);
    for (const std::string& line : lines) {
      // A terminal cuts what cannot be made narrower.
      if (size.columns >= 60) {
        EXPECT_LE(columns_of(line), size.columns) << line;
      }
    }
  }
}

TEST(Top, MovesThroughMoreThanTheScreenShows) {
  Top top;
  AppStatus app = sample_status();
  app.workers.clear();
  for (unsigned seat = 1; seat <= 20; ++seat) app.workers.push_back({.seat = seat, .pid = 1, .state = "ready"});
  top.update({app});
  const Top::Size size{10, 80};
  // 21 lines, six at a time.
  const auto first = [&] { return seen(top.frame(size, Colour::no)).at(2); };
  EXPECT_TRUE(first().starts_with("api"));
  top.press("j");
  EXPECT_TRUE(has(first(), " 1  "));
  // An arrow that comes in two pieces.
  top.press("\x1b[");
  top.press("B");
  EXPECT_TRUE(has(first(), " 2  "));
  top.press("k\x1b[A\x1bOA");
  EXPECT_TRUE(first().starts_with("api"));
  top.press("\x1b[6~");
  EXPECT_TRUE(has(first(), " 6  "));
  top.press("    ");
  EXPECT_TRUE(has(first(), "15  "));
  top.press("k");
  EXPECT_TRUE(has(first(), "14  "));
  EXPECT_TRUE(has(top.frame(size, Colour::no), "15-20 of 21"));
  app.workers.resize(2);
  top.update({app});
  EXPECT_TRUE(first().starts_with("api"));
}

TEST(Top, SaysThatNothingIsKnownYetOrThatThereAreNoApps) {
  Top top;
  EXPECT_TRUE(has(top.frame({24, 80}, Colour::no), "..."));
  top.update({});
  EXPECT_TRUE(has(top.frame({24, 80}, Colour::no), "No apps."));
  EXPECT_EQ(top.text(80, Colour::no), "No apps.\n");
}

// run_top() in a process of its own, whose output this one reads.
struct RunningTop {
  // `on_terminal`: on one of 24 rows and 100 columns.
  RunningTop(bool on_terminal, bool once) {
    int pipe_ends[2] = {-1, -1};
    winsize size{.ws_row = 24, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
    if (on_terminal) {
      int terminal = -1;
      EXPECT_EQ(openpty(&output, &terminal, nullptr, nullptr, &size), 0);
      pipe_ends[1] = terminal;
    } else {
      EXPECT_EQ(pipe(pipe_ends), 0);
      output = pipe_ends[0];
    }
    tcgetattr(output, &before);
    pid = fork();
    if (pid == 0) {
      // It goes with the test, also with one that is killed.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      setsid();
      close(output);
      dup2(pipe_ends[1], STDOUT_FILENO);
      _exit(run(once));
    }
    if (on_terminal)
      terminal = pipe_ends[1];
    else
      close(pipe_ends[1]);
  }
  ~RunningTop() {
    if (pid > 0) kill(pid, SIGKILL), waitpid(pid, nullptr, 0);
    close(output);
    if (terminal >= 0) close(terminal);
  }

  static int run(bool once) {
    try {
      Loop loop;
      int asked = 0;
      return run_top(
          loop,
          [&](DeliverStatuses deliver) {
            AppStatus app = sample_status();
            app.name = "api" + std::to_string(++asked);
            auto later = std::make_shared<DeliverStatuses>(std::move(deliver));
            loop.next_tick([later, app] { (*later)({app}); });
          },
          std::chrono::milliseconds(1), once);
    } catch (...) {
      return 99;
    }
  }

  // Reads until the text is there.
  void wait_for(const std::string& what) {
    char bytes[4096];
    while (!has(text, what)) {
      const ssize_t size = read(output, bytes, sizeof bytes);
      ASSERT_GT(size, 0) << text;
      text.append(bytes, static_cast<std::size_t>(size));
    }
  }
  void press(std::string_view keys) { EXPECT_EQ(write(output, keys.data(), keys.size()), static_cast<ssize_t>(keys.size())); }
  // How it ended, and the rest of what it wrote.
  int wait() {
    if (terminal < 0) {
      char bytes[4096];
      while (const ssize_t size = read(output, bytes, sizeof bytes)) text.append(bytes, static_cast<std::size_t>(size));
    }
    int status = 0;
    waitpid(std::exchange(pid, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  termios mode() const {
    termios now{};
    tcgetattr(output, &now);
    return now;
  }

  int output = -1, terminal = -1;
  pid_t pid = 0;
  termios before{};
  std::string text;
};

TEST(RunTop, PrintsOneTextOnceWhereThereIsNoTerminal) {
  RunningTop top(false, true);
  EXPECT_EQ(top.wait(), 0);
  EXPECT_TRUE(has(top.text, "api1  degraded"));
  EXPECT_FALSE(has(top.text, "\x1b"));
  EXPECT_FALSE(has(top.text, "api2"));
}

TEST(RunTop, PrintsATextForEachIntervalWhereThereIsNoTerminal) {
  RunningTop top(false, false);
  top.wait_for("api3  degraded");
  EXPECT_TRUE(has(top.text, "\n\nWORKER"));
  kill(top.pid, SIGTERM);
  EXPECT_EQ(top.wait(), 0);
}

TEST(RunTop, PrintsOneTextOnceOnATerminalToo) {
  RunningTop top(true, true);
  top.wait_for("MSG/S");
  EXPECT_EQ(top.wait(), 0);
  EXPECT_FALSE(has(top.text, "\x1b[?1049h"));
}

// Each way out gives the terminal back as it was.
void expect_terminal_back(const std::function<void(RunningTop&)>& leave) {
  RunningTop top(true, false);
  top.wait_for("api2");
  EXPECT_TRUE(has(top.text, "\x1b[?1049h"));
  EXPECT_EQ(top.mode().c_lflag & (ICANON | ECHO), 0U);
  top.press("m");
  top.wait_for("(now memory)");

  leave(top);

  top.wait_for("\x1b[?1049l");
  EXPECT_TRUE(has(top.text, "\x1b[?25h"));
  EXPECT_EQ(top.wait(), 0);
  EXPECT_EQ(top.mode().c_lflag, top.before.c_lflag);
  EXPECT_EQ(top.mode().c_iflag, top.before.c_iflag);
}

TEST(RunTop, GivesTheTerminalBackWhenItIsLeftByAKey) {
  expect_terminal_back([](RunningTop& top) { top.press("q"); });
  expect_terminal_back([](RunningTop& top) { top.press("\x03"); });
}

TEST(RunTop, GivesTheTerminalBackWhenASignalEndsIt) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    expect_terminal_back([signal](RunningTop& top) { kill(top.pid, signal); });
  }
}

TEST(RunTop, FollowsTheSizeOfTheTerminal) {
  RunningTop top(true, false);
  top.wait_for("MSG/S");
  top.text.clear();
  const winsize narrow{.ws_row = 10, .ws_col = 40, .ws_xpixel = 0, .ws_ypixel = 0};
  ioctl(top.output, TIOCSWINSZ, &narrow);
  kill(top.pid, SIGWINCH);
  top.wait_for("m memory (…");
}

}  // namespace
}  // namespace muster::test
