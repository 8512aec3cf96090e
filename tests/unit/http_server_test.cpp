// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <uv.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/muster.h>
#include "unit/libuv_loop.h"
#include "uv/uv_handle.h"

namespace muster {
namespace {

using namespace std::chrono_literals;
using http::Request;
using http::Response;

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

bool has(std::string_view text, std::string_view part) { return count(text, part) > 0; }

// One end of a connection: everything that came in, and what happened.
struct Client {
  net::Socket socket;
  std::string in;
  bool ended = false;
  bool closed = false;
  bool got(std::string_view part) const { return has(in, part); }
};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view post_hello = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
// More than the system takes of a connection whose other end does not read.
constexpr std::size_t huge = 32 << 20;

class HttpServer : public testing::Test {
 protected:
  HttpServer() {
    uv_loop_.emplace();
    loop_.emplace(&*uv_loop_);
    cluster_.emplace(*loop_, 1, argv_);
    // Looks at the condition of until() whenever something may have happened.
    const auto look = [](auto* handle) {
      auto* self = static_cast<HttpServer*>(handle->data);
      if (self && self->condition_ && self->condition_()) self->loop_->stop();
    };
    prepare_ = std::make_unique<uv::UvHandle<uv_prepare_t>>(this, [&](uv_prepare_t* handle) {
      uv_prepare_init(&*uv_loop_, handle);
      return uv_prepare_start(handle, look);
    });
    check_ = std::make_unique<uv::UvHandle<uv_check_t>>(this, [&](uv_check_t* handle) {
      uv_check_init(&*uv_loop_, handle);
      return uv_check_start(handle, look);
    });
    prepare_->unref();
    check_->unref();
  }
  ~HttpServer() override { end_loop(); }

  void end_loop() {
    prepare_.reset();
    check_.reset();
    cluster_.reset();
    if (!loop_) return;
    loop_.reset();
    uv_loop_.reset();
  }

  // Runs the loop until something is so. Not to wait for what may be so already by chance.
  void until(std::function<bool()> condition, const char* what) {
    bool late = false;
    Timer guard = loop_->set_timeout(100s, [&] {
      late = true;
      loop_->stop();
    });
    condition_ = std::move(condition);
    if (!condition_()) loop_->run();
    EXPECT_TRUE(condition_()) << what << (late ? ": not within 100 seconds" : ": the loop has ended");
    condition_ = nullptr;
    guard.cancel();
  }
#define UNTIL(condition) until([&] { return (condition); }, #condition)

  http::Server& serve(http::ServerOptions options, Function<void(http::Request&, http::Response&)> on_request) {
    server_.emplace(http::create_server(*cluster_, options,
                                        [listener = std::move(on_request)](Request& request, Response& response) mutable {
                                          if (request.url() == "/other") return response.end();
                                          listener(request, response);
                                        }));
    server_->listen(0, [this] { port_ = server_->address()->port.value_or(-1); });
    UNTIL(port_ > 0);
    return *server_;
  }
  http::Server& serve(Function<void(http::Request&, http::Response&)> on_request) { return serve({}, std::move(on_request)); }

  std::shared_ptr<Client> connect(std::string_view bytes = {}) {
    auto client = std::make_shared<Client>();
    client->socket = net::connect(*loop_, port_);
    client->socket.on_data([client](std::string_view part) { client->in += part; });
    client->socket.on_end([client] { client->ended = true; });
    client->socket.on_close([client] { client->closed = true; });
    if (!bytes.empty()) client->socket.write(bytes);
    return client;
  }

