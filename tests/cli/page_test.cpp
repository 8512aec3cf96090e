// SPDX-License-Identifier: MIT
// The page of the admin port, in a browser.

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "primary/admin.h"
#include "browser.h"
#include "sample.h"
#include "support.h"
#include "support/run.h"

namespace muster::test {
namespace {

using cli::AppStatus;

// An admin port whose app is what the test says, and a browser that shows it.
struct Page : testing::Test {
  void open() {
    admin.emplace(
        primary.cluster, "127.0.0.1", 0, [this] { return app; }, [](const Error& error) { FAIL() << error.message; });
    admin->on_listening([this] { primary.stop(); });
    primary.run();
    browser.open("http://127.0.0.1:" + std::to_string(admin->address()->port.value()) + "/");
    browser.wait_until("!document.getElementById('main').hidden");
  }
  // What the primary knows from now on.
  void change(auto&& how) {
    how(app);
    app.at += 1000;
  }

  Primary primary{std::chrono::seconds(100)};
  AppStatus app = sample_status();
  std::optional<cli::Admin> admin;
  Browser browser{primary};
};

TEST_F(Page, ShowsTheAppItsWorkersAndWhatEndedThem) {
  open();

  EXPECT_EQ(browser.text_of("#name"), "api");
  EXPECT_EQ(browser.text_of("#state"), "degraded");
  EXPECT_EQ(browser.evaluate("document.getElementById('state').className"), "state changing");
  EXPECT_EQ(browser.text_of("#ready"), "3");
  EXPECT_EQ(browser.text_of("#wanted"), " of 4");
  EXPECT_EQ(browser.text_of("#uptime"), "3d 4h");
  EXPECT_EQ(browser.text_of("#memory"), "12.4 MiB");
  EXPECT_EQ(browser.text_of("#last-reload"), "4 workers replaced in 812 ms");
  EXPECT_EQ(browser.evaluate("[...document.querySelectorAll('#columns th')].map(th => th.textContent).join()"),
            "Worker,PID,State,Up,Restarts,CPU,Memory,Requests/s,Loop lag,Open,Conn/s,Msg/s");
  EXPECT_EQ(
      browser.evaluate("[...document.querySelector('#workers').children].map(tr => "
                       "[...tr.children].map(cell => cell.textContent).join()).join(' | ')"),
      "1,4201,ready,2h 5m,0,7.5%,61.0 MiB,1.2k,0.8 ms,12,3.5,0.2 | 2,4202,ready,2h 5m,1,15%,62.0 MiB,2.5k,0.8 ms,12,3.5,0.2 | "
      "3,4203,ready,2h 5m,0,23%,63.0 MiB,–,–,–,–,– | 4,–,waiting, 3.2 s,–,6,–,–,–,–,–,–,–");
  EXPECT_EQ(browser.text_of("#ended strong"), "Worker 4 (pid 4204) crashed: exit code 1");
  EXPECT_EQ(browser.text_of("#ended p"), "After 3.1 s; it had been ready. Restarts after 8.2 s. The next try is in 3.2 s.");
  EXPECT_EQ(browser.evaluate("document.querySelector('#ended details').open"), false);
  EXPECT_EQ(browser.text_of("#ended pre"), "/srv/api/server.js:41\n    throw new Error('no database');\n\nError: no database");
}

TEST_F(Page, FollowsWhatHappensAndSaysItAloud) {
  open();
  EXPECT_EQ(browser.text_of("#news"), "api is degraded; worker 4 is waiting");
  browser.evaluate("document.querySelector('#ended details').open = true");

  change([](AppStatus& a) {
    a.state = "reloading";
    a.workers[3] = {.seat = 4, .id = 15, .pid = 4300, .state = "ready"};
    a.workers[0].state = "draining";
  });
  browser.wait_until("document.getElementById('state').textContent === 'reloading'");

  EXPECT_EQ(browser.text_of("#news"), "api is reloading; worker 1 is draining");
  EXPECT_EQ(browser.text_of("#workers tr:last-child td"), "4300");
  EXPECT_EQ(browser.evaluate("document.title"), "api: reloading 3/4");
  EXPECT_EQ(browser.evaluate("document.querySelector('#ended details').open"), true);
  EXPECT_TRUE(browser.evaluate("document.querySelector('#workers .line').getAttribute('d').startsWith('M')"));

  change([](AppStatus& a) {
    a.state = "failed";
    a.why = "worker 4 was restarted 10 times";
    a.obituaries.clear();
  });
  browser.wait_until("document.getElementById('state').textContent === 'failed'");

  EXPECT_EQ(browser.text_of("#why"), "It has failed: worker 4 was restarted 10 times");
  EXPECT_EQ(browser.evaluate("document.getElementById('ended').hidden"), true);
}

TEST_F(Page, ShowsMarkupInNamesAsTextAndRunsNoneOfIt) {
  const std::string hostile = "<img src=x onerror=\"window.stolen=1\"><script>window.stolen=1</script>";
  app.name = app.app = app.cwd = app.why = app.last_reload = app.version = hostile;
  app.state = app.workers[0].state = hostile;
  app.listening = {hostile};
  app.obituaries[0].cause = "constructor";
  app.obituaries[0].detail = app.obituaries[0].done = app.obituaries[0].signal = hostile;
  app.obituaries[0].last_words = {hostile, "\xff\x1b[31m"};
  app.obituaries[1].cause = hostile;
  open();

  EXPECT_EQ(browser.text_of("#name"), hostile);
  EXPECT_EQ(browser.text_of("#state"), hostile);
  EXPECT_EQ(browser.text_of("#listening"), hostile);
  EXPECT_EQ(browser.text_of("#workers .state"), hostile);
  EXPECT_EQ(browser.text_of("#ended strong"), "Worker 4 (pid 4204) ended (constructor): " + hostile + ", " + hostile);
  EXPECT_EQ(browser.text_of("#ended pre"), hostile + "\n\uFFFD\x1b[31m");
  EXPECT_EQ(browser.evaluate("document.querySelectorAll('img, script').length"), 1);
  EXPECT_EQ(browser.evaluate("typeof window.stolen"), "undefined");
  EXPECT_TRUE(browser.evaluate("document.body.innerText.includes('<img src=x')"));
}

TEST_F(Page, SaysThatThePrimaryCannotBeReachedAndShowsItAgainWhenItIs) {
  open();
  browser.wait_until("document.getElementById('age').textContent === 'Seen just now'");
  EXPECT_EQ(browser.evaluate("document.getElementById('lost').hidden"), true);
  const int port = admin->address()->port.value();

  admin.reset();
  browser.wait_until("!document.getElementById('lost').hidden && document.getElementById('age').textContent.endsWith(' ago')");

  EXPECT_EQ(browser.text_of("#lost"),
            "The primary cannot be reached any more. What is shown is what was known last; it is asked again every second.");
  EXPECT_EQ(browser.text_of("#name"), "api");
  EXPECT_EQ(browser.text_of("#state"), "not reached");

  admin.emplace(
      primary.cluster, "127.0.0.1", port, [this] { return app; }, [](const Error& error) { FAIL() << error.message; });
  browser.wait_until(
      "document.getElementById('lost').hidden && document.getElementById('age').textContent === 'Seen just now'");

  EXPECT_EQ(browser.text_of("#state"), "degraded");
}

// The ratio of contrast of each text to what is behind it, the least of all.
constexpr const char* least_contrast = R"((() => {
  const parse = colour => (colour.match(/[\d.]+/g) || []).map(Number);
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.unshift(parse(getComputedStyle(e).backgroundColor));
    return layers.reduce((under, [r, g, b, a = 1]) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a)), [255, 255, 255]);
  };
  const light = rgb => rgb.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  let least = 21, where = '';
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('script, style')) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < least) [least, where] = [(a + 0.05) / (b + 0.05), walker.currentNode.data];
  }
  return {least, where};
})())";

