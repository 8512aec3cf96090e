// SPDX-License-Identifier: MIT
// The admin port.

#include "primary/admin.h"

#include <optional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "primary/metrics.h"
#include "sample.h"
#include "support/run.h"

namespace muster::test {
namespace {

using namespace cli;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct AdminPort : testing::Test {
  void listen(const std::string& host = "127.0.0.1", std::uint16_t at = 0) {
    admin.emplace(
        primary.cluster, host, at, [this] { return app; },
        [this](const Error& error) {
          failure = error;
          primary.stop();
        });
    admin->on_listening([this] {
      port = admin->address()->port.value();
      primary.stop();
    });
    primary.run();
  }

  // The whole response to a whole request, when the connection has ended.
  std::string send(const std::string& request) {
    std::string response;
    net::Socket socket = net::connect(primary.loop, port, "127.0.0.1");
    socket.write(request);
    socket.on_data([&](std::string_view bytes) { response += bytes; });
    const ScopedSubscription closed = socket.on_close([this] { primary.stop(); });
    primary.run();
    return response;
  }
  std::string ask(const std::string& path, const std::string& method = "GET", const std::string& host = "localhost") {
    return send(method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  }

  Primary primary;
  AppStatus app = sample_status();
  std::optional<Admin> admin;
  std::optional<Error> failure;
  int port = 0;
};

TEST_F(AdminPort, ServesThePageTheMetricsAndTheStatus) {
  listen();

  const std::string page = ask("/");
  EXPECT_TRUE(page.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(has(page, "Content-Type: text/html; charset=utf-8\r\n"));
  EXPECT_TRUE(body_of(page).starts_with("<!doctype html>"));
  const std::string metrics = ask("/metrics?a=b");
  EXPECT_TRUE(has(metrics, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_EQ(body_of(metrics), metrics_text(app));
  const std::string status = ask("/status.json");
  EXPECT_TRUE(has(status, "Content-Type: application/json\r\n"));
  EXPECT_EQ(nlohmann::json::parse(body_of(status)), nlohmann::json(app));
}

TEST_F(AdminPort, SaysWhetherThePrimaryWorks) {
  listen();
  EXPECT_TRUE(ask("/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
  app.state = "stopping";
  EXPECT_TRUE(ask("/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
  app.state = "failed";
  app.why = "worker 1 was restarted 10 times";
  const std::string answer = ask("/healthz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_EQ(body_of(answer), "failed: worker 1 was restarted 10 times\n");
}

// Clients that only ever send empty lines.
TEST_F(AdminPort, IsShutToNobodyByClientsThatNeverAsk) {
  listen();

  constexpr int count = 100;
  int connected = 0;
  for (int i = 0; i < count; ++i) {
    net::Socket socket = net::connect(primary.loop, port, "127.0.0.1", [this, &connected] {
      if (++connected == count) primary.stop();
    });
    socket.write("\r\n\r\n");
  }
  primary.run();

  EXPECT_TRUE(has(ask("/healthz"), "\r\n\r\ndegraded: 3 of 4 workers ready\n"));
  EXPECT_FALSE(primary.gave_up);
}

TEST_F(AdminPort, SaysWhetherAWorkerIsReadyAndWhyNot) {
  listen();
  EXPECT_EQ(body_of(ask("/readyz")), "degraded: 3 of 4 workers ready\n");
  app.state = "running";
  EXPECT_EQ(body_of(ask("/readyz")), "ok: 3 of 4 workers ready\n");
  app.state = "crash loop";
  EXPECT_EQ(body_of(ask("/healthz")), "crash loop: 3 of 4 workers ready\n");
  EXPECT_TRUE(ask("/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
  app.state = "reloading";
  EXPECT_TRUE(ask("/readyz").starts_with("HTTP/1.1 200 OK\r\n"));

  app.state = "stopping";
  std::string answer = ask("/readyz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_EQ(body_of(answer), "stopping\n");
  app.state = "starting";
  for (WorkerStatus& worker : app.workers) worker.state = "starting";
  answer = ask("/readyz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_EQ(body_of(answer), "starting: 0 of 4 workers ready\n");
  app.state = "crash loop";
  EXPECT_TRUE(ask("/healthz").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  app.state = "failed";
  EXPECT_EQ(body_of(ask("/readyz")), "failed\n");
}

TEST_F(AdminPort, AnswersToHeadWithoutABody) {
  listen();
  for (const std::string path : {"/", "/metrics", "/healthz", "/readyz", "/status.json", "/nothing"}) {
    const std::string get = ask(path), head = ask(path, "HEAD");
    EXPECT_EQ(body_of(head), "") << path;
    EXPECT_EQ(head.substr(0, head.find('\r')), get.substr(0, get.find('\r'))) << path;
    EXPECT_TRUE(has(head, "Content-Length: " + std::to_string(body_of(get).size()) + "\r\n")) << path;
  }
}

TEST_F(AdminPort, ChangesNothingAndSaysWhereToGo) {
  listen();
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    const std::string answer = ask("/status.json", method);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n")) << answer;
    EXPECT_TRUE(has(answer, "Allow: GET, HEAD\r\n"));
  }
  const std::string missing = ask("/stop");
  EXPECT_TRUE(missing.starts_with("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_TRUE(has(body_of(missing), "/metrics"));
}

TEST_F(AdminPort, AnswersOnlyToNamesThatCannotBeAStrangers) {
  listen();
  const std::string at = ":" + std::to_string(port);
  for (const std::string host : {"localhost", "LocalHost", "127.0.0.1", "192.168.1.2", "[::1]", "[2001:db8::1]"}) {
    EXPECT_TRUE(ask("/healthz", "GET", host).starts_with("HTTP/1.1 200 ")) << host;
    EXPECT_TRUE(ask("/healthz", "GET", host + at).starts_with("HTTP/1.1 200 ")) << host;
  }
  for (const std::string host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:80", "[::1",
                                 "[::1]x", "localhost:80:80", "localhost:x", "", ":80", "evil@localhost", "::1", "0x7f.1"}) {
    const std::string answer = ask("/status.json", "GET", host);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 Forbidden\r\n") || answer.starts_with("HTTP/1.1 400 ")) << host << answer;
    EXPECT_FALSE(has(answer, "workers")) << host;
  }
  EXPECT_TRUE(send("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(send("GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_FALSE(send("GET / HTTP/1.0\r\nHost: localhost\r\nHost: evil.example\r\n\r\n").starts_with("HTTP/1.1 200"));
}

TEST_F(AdminPort, AnswersToTheHostItWasGiven) {
  // Every address, and no name.
  listen("");
  EXPECT_TRUE(ask("/healthz", "GET", "").starts_with("HTTP/1.1 4"));
  EXPECT_TRUE(ask("/healthz", "GET", "127.0.0.1").starts_with("HTTP/1.1 200 "));
  // A name that is resolved everywhere and is not written as an address is.
  EXPECT_TRUE(ask("/healthz", "GET", "127.1").starts_with("HTTP/1.1 403 "));
  admin.reset();
  listen("127.1");
  EXPECT_TRUE(ask("/healthz", "GET", "127.1").starts_with("HTTP/1.1 200 "));
}

TEST_F(AdminPort, LetsNoOtherSiteReadIt) {
  listen();
  for (const std::string path : {"/", "/status.json", "/metrics", "/nothing"}) {
    const std::string answer = send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n");
    EXPECT_FALSE(has(answer, "Access-Control")) << path;
    EXPECT_TRUE(has(answer, "Cache-Control: no-store\r\n")) << path;
    EXPECT_TRUE(has(answer,
                    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
                    "script-src 'unsafe-inline'; connect-src 'self'\r\n"))
        << path;
    EXPECT_TRUE(has(answer, "X-Content-Type-Options: nosniff\r\n")) << path;
  }
}

TEST_F(AdminPort, IsValidJsonWhateverAWorkerWrote) {
  app.obituaries[0].last_words = {"\xff\xfe", std::string("\0", 1), "\"\\"};
  listen();
  const auto status = nlohmann::json::parse(body_of(ask("/status.json")));
  EXPECT_EQ(status["obituaries"][0]["last_words"][2], "\"\\");
}

TEST_F(AdminPort, ReportsAPortThatIsInUse) {
  listen();
  const int taken = port;
  std::optional<Admin> second;
  std::string code;
  second.emplace(
      primary.cluster, "127.0.0.1", static_cast<std::uint16_t>(taken), [this] { return app; },
      [&](const Error& error) {
        code = error_name(error.code);
        primary.stop();
      });
  EXPECT_EQ(code, "");
  primary.run();
  EXPECT_EQ(code, "EADDRINUSE");
  EXPECT_FALSE(second->address());
  // Neither of them is at a loss.
  second->close();
  second.reset();
  EXPECT_TRUE(ask("/healthz").starts_with("HTTP/1.1 200 "));
}

TEST_F(AdminPort, DoesNotKeepTheProgramAlive) {
  listen();
  ask("/healthz");
  // Returns because nothing is left, and not because something stopped it.
  primary.run();
  EXPECT_FALSE(primary.gave_up);
  EXPECT_TRUE(admin->address());
}

TEST_F(AdminPort, TakesNoMoreConnectionsWhenItIsClosed) {
  listen();
  admin->close();
  admin->close();
  EXPECT_EQ(ask("/healthz"), "");
  admin.reset();
  EXPECT_EQ(ask("/healthz"), "");
}

TEST_F(AdminPort, MayGoWhileARequestIsUnderWay) {
  listen();
  std::string response;
  net::Socket socket = net::connect(primary.loop, port, "127.0.0.1");
  socket.write("GET /status.json HTTP/1.1\r\nHost: localhost\r\n");
  socket.on_data([&](std::string_view bytes) { response += bytes; });
  socket.on_close([this] { primary.stop(); });
  // Answered after the first half of the other has been read.
  ask("/healthz");
  admin.reset();
  socket.write("\r\n");
  primary.run();
  EXPECT_TRUE(response.empty() || response.starts_with("HTTP/1.1 503 ")) << response;
}

}  // namespace
}  // namespace muster::test