  // What was sent before has been read, where it is to be read, when this other connection is served.
  void round_trip() {
    const auto other = connect("GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    UNTIL(other->closed);
  }

  Loop& loop() { return *loop_; }

  std::optional<uv::LibuvLoop> uv_loop_;  // whose hooks tell when something may have happened
  std::optional<Loop> loop_;
  std::optional<Cluster> cluster_;
  std::optional<http::Server> server_;
  int port_ = 0;

 private:
  char name_[5] = "test";
  char* argv_[2] = {name_, nullptr};
  std::function<bool()> condition_;
  std::unique_ptr<uv::UvHandle<uv_prepare_t>> prepare_;
  std::unique_ptr<uv::UvHandle<uv_check_t>> check_;
};

// ---- Requests and responses --------------------------------------------------------------------------

TEST_F(HttpServer, RefusesALimitThatLetsNothingThrough) {
  const auto refusal = [this](const http::ServerOptions& options) -> std::string {
    try {
      http::create_server(*cluster_, options, [](Request&, Response&) {});
    } catch (const Exception& e) {
      return e.what();
    }
    return "none";
  };
  EXPECT_EQ(refusal({.max_head_size = 0}),
            "ERR_INVALID_ARG_VALUE: max_head_size must be more than 0; left empty, there is no limit");
  EXPECT_EQ(refusal({.headers_timeout = -1ms}),
            "ERR_INVALID_ARG_VALUE: headers_timeout must be more than 0; left empty, there is no limit");
  EXPECT_EQ(refusal({.keep_alive_timeout = 0ms}),
            "ERR_INVALID_ARG_VALUE: keep_alive_timeout must be more than 0; left empty, there is no limit");
  EXPECT_EQ(refusal({.keep_alive_timeout = std::nullopt}), "none");
}

TEST_F(HttpServer, TellsTheProgramWhatWasAsked) {
  std::string asked;
  serve([&](Request& request, Response& response) {
    asked = std::string(request.method()) + " " + std::string(request.url()) + " " + std::string(request.http_version()) + " " +
            std::string(request.header("x-A").value_or("none")) + " " + std::string(request.header("y").value_or("none")) +
            " " + request.remote_address()->address.value_or("") + " " + std::to_string(request.headers().size());
    response.end();
  });

  const auto client = connect("PUT /a?b HTTP/1.1\r\nHost: a\r\nX-a: 1\r\nX-A: 2\r\n\r\n");
  UNTIL(client->got("\r\n\r\n"));

  EXPECT_EQ(asked, "PUT /a?b 1.1 1 none ::ffff:127.0.0.1 3");
}

TEST_F(HttpServer, SendsStatusHeadersAndBody) {
  serve([](Request&, Response& response) {
    response.write_head(404, {{"X-A", "1"}});
    EXPECT_FALSE(response.headers_sent());
    response.end("no such thing");
    EXPECT_TRUE(response.headers_sent());
    EXPECT_TRUE(response.ended());
  });

  const auto client = connect(get);
  UNTIL(client->got("no such thing"));

  EXPECT_TRUE(client->in.starts_with("HTTP/1.1 404 Not Found\r\nX-A: 1\r\nDate: "));
  EXPECT_TRUE(
      client->in.ends_with("Content-Length: 13\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nno such thing"));
}

TEST_F(HttpServer, KeepsTheConnectionForTheNextRequest) {
  int served = 0;
  serve([&](Request&, Response& response) { response.end("answer " + std::to_string(++served)); });
  const auto client = connect(get);
  UNTIL(client->got("answer 1"));

  client->socket.write(get);

  UNTIL(client->got("answer 2"));
  EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(HttpServer, AnswersPipelinedRequestsInOrder) {
  serve([](Request& request, Response& response) { response.end(request.url()); });

  const auto client = connect(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: "
      "close\r\n\r\n");
  UNTIL(client->closed);

  EXPECT_LT(client->in.find("/1"), client->in.find("/2"));
  EXPECT_LT(client->in.find("/2"), client->in.find("/3"));
  EXPECT_EQ(count(client->in, "200 OK"), 3U);
}

TEST_F(HttpServer, AnswersPipelinedRequestsOnceEachWhenTheAnswersComeLater) {
  std::vector<std::string> seen;
  std::optional<Response> pending;
  serve([&](Request& request, Response& response) {
    seen.emplace_back(request.url());
    pending = response;
  });
  const auto client = connect("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  UNTIL(seen.size() == 1);
  pending->end("one");
  UNTIL(seen.size() == 2 && client->got("one"));

  // The second is in progress, taken from what was kept.
  client->socket.write("GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  round_trip();
  pending->end("two");
  UNTIL(seen.size() == 3);
  pending->end("three");
  UNTIL(client->closed);

  EXPECT_EQ(seen, (std::vector<std::string>{"/1", "/2", "/3"}));
  EXPECT_EQ(count(client->in, "200 OK"), 3U);
}

TEST_F(HttpServer, SendsABodyOfUnknownLengthInChunks) {
  serve([](Request&, Response& response) {
    EXPECT_TRUE(response.write("hello "));
    response.write("");
    response.end("world");
  });

  const auto client = connect(get);
  UNTIL(client->in.ends_with("\r\n0\r\n\r\n"));

  EXPECT_TRUE(client->in.ends_with("Keep-Alive: timeout=5\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"));
}

TEST_F(HttpServer, HandsABodyOverAndTellsItsEnd) {
  std::string body;
  serve([&](Request& request, Response& response) {
    request.on_data([&](std::string_view part) { body += part; });
    request.on_end([&, response]() mutable { response.end("got " + body); });
  });

  const auto client = connect(post_hello);
  UNTIL(client->got("got hello"));
  body.clear();
  client->socket.write(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n");

  UNTIL(client->got("got abcde"));
}

TEST_F(HttpServer, TellsTheEndOfARequestWithoutABody) {
  serve([](Request& request, Response& response) { request.on_end([response]() mutable { response.end("ended"); }); });

  const auto client = connect(get);

  UNTIL(client->got("ended"));
}

TEST_F(HttpServer, TellsTheEndToWhoListensLater) {
  serve([&](Request& request, Response& response) {
    loop().set_timeout(1ms, [request, response]() mutable { request.on_end([response]() mutable { response.end("ended"); }); });
  });

  const auto client = connect(get);

  UNTIL(client->got("ended"));
}

TEST_F(HttpServer, TellsNoEndWhilePaused) {
  bool resumed = false;
  serve([&](Request& request, Response& response) {
    request.pause();
    request.on_end([&, response]() mutable {
      EXPECT_TRUE(resumed);
      response.end("ended");
    });
    loop().set_timeout(1ms, [&, request]() mutable {
      resumed = true;
      request.resume();
    });
  });

  const auto client = connect(get);

  UNTIL(client->got("ended"));
}

TEST_F(HttpServer, InvitesABodyThatWaitsToBeAskedFor) {
  serve([](Request& request, Response& response) {
    request.on_data([](std::string_view) {});
    request.on_end([response]() mutable { response.end("done"); });
  });
  const auto client = connect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
  UNTIL(client->in == "HTTP/1.1 100 Continue\r\n\r\n");

  client->socket.write("hello");

  UNTIL(client->got("done"));
}

TEST_F(HttpServer, InvitesNoBodyOfAnHttp10Client) {
  serve([](Request&, Response& response) { response.end(); });

  const auto client = connect("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
  UNTIL(client->closed);

  EXPECT_FALSE(client->got("100 Continue"));
  EXPECT_TRUE(client->got("200 OK"));
}

TEST_F(HttpServer, ClosesAfterAnHttp10RequestThatDoesNotAskToStay) {
  serve([](Request& request, Response& response) {
    if (request.url() == "/pieces") response.write("un");
    response.end("known");
  });

  const auto closing = connect("GET / HTTP/1.0\r\n\r\n");
  UNTIL(closing->closed);
  const auto pieces = connect("GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  UNTIL(pieces->closed);
  const auto staying = connect("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  UNTIL(staying->got("known"));
  staying->socket.write("GET / HTTP/1.0\r\n\r\n");
  UNTIL(staying->closed);

  EXPECT_TRUE(closing->got("Connection: close\r\n\r\nknown"));
  EXPECT_TRUE(pieces->got("Connection: close\r\n\r\nunknown"));
  EXPECT_EQ(count(staying->in, "known"), 2U);
}

TEST_F(HttpServer, SendsNoBodyWhereNoneMayBe) {
  serve([](Request& request, Response& response) {
    if (request.url() != "/") response.set_status(request.url() == "/204" ? 204 : 304);
    response.end("body");
  });

  const auto client = connect(
      "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /204 HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /304 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  UNTIL(client->closed);

  EXPECT_EQ(count(client->in, "body"), 0U);
  EXPECT_EQ(count(client->in, "HTTP/1.1 "), 3U);
  EXPECT_EQ(count(client->in, "Content-Length: 4"), 1U);
}

TEST_F(HttpServer, ClosesWhenTheClientOrTheProgramSaysSo) {
  serve([](Request& request, Response& response) {
    if (request.url() == "/close") response.set_header("Connection", "close");
    response.end("bye");
  });

  const auto by_client = connect("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  UNTIL(by_client->closed);
  const auto by_program = connect("GET /close HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(get));
  UNTIL(by_program->closed);

  EXPECT_EQ(count(by_client->in, "bye"), 1U);
  EXPECT_EQ(count(by_program->in, "bye"), 1U);
}

TEST_F(HttpServer, ClosesAfterABodyThatIsShorterThanItsLength) {
  serve([](Request&, Response& response) {
    response.set_header("Content-Length", "10");
    response.end("short");
  });

  const auto client = connect(std::string(get) + std::string(get));
  UNTIL(client->closed);

  EXPECT_EQ(count(client->in, "200 OK"), 1U);
}

// ---- Misuse ------------------------------------------------------------------------------------------

template <class Call>
std::error_code code_of(Call&& call) {
  try {
    call();
  } catch (const Exception& exception) {
    return exception.code();
  }
  return {};
}

TEST_F(HttpServer, ThrowsForWhatMayNotStandInAHeader) {
  serve([](Request&, Response& response) {
    EXPECT_EQ(code_of([&] { response.set_header("X", "a\r\nSet-Cookie: b"); }), Errc::invalid_arg_value);
    EXPECT_EQ(code_of([&] { response.set_header("X:\r\n", "a"); }), Errc::invalid_arg_value);
    EXPECT_EQ(code_of([&] { response.write_head(200, {{"X", "\n"}}); }), Errc::invalid_arg_value);
    EXPECT_EQ(code_of([&] { response.set_status(99); }), Errc::invalid_arg_value);
    EXPECT_EQ(code_of([&] { response.set_status(1000); }), Errc::invalid_arg_value);
    response.end("fine");
  });

  const auto client = connect(get);

  UNTIL(client->got("fine"));
  EXPECT_FALSE(client->got("Set-Cookie"));
}

TEST_F(HttpServer, ThrowsForWhatComesTooLate) {
  serve([](Request&, Response& response) {
    response.write("a");
    EXPECT_EQ(code_of([&] { response.set_header("X", "a"); }), Errc::http_headers_sent);
    EXPECT_EQ(code_of([&] { response.set_status(201); }), Errc::http_headers_sent);
    response.end();
    response.end();
    EXPECT_EQ(code_of([&] { response.write("b"); }), Errc::stream_write_after_end);
    EXPECT_EQ(code_of([&] { response.end("b"); }), Errc::stream_write_after_end);
  });

  const auto client = connect(get);

  UNTIL(client->in.ends_with("1\r\na\r\n0\r\n\r\n"));
}

// ---- Limits ------------------------------------------------------------------------------------------

TEST_F(HttpServer, AnswersABadRequestWith400AndCloses) {
  serve([](Request&, Response& response) { response.end("good"); });

  const auto client = connect(std::string(get) + "BAD\r\n\r\n" + std::string(get));
  UNTIL(client->closed);

  EXPECT_EQ(count(client->in, "good"), 1U);
  EXPECT_TRUE(client->in.ends_with("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
}

TEST_F(HttpServer, AnswersAHeadThatIsTooLargeWith431) {
  serve({.max_head_size = 100}, [](Request&, Response&) { ADD_FAILURE(); });

  const auto client = connect("GET / HTTP/1.1\r\nX: " + std::string(200, 'x'));

  UNTIL(client->closed);
  EXPECT_TRUE(client->got("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
}

TEST_F(HttpServer, AnswersABodyThatIsTooLargeWith413WhileItIsStillSent) {
  serve({.max_body_size = 5}, [](Request&, Response&) { ADD_FAILURE(); });

  const auto client = connect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n" + std::string(9000000, 'x'));

  UNTIL(client->closed);
  EXPECT_EQ(client->in, "HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\n\r\n");
}

TEST_F(HttpServer, AbortsARequestWhoseChunksAreTooLarge) {
  bool aborted = false;
  std::string body;
  serve({.max_body_size = 5}, [&](Request& request, Response& response) {
    request.on_data([&](std::string_view part) { body += part; });
    request.on_aborted([&, response]() mutable {
      aborted = true;
      response.end("too late");
    });
  });

  const auto client =
      connect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n");

  UNTIL(client->closed);
  EXPECT_TRUE(aborted);
  EXPECT_EQ(body, "abcd");
  EXPECT_EQ(client->in, "HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\n\r\n");
}

TEST_F(HttpServer, SendsNoSecondAnswerToARequestThatTurnsOutBad) {
  bool finished = false;
  bool closed = false;
  serve([&](Request&, Response& response) {
    response.on_finish([&] { finished = true; });
    response.on_close([&] { closed = true; });
    response.end("answer");
  });

  const auto client = connect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");

  UNTIL(client->closed);
  EXPECT_TRUE(client->in.ends_with("answer"));
  EXPECT_TRUE(finished);
  EXPECT_FALSE(closed);
}

TEST_F(HttpServer, AnswersAHeadThatDoesNotComeWith408) {
  serve({.headers_timeout = 20ms}, [](Request&, Response&) { ADD_FAILURE(); });

  const auto client = connect("GET / HTTP/1.1\r\nHo");

  UNTIL(client->closed);
  EXPECT_EQ(client->in, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
}

// A client that sends empty lines for as long as it is let.
TEST_F(HttpServer, GivesNoMoreTimeForEmptyLinesBeforeAHead) {
  serve({.headers_timeout = 50ms, .keep_alive_timeout = 50ms}, [](Request&, Response& response) { response.end(); });
  for (const std::string_view first : {std::string_view(), get}) {
    const auto client = connect(first);
    Timer again = loop().set_interval(1ms, [client] { client->socket.write("\r\n"); });

    UNTIL(client->closed);

    again.cancel();
  }
}

TEST_F(HttpServer, ClosesTheOldestOfTooManyThatWait) {
  std::optional<Response> pending;
  serve({.max_waiting_connections = 3}, [&](Request& request, Response& response) {
    if (request.url() == "/slow") {
      pending = response;
    } else {
      response.end("answer");
    }
  });
  const auto slow = connect("GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  UNTIL(pending.has_value());
  std::vector<std::shared_ptr<Client>> idle;
  for (const char* said : {"", "GET / HTTP/1.1\r\nHo", "\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"}) {
    idle.push_back(connect(said));
    round_trip();
  }

  // Who asks, is answered.
  const auto client = connect("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  UNTIL(client->closed);
  EXPECT_TRUE(client->in.ends_with("answer"));
  UNTIL(idle[0]->closed);
  EXPECT_FALSE(slow->closed);
  pending->end("late");
  UNTIL(slow->closed);
  EXPECT_TRUE(slow->in.ends_with("late"));
}

TEST_F(HttpServer, AnswersAnExpectationItDoesNotKnowWith417) {
  serve([](Request&, Response& response) { response.end("answer"); });

  const auto client = connect("POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 2\r\n\r\nab" +
                              std::string("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));

  UNTIL(client->closed);
  EXPECT_TRUE(client->in.starts_with("HTTP/1.1 417 Expectation Failed\r\n")) << client->in;
  EXPECT_TRUE(client->in.ends_with("answer")) << client->in;
}

TEST_F(HttpServer, ClosesWhereTheProgramSaysCloseInAList) {
  for (const char* value : {"close", "Close", "keep-alive, close", "close , TE", "TE,close"}) {
    serve([value](Request&, Response& response) {
      response.set_header("Connection", value);
      response.end("answer");
    });
    const auto client = connect(get);
    UNTIL(client->closed);
    EXPECT_TRUE(client->got("\r\nConnection: close\r\n")) << client->in;
  }
}

TEST_F(HttpServer, AnswersAPipelinedHeadThatDoesNotComeWith408) {
  serve({.headers_timeout = 20ms, .keep_alive_timeout = std::nullopt},
        [](Request&, Response& response) { response.end("one"); });

  const auto client = connect(std::string(get) + "GET / HTTP/1.1\r\nHo");

  UNTIL(client->closed);
  EXPECT_TRUE(client->got("oneHTTP/1.1 408 Request Timeout\r\n"));
}

TEST_F(HttpServer, AnswersABodyThatDoesNotComeWith408) {
  bool aborted = false;
  serve({.request_timeout = 20ms}, [&](Request& request, Response&) {
    request.on_data([](std::string_view) {});
    request.on_aborted([&] { aborted = true; });
  });

  const auto client = connect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");

  UNTIL(client->closed);
  EXPECT_TRUE(aborted);
  EXPECT_EQ(client->in, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
}

TEST_F(HttpServer, ClosesAnIdleConnection) {
  serve({.keep_alive_timeout = 20ms}, [](Request&, Response& response) { response.end("answer"); });

  const auto client = connect(get);

  UNTIL(client->closed);
  EXPECT_TRUE(client->in.ends_with("answer"));
}

TEST_F(HttpServer, GivesTheProgramTheTimeItNeeds) {
  std::optional<Response> pending;
  serve({.headers_timeout = 20ms, .request_timeout = 20ms, .keep_alive_timeout = 20ms},
        [&](Request&, Response& response) { pending = response; });
  const auto slow = connect(get);
  UNTIL(pending.has_value());
  // Two that come later are overdue first.
  for (int i = 0; i < 2; ++i) {
    const auto idle = connect();
    UNTIL(idle->closed);
  }
  pending->end("answer");

  UNTIL(slow->closed);

  EXPECT_TRUE(slow->in.ends_with("answer"));
}

// ---- Back-pressure -----------------------------------------------------------------------------------

TEST_F(HttpServer, WritesWithTheSpeedOfTheClient) {
  std::size_t written = 0;
  std::size_t drains = 0;
  std::function<void()> go_on;
  const std::string piece(100000, 'x');
  serve([&](Request&, Response& response) {
    response.set_header("Content-Length", std::to_string(huge / piece.size() * piece.size()));
    go_on = [&, response]() mutable {
      while (written < huge / piece.size() * piece.size()) {
        written += piece.size();
        if (!response.write(piece)) return;
      }
      response.end();
    };
    response.on_drain([&] {
      ++drains;
      go_on();
    });
    go_on();
  });
  const auto client = connect("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  client->socket.pause();
  UNTIL(written > 0);
  round_trip();
  EXPECT_LT(written, huge / 2);

  client->socket.resume();
  UNTIL(client->closed);

  EXPECT_GT(drains, 0U);
  EXPECT_EQ(client->in.size() - client->in.find("\r\n\r\n") - 4, written);
  go_on = nullptr;
}

TEST_F(HttpServer, TellsThatAResponseIsFinishedWhenTheSystemHasAllOfIt) {
  bool finished = false;
  serve([&](Request&, Response& response) {
    response.on_finish([&] { finished = true; });
    response.end(std::string(huge, 'x'));
  });
  const auto client = connect(get);
  client->socket.pause();
  round_trip();
  round_trip();
  EXPECT_FALSE(finished);

  client->socket.resume();

  UNTIL(finished);
  UNTIL(client->in.size() > huge);
}

TEST_F(HttpServer, DoesNotTakeRequestsWhoseAnswersAClientDoesNotTake) {
  std::size_t served = 0;
  serve([&](Request&, Response& response) {
    ++served;
    response.end(std::string(1 << 20, 'x'));
  });
  std::string requests;
  for (int i = 0; i < 63; ++i) requests += get;
  const auto client = connect();
  client->socket.pause();
  client->socket.write(requests + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  UNTIL(served > 0);
  round_trip();
  round_trip();
  EXPECT_LT(served, 32U);

  client->socket.resume();
  UNTIL(client->closed);

  EXPECT_EQ(served, 64U);
  EXPECT_EQ(count(client->in, "200 OK"), 64U);
}

TEST_F(HttpServer, DoesNotCutOffASlowReader) {
  serve({.headers_timeout = 20ms, .request_timeout = 20ms, .keep_alive_timeout = 20ms},
        [](Request&, Response& response) { response.end(std::string(huge, 'x')); });
  const auto client = connect(std::string(get) + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  client->socket.pause();
  round_trip();
  const auto idle = connect();
  UNTIL(idle->closed);
  const auto again = connect();
  UNTIL(again->closed);

  client->socket.resume();
  UNTIL(client->closed);

  EXPECT_GT(client->in.size(), 2 * huge);
}

TEST_F(HttpServer, LeavesABodyNobodyTakesWithTheSystem) {
  std::optional<Request> pending;
  std::size_t taken = 0;
  serve([&](Request& request, Response& response) {
    pending = request;
    request.on_end([response]() mutable { response.end("done"); });
  });
  const auto client = connect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(huge) + "\r\n\r\n");
  client->socket.write(std::string(huge, 'x'));
  UNTIL(pending.has_value());
  round_trip();
  round_trip();
  EXPECT_GT(client->socket.writable_length(), huge / 2);

  pending->on_data([&](std::string_view part) { taken += part.size(); });
  UNTIL(client->got("done"));

  EXPECT_EQ(taken, huge);
}

TEST_F(HttpServer, StopsABodyWhilePaused) {
  std::optional<Request> pending;
  std::string taken;
  bool paused = false;
  serve([&](Request& request, Response& response) {
    pending = request;
    request.on_data([&](std::string_view part) {
      EXPECT_FALSE(paused);
      taken += part;
      paused = true;
      pending->pause();
    });
    request.on_end([response]() mutable { response.end("done"); });
  });
  const auto client =
      connect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n3\r\nghi\r\n0\r\n\r\n");

  for (const char* expected : {"abc", "abcdef", "abcdefghi"}) {
    UNTIL(paused);
    round_trip();
    EXPECT_EQ(taken, expected);
    EXPECT_FALSE(client->got("done"));
    paused = false;
    pending->resume();
  }

  UNTIL(client->got("done"));
}

TEST_F(HttpServer, DropsABodyNobodyTookWhenTheResponseHasEnded) {
  serve([](Request& request, Response& response) { response.end(request.url()); });

  const auto client = connect("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n" + std::string(9000000, 'x') +
                              "GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

  UNTIL(client->closed);
  EXPECT_TRUE(client->got("/1"));
  EXPECT_TRUE(client->in.ends_with("/2"));
}

// ---- Lives and re-entrancy ---------------------------------------------------------------------------

TEST_F(HttpServer, TakesAnAnswerFromATimer) {
  serve([&](Request&, Response& response) {
    loop().set_timeout(1ms, [response]() mutable {
      response.write("la");
      response.end("ter");
    });
  });

  const auto client = connect(get);

  UNTIL(client->in.ends_with("2\r\nla\r\n3\r\nter\r\n0\r\n\r\n"));
}

TEST_F(HttpServer, TakesAnAnswerFromInsideTheDataListener) {
  std::string taken;
  serve([&](Request& request, Response& response) {
    request.on_data([&, response](std::string_view part) mutable {
      taken += part;
      if (!response.ended()) response.end("enough");
    });
  });

  const auto client =
      connect("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n" +
              std::string(post_hello));

  UNTIL(count(client->in, "enough") == 2);
  EXPECT_EQ(taken, "abcdefhello");
}

TEST_F(HttpServer, LetsAProgramForgetEverythingInItsListeners) {
  std::optional<Request> request_kept;
  std::optional<Response> response_kept;
  serve([&](Request& request, Response& response) {
    request_kept = request;
    response_kept = response;
    request.on_end([&] {
      response_kept->end("gone");
      request_kept.reset();
      response_kept.reset();
    });
    request.on_data([](std::string_view) {});
  });

  const auto client = connect(std::string(post_hello) + std::string(get));

  UNTIL(count(client->in, "gone") == 2);
}

TEST_F(HttpServer, ForgetsListenersThatHoldWhatTheyListenTo) {
  // Held by every listener; unique again when all of them are gone.
  const auto token = std::make_shared<int>();
  serve([&](Request& request, Response& response) {
    request.on_data([=](std::string_view) { (void)token, (void)request, (void)response; });
    request.on_end([=]() mutable {
      (void)token, (void)request;
      if (request.url() == "/") response.end("answer");
    });
    request.on_aborted([=] { (void)token, (void)request, (void)response; });
    response.on_drain([=] { (void)token, (void)request, (void)response; });
    response.on_finish([=] { (void)token, (void)request, (void)response; });
    response.on_close([=] { (void)token, (void)request, (void)response; });
  });

  const auto finished = connect(post_hello);
  UNTIL(finished->got("answer") && token.use_count() == 1);
  const auto waiting = connect("GET /lost HTTP/1.1\r\nHost: a\r\n\r\n");
  UNTIL(token.use_count() > 1);
  const auto refused = connect("POST /refused HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");
  UNTIL(refused->closed);
  EXPECT_EQ(token.use_count(), 7);
  end_loop();

  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(HttpServer, GoesOnAfterAListenerThrew) {
  int caught = 0;
  loop().on_uncaught_exception([&](std::exception_ptr) { ++caught; });
  serve([](Request& request, Response& response) {
    request.on_end([response]() mutable {
      response.end("answer");
      throw std::runtime_error("from on_end");
    });
    throw std::runtime_error("from the request listener");
  });

  const auto client = connect(std::string(get) + std::string(get));

  UNTIL(count(client->in, "answer") == 2);
  EXPECT_EQ(caught, 4);
}

TEST_F(HttpServer, TellsOfAClientThatLeavesInTheMiddleOfItsRequest) {
  std::optional<Request> request_kept;
  std::optional<Response> response_kept;
  bool aborted = false;
  bool closed = false;
  bool ended = false;
  serve([&](Request& request, Response& response) {
    request_kept = request;
    response_kept = response;
    request.on_data([](std::string_view) {});
    request.on_end([&] { ended = true; });
    request.on_aborted([&] { aborted = true; });
    response.on_close([&] { closed = true; });
  });
  const auto client = connect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello");
  UNTIL(request_kept.has_value());

  client->socket.destroy();
  UNTIL(closed && server_->connections() == 0);

  EXPECT_TRUE(aborted);
  EXPECT_FALSE(ended);
  // What is kept does nothing.
  EXPECT_EQ(request_kept->url(), "/");
  EXPECT_EQ(request_kept->header("host"), "a");
  EXPECT_EQ(request_kept->remote_address(), std::nullopt);
  request_kept->resume();
  EXPECT_FALSE(response_kept->write("a"));
  response_kept->end("b");
}

TEST_F(HttpServer, TellsOfAClientThatLeavesInTheMiddleOfItsResponse) {
  std::optional<Response> pending;
  bool finished = false;
  bool closed = false;
  serve([&](Request&, Response& response) {
    pending = response;
    response.on_finish([&] { finished = true; });
    response.on_close([&] { closed = true; });
    response.write(std::string(huge, 'x'));
  });
  const auto client = connect(get);
  UNTIL(!client->in.empty());

  client->socket.destroy();
  UNTIL(closed && server_->connections() == 0);

  EXPECT_FALSE(pending->write("more"));
  pending->end();
  EXPECT_FALSE(finished);
}

TEST_F(HttpServer, TellsWhenAnEndedResponseDoesNotArrive) {
  bool finished = false;
  bool closed = false;
  bool aborted = false;
  serve([&](Request& request, Response& response) {
    request.on_aborted([&] { aborted = true; });
    response.on_finish([&] { finished = true; });
    response.on_close([&] { closed = true; });
    response.end(std::string(huge, 'x'));
  });
  const auto client = connect(get);
  UNTIL(!client->in.empty());

  client->socket.destroy();
  UNTIL(closed && server_->connections() == 0);

  EXPECT_FALSE(finished);
  EXPECT_FALSE(aborted);
}

// ---- Half-closed clients -----------------------------------------------------------------------------

TEST_F(HttpServer, AnswersAClientThatHasClosedItsHalf) {
  std::optional<Response> pending;
  serve([&](Request&, Response& response) { pending = response; });
  const auto client = connect();
  client->socket.end(get);
  UNTIL(pending.has_value());
  round_trip();

  pending->end("answer");

  UNTIL(client->closed);
  EXPECT_TRUE(client->in.ends_with("Connection: close\r\n\r\nanswer"));
}

TEST_F(HttpServer, SendsAllOfABigResponseToAClientThatHasClosedItsHalf) {
  serve([](Request&, Response& response) { response.end(std::string(huge, 'x')); });
  const auto client = connect();
  client->socket.pause();
  client->socket.end(get);
  round_trip();

  client->socket.resume();

  UNTIL(client->closed);
  EXPECT_GT(client->in.size(), huge);
}

TEST_F(HttpServer, AnswersAllThatWasPipelinedBeforeAClientClosedItsHalf) {
  std::optional<Response> pending;
  int served = 0;
  serve([&](Request&, Response& response) {
    ++served;
    pending = response;
  });
  const auto client = connect();
  client->socket.end(std::string(get) + std::string(post_hello) + std::string(get));

  for (int i = 1; i <= 3; ++i) {
    UNTIL(served == i);
    round_trip();
    pending->end("answer " + std::to_string(i));
  }

  UNTIL(client->closed);
  EXPECT_EQ(count(client->in, "answer "), 3U);
  EXPECT_TRUE(client->in.ends_with("answer 3"));
}

TEST_F(HttpServer, AbortsARequestOfWhichTheClientClosedItsHalfTooEarly) {
  bool aborted = false;
  serve([&](Request& request, Response&) {
    request.on_data([](std::string_view) {});
    request.on_aborted([&] { aborted = true; });
  });
  const auto client = connect();
  client->socket.end("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello");

  UNTIL(client->closed);

  EXPECT_TRUE(aborted);
  EXPECT_EQ(client->in, "");
}

TEST_F(HttpServer, ClosesWhenAClientClosesItsHalfInsideAHead) {
  serve([](Request&, Response& response) { response.end("one"); });
  const auto client = connect();
  client->socket.end(std::string(get) + "GET / HT");

  UNTIL(client->closed);

  EXPECT_TRUE(client->in.ends_with("one"));
}

// ---- Closing the server ------------------------------------------------------------------------------

TEST_F(HttpServer, ClosesIdleConnectionsWhenItCloses) {
  serve([](Request&, Response& response) { response.end("answer"); });
  const auto client = connect(get);
  const auto fresh = connect();
  UNTIL(client->got("answer") && server_->connections() == 2);
  bool closed = false;

  server_->close([&] { closed = true; });

  UNTIL(closed && client->closed && fresh->closed);
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_FALSE(server_->is_listening());
}

TEST_F(HttpServer, AnswersRequestsInProgressWhenItCloses) {
  std::optional<Response> plain;
  std::optional<Response> started;
  serve([&](Request& request, Response& response) {
    if (request.url() == "/plain") {
      plain = response;
    } else {
      response.write("one ");
      started = response;
    }
  });
  const auto first = connect("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto second = connect(get);
  UNTIL(plain && started);
  bool closed = false;

  server_->close([&] { closed = true; });
  plain->end("answer");
  started->end("two");

  UNTIL(closed && first->closed && second->closed);
  EXPECT_TRUE(first->in.ends_with("Connection: close\r\n\r\nanswer"));
  EXPECT_TRUE(second->in.ends_with("two\r\n0\r\n\r\n"));
}

TEST_F(HttpServer, FinishesAHalfReadRequestWhenItCloses) {
  serve([](Request&, Response& response) { response.end("answer"); });
  const auto client = connect(get.substr(0, 20));
  UNTIL(server_->connections() == 1);
  round_trip();
  bool closed = false;

  server_->close([&] { closed = true; });
  client->socket.write(get.substr(20));

  UNTIL(closed && client->closed);
  EXPECT_TRUE(client->in.ends_with("Connection: close\r\n\r\nanswer"));
}

TEST_F(HttpServer, MayBeClosedByItsOwnListeners) {
  bool closed = false;
  serve([&](Request& request, Response& response) {
    if (request.url() == "/bad") {
      request.on_data([](std::string_view) {});
      request.on_aborted([&] { server_->close([&] { closed = true; }); });
      return;
    }
    response.end("answer");
  });
  const auto idle = connect(get);
  UNTIL(idle->got("answer"));

  const auto bad = connect("POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");

  UNTIL(closed && idle->closed && bad->closed);
  EXPECT_TRUE(bad->got("400 Bad Request"));
}

TEST_F(HttpServer, OutlivesItsLoop) {
  std::optional<Request> request_kept;
  std::optional<Response> response_kept;
  serve([&](Request& request, Response& response) {
    request_kept = request;
    response_kept = response;
  });
  const auto client = connect(get);
  UNTIL(response_kept.has_value());

  end_loop();

  response_kept->end("nobody hears it");
  EXPECT_EQ(request_kept->url(), "/");
  EXPECT_FALSE(server_->is_listening());
}

}  // namespace
}  // namespace muster