TEST_F(Page, IsReadableInLightAndDarkAndOnANarrowScreen) {
  app.name = "a_name_without_any_place_to_break_it_that_is_longer_than_a_narrow_screen_is_wide";
  app.listening.push_back("unix:/run/a/path/without/end/" + std::string(80, 'x'));
  open();
  for (const bool dark : {false, true}) {
    browser.prefer_dark(dark);
    const auto contrast = browser.evaluate(least_contrast);
    EXPECT_GE(contrast["least"].get<double>(), 4.5) << contrast["where"];
  }
  for (const int width : {360, 561, 800, 1150, 1160, 1400}) {
    browser.resize(width, 800);
    EXPECT_LE(browser.evaluate("document.documentElement.scrollWidth"), width);
    EXPECT_EQ(browser.evaluate("document.querySelector('.table').scrollWidth - document.querySelector('.table').clientWidth"),
              0)
        << width;
  }
  // Nothing is there for the eye only.
  EXPECT_EQ(browser.evaluate("document.querySelectorAll('thead th[scope=col]').length"), 12);
  EXPECT_EQ(browser.evaluate("document.querySelectorAll('#workers th[scope=row][role=rowheader]').length"), 4);
  EXPECT_EQ(browser.evaluate("document.querySelectorAll('svg:not([aria-hidden=true])').length"), 0);
}

