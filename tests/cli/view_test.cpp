// SPDX-License-Identifier: MIT
// What the commands print.

#include "show/view.h"

#include <cmath>
#include <cstdlib>
#include <ctime>
#include <sstream>

#include <gtest/gtest.h>

#include "show/printable.h"
#include "sample.h"
#include "show/units_text.h"

namespace muster::test {
namespace {

using namespace cli;

struct View : testing::Test {
  View() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

std::size_t widest(const std::string& text) {
  std::size_t columns = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) columns = std::max(columns, columns_of(line));
  return columns;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(UnitsText, SaysNumbersAsAPersonReadsThem) {
  EXPECT_EQ(counted(1, "worker"), "1 worker");
  EXPECT_EQ(counted(0, "worker"), "0 workers");
  EXPECT_EQ(duration_text(-5), "0 ms");
  EXPECT_EQ(duration_text(812), "812 ms");
  EXPECT_EQ(duration_text(3199), "3.1 s");
  EXPECT_EQ(duration_text(42'000), "42 s");
  EXPECT_EQ(duration_text(125'000), "2m 5s");
  EXPECT_EQ(duration_text(7'500'000), "2h 5m");
  EXPECT_EQ(duration_text(273'600'000), "3d 4h");
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(13'000'000), "12.4 MiB");
  EXPECT_EQ(bytes_text(210 << 20), "210 MiB");
  EXPECT_EQ(bytes_text((1ULL << 30) - 1), "1.0 GiB");
  EXPECT_EQ(bytes_text(~0ULL), "16.0 EiB");
  EXPECT_EQ(percent_text(0), "0%");
  EXPECT_EQ(percent_text(7.54), "7.5%");
  EXPECT_EQ(percent_text(9.99), "10%");
  EXPECT_EQ(percent_text(112.3), "112%");
  EXPECT_EQ(percent_text(std::nan("")), "-");
  EXPECT_EQ(count_text(950), "950");
  EXPECT_EQ(count_text(999.7), "1.0k");
  EXPECT_EQ(count_text(1'234'567), "1.2M");
  EXPECT_EQ(rate_text(1234), "1.2k/s");
  EXPECT_EQ(rate_text(0.5), "0.5/s");
  EXPECT_EQ(lag_text(0.44), "0.4 ms");
  EXPECT_EQ(lag_text(2100), "2.1 s");
}

TEST(Printable, LeavesNothingThatSteersATerminal) {
  EXPECT_EQ(printable("a\x1b[31mred\x1b[0m"), "ared");
  EXPECT_EQ(printable("\x1b]0;a title\x07text"), "text");
  EXPECT_EQ(printable("\x1b]8;;http://x\x1b\\link"), "link");
  EXPECT_EQ(printable("a\x1b]0;never ends"), "a0;never ends");
  EXPECT_EQ(printable("ends\x1b"), "ends");
  EXPECT_EQ(printable("\x1b[1"), "1");
  EXPECT_EQ(printable("a\tb\r\nc\x07"), "a  b c\uFFFD");
  EXPECT_EQ(printable("\u009b31mC1"), "\uFFFD31mC1");
  EXPECT_EQ(printable("user\u202etxt.exe"), "user\uFFFDtxt.exe");
}

TEST(Printable, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(printable("\xff"), "\uFFFD");
  EXPECT_EQ(printable("\xc0\xaf"), "\uFFFD\uFFFD");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(printable("\xe2\x82"), "\uFFFD\uFFFD");
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(printable("grün 日本 🚀"), "grün 日本 🚀");
}

TEST(Printable, IsCutBetweenCharactersAtTheColumn) {
  EXPECT_EQ(columns_of("grün"), 4U);
  EXPECT_EQ(columns_of("日本"), 4U);
  EXPECT_EQ(columns_of("e\u0301"), 1U);
  EXPECT_EQ(shortened("grün", 4), "grün");
  EXPECT_EQ(shortened("grüner", 4), "grü…");
  EXPECT_EQ(shortened("日本語", 4), "日…");
  EXPECT_EQ(shortened("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  EXPECT_EQ(shortened("anything", 1), "…");
  EXPECT_EQ(shortened("anything", 0), "");
}

TEST(Printable, IsBrokenAtSpacesAndALongWordAnywhere) {
  EXPECT_EQ(wrapped("one two three", 8, "  ", "- "), "- one\n  two\n  three\n");
  EXPECT_EQ(wrapped("abcdefghij", 4, "", ""), "abcd\nefgh\nij\n");
  EXPECT_EQ(wrapped("    indented code here", 14, "", ""), "    indented\ncode here\n");
  EXPECT_EQ(wrapped("日本", 1, "", ""), "日\n本\n");
  EXPECT_EQ(wrapped("", 10, "", "  "), "  \n");
  EXPECT_EQ(wrapped("word   ", 4, "", ""), "word\n");
}

TEST_F(View, ListsAppsThoseThatAreGoneToo) {
  AppStatus stopped{.name = "old", .state = "stopped", .workers_wanted = 2};
  AppStatus failed{.name = "batch", .state = "failed", .why = "worker 1 was restarted 10 times", .workers_wanted = 1};
  failed.restarts = 10;

  EXPECT_EQ(list_text({sample_status(), stopped, failed}, {.width = 100}),
            "NAME   STATE     WORKERS   PID  UPTIME  RESTARTS  CPU   MEMORY  LISTENING\n"
            "api    degraded      3/4  4100   3d 4h         7  45%  198 MiB  127.0.0.1:8000 +1\n"
            "old    stopped       0/2     -       -         0    -        -  -\n"
            "batch  failed        0/1     -       -        10    -        -  -\n"
            "\n"
            "batch has failed: worker 1 was restarted 10 times\n");
  EXPECT_EQ(list_text({}), "No apps.\n");
}

TEST_F(View, FitsTheTerminalByLeavingOutWhatMattersLeast) {
  AppStatus app = sample_status();
  app.name = "a_rather_long_name_of_an_application";
  app.listening = {"tcp://[2001:db8::1234:5678]:8000"};
  EXPECT_LE(widest(list_text({app}, {.width = 80})), 80U);
  EXPECT_LE(widest(status_text(app, {.width = 80})), 80U);
  EXPECT_LE(widest(why_text(app, {}, {.width = 80})), 80U);
  for (const std::size_t width : {40, 50, 60, 70, 90}) {
    EXPECT_LE(widest(list_text({app}, {.width = width})), width);
    EXPECT_LE(widest(status_text(app, {.width = width})), width);
    EXPECT_LE(widest(why_text(app, {}, {.width = width})), width);
  }
  EXPECT_TRUE(has(list_text({app}, {.width = 40}), "WORKERS"));
  // Narrower than anything: it is told all the same.
  EXPECT_TRUE(has(list_text({app}, {.width = 1}), "STATE"));
  EXPECT_FALSE(why_text(app, {}, {.width = 0}).empty());
}

TEST_F(View, TellsAnAppInDetail) {
  EXPECT_EQ(status_text(sample_status(), {.width = 100}),
            "api  degraded\n"
            "  app        server.js\n"
            "  in         /srv/api\n"
            "  primary    pid 4100, up 3d 4h since 2024-05-28 10:02:11, 12.4 MiB, 0.3% CPU, muster 1.0.0\n"
            "  workers    3 of 4 ready, connections by round_robin\n"
            "  listening  tcp://127.0.0.1:8000 unix:/run/api.sock\n"
            "  restarts   7\n"
            "  reloads    2, 1 failed; the last: 4 workers replaced in 812 ms\n"
            "\n"
            "  WORKER   PID  STATE          UPTIME  RESTARTS   CPU    MEMORY  OPEN  CONN/S  REQ/S     LAG  MSG/S\n"
            "       1  4201  ready           2h 5m         0  7.5%  61.0 MiB    12     3.5   1.2k  0.8 ms    0.2\n"
            "       2  4202  ready           2h 5m         1   15%  62.0 MiB    12     3.5   2.5k  0.8 ms    0.2\n"
            "       3  4203  ready           2h 5m         0   23%  63.0 MiB     -       -      -       -      -\n"
            "       4     -  waiting 3.2 s       -         6     -         -     -       -      -       -      -\n"
            "\n"
            "Ended last\n"
            "  2024-05-31 14:02:06  worker 4 (pid 4204) crashed after 3.1 s: exit code 1; restarts after 8.2 s\n"
            "  2024-05-31 11:57:10  worker 2 (pid 4190) used too much memory after 1d 1h: SIGTERM, used 210 MiB\n"
            "    of 200 MiB; replaced by pid 4202\n"
            "  `muster why api` says more.\n");
}

TEST_F(View, TellsWhatEndedEachWorker) {
  EXPECT_EQ(why_text(sample_status()),
            "2024-05-31 14:02:06  worker 4 (pid 4204) crashed after 3.1 s: exit code 1\n"
            "  It had been ready. Restarts after 8.2 s. The next try is at 2024-05-31\n"
            "  14:02:14, in 3.2 s.\n"
            "  Its last words:\n"
            "    /srv/api/server.js:41\n"
            "        throw new Error('no database');\n"
            "\n"
            "    Error: no database\n"
            "\n"
            "2024-05-31 11:57:10  worker 2 (pid 4190) used too much memory after 1d 1h:\n"
            "  SIGTERM, used 210 MiB of 200 MiB\n"
            "  It had been ready. Replaced by pid 4202.\n"
            "  It left no last words.\n"
            "\n"
            "13 that ended before are not kept.\n");
}

TEST_F(View, TellsOfOneWorkerOnlyWhenAskedForIt) {
  const AppStatus app = sample_status();
  EXPECT_FALSE(has(why_text(app, 4), "worker 2"));
  EXPECT_TRUE(has(why_text(app, 4), "worker 4"));
  EXPECT_EQ(why_text(app, 1), "Worker 1 of api has not ended since 2024-05-28 10:02:11, when it was started.\n");
  EXPECT_EQ(why_text(app, 9), "api has no worker 9.\n");
}

TEST_F(View, SaysWhenThereIsNoNextTry) {
  AppStatus app;
  app.name = "batch";
  app.state = "failed";
  app.why = "worker 1 never became ready";
  app.obituaries = {{.seat = 1,
                     .pid = 7,
                     .ended_at = sample_time,
                     .lived = 30'000,
                     .signal = "SIGKILL",
                     .cause = "never became ready",
                     .done = "not restarted: the app has failed"}};
  EXPECT_EQ(why_text(app),
            "batch has failed: worker 1 never became ready\n"
            "\n"
            "2024-05-31 14:02:11  worker 1 (pid 7) never became ready after 30 s: SIGKILL\n"
            "  It had not been ready. Not restarted: the app has failed.\n"
            "  It left no last words.\n");
  EXPECT_EQ(why_text(AppStatus{.name = "new", .workers_wanted = 1}), "No worker of new has ended.\n");
  EXPECT_EQ(obituary_headline({.seat = 2, .cause = "not started", .detail = "spawn ENOENT"}),
            "worker 2 could not be started: spawn ENOENT");
}

TEST_F(View, HasColoursOnlyWhenTold) {
  const AppStatus app = sample_status();
  for (const std::string& text : {list_text({app}), status_text(app), why_text(app)}) EXPECT_FALSE(has(text, "\x1b"));
  const Look look{.width = 100, .colour = Colour::yes};
  EXPECT_TRUE(has(list_text({app}, look), "\x1b[33mdegraded\x1b[0m"));
  EXPECT_TRUE(has(status_text(app, look), "\x1b[33mdegraded\x1b[0m"));
  EXPECT_TRUE(has(why_text(app, {}, look), "\x1b[31mworker 4 (pid 4204) crashed after 3.1 s: exit code 1\x1b[0m"));
}

TEST_F(View, LetsNoNameAndNoLastWordsSteerTheTerminal) {
  AppStatus app = sample_status();
  const std::string hostile = "\x1b[2J\x1b]0;x\x07n\xff\n";
  app.name = app.state = app.why = app.app = app.cwd = app.policy = app.last_reload = app.version = hostile;
  app.listening = {hostile};
  for (WorkerStatus& worker : app.workers) worker.state = hostile;
  for (Obituary& obituary : app.obituaries) {
    obituary.cause = obituary.detail = obituary.done = obituary.signal = hostile;
    obituary.last_words = {hostile};
  }
  for (const std::string& text : {list_text({app}), status_text(app), why_text(app)}) {
    EXPECT_FALSE(has(text, "\x1b"));
    EXPECT_FALSE(has(text, "\x07"));
    EXPECT_FALSE(has(text, "\xff"));
  }
}

}  // namespace
}  // namespace muster::test