TEST_F(Page, DrawsTheLastMinuteOfEachWorker) {
  using namespace std::chrono;
  app.at = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  for (cli::Obituary& obituary : app.obituaries) obituary.ended_at += app.at - sample_time;
  const auto after = [start = app](int second) {
    AppStatus then = start;
    then.at += 1000 * second;
    then.obituaries[0].next_try_at = then.at + 3200;
    for (cli::WorkerStatus& worker : then.workers) {
      if (worker.pid == 0) continue;
      const double wave = std::sin(second / 6.0 + worker.seat) + 0.4 * std::sin(second * 1.7 * worker.seat);
      worker.cpu = 38 + 14 * wave;
      worker.memory = static_cast<std::uint64_t>((58 + 5 * worker.seat + 0.12 * second + wave) * (1 << 20));
      if (!worker.requests_per_second) continue;
      worker.requests_per_second = 1240 + 390 * wave;
      worker.lag = second % 37 == 9 * static_cast<int>(worker.seat) ? 19.0 : 1.2 + 0.4 * wave;
    }
    return then;
  };
  app = after(0);
  open();
  // A minute of it at once.
  nlohmann::json minute = nlohmann::json::array();
  for (int second = 1; second <= 60; ++second) minute.push_back(after(second));
  browser.evaluate("for (const status of " + minute.dump() + ") show(status)");
  app = after(60);

  EXPECT_GE(browser.evaluate("document.querySelector('#workers .line').getAttribute('d').split('L').length"), 60);
  EXPECT_EQ(browser.evaluate("[...document.querySelectorAll('#workers tr:last-child svg')].every(svg => "
                             "getComputedStyle(svg).visibility === 'hidden')"),
            true);
}

// docs/images/page.png, where TESTS_IMAGES names a folder for it.
TEST(PageOfAnApp, ShowsWhatHappensToIt) {
  const char* const images = std::getenv("TESTS_IMAGES");
  Session session;
  const int port = free_port();
  session.write("api.js", server_js(port, "(request.url === '/crash' && process.exit(1), String(process.pid))"));
  Running muster(session, {.words = {"run", "--admin", "127.0.0.1:0", "-n", "4", "api.js"}});
  std::string url = muster.line("admin on http://");
  url = url.substr(url.find("http://"));
  muster.lines("is ready", 4);
  EXPECT_EQ(session.run({"reload", "api"}).code, 0);
  Primary primary{std::chrono::seconds(200)};
  Browser browser{primary};
  browser.open(url);
  browser.wait_until("!document.getElementById('main').hidden");
  browser.resize(1200, 300);
  // For the picture, a minute of work that differs from second to second.
  std::atomic<bool> done = images == nullptr;
  std::thread clients([&] {
    for (int second = 0; !done; ++second) {
      const auto next = std::chrono::steady_clock::now() + std::chrono::seconds(1);
      for (int i = 0; i < 400 + static_cast<int>(250 * std::sin(second / 6.0)); ++i) get(port);
      std::this_thread::sleep_until(next);
    }
  });
  if (images) {
    browser.wait_until("(d => d && d.split('L').length >= 55)(document.querySelector('#workers .line').getAttribute('d'))");
  }

  get(port, "/crash");
  browser.wait_until(
      "document.querySelectorAll('#ended strong').length > 4 && document.getElementById('ready').textContent === '4'");

  EXPECT_EQ(browser.text_of("#name"), "api");
  EXPECT_EQ(browser.text_of("#state"), "running");
  EXPECT_TRUE(browser.text_of("#last-reload").starts_with("4 workers replaced in ")) << browser.text_of("#last-reload");
  EXPECT_TRUE(browser.text_of("#ended strong").ends_with(" crashed: exit code 1")) << browser.text_of("#ended strong");
  if (images) browser.save_image(std::string(images) + "/page.png");
  done = true;
  clients.join();
}

}  // namespace
}  // namespace muster::test
