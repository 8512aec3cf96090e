// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/json.h"
#include "http1/request_reader.h"

namespace muster::http1 {
namespace {

// Everything a reader makes of the bytes it is fed piece by piece, as text: "GET / 1.1 | Host=a | body(hello) end".
// The pieces of a body are joined, for how they are cut tells nothing.
class Reading {
 public:
  explicit Reading(RequestReader::Limits limits = {}) : reader_(limits) {}

  void feed(std::string_view bytes) {
    // A copy that is gone afterwards, so that a sanitizer sees who still looks into it.
    const auto buffer = std::make_unique<std::string>(bytes);
    reader_.feed(*buffer);
    for (;;) {
      RequestReader::Event event = reader_.next();
      if (auto* head = std::get_if<RequestReader::Head>(&event)) {
        const RequestHead& h = *head->head;
        events_ += std::string(h.method) + " " + std::string(h.target) + " 1." + std::to_string(h.minor_version) + " |";
        for (const auto& [name, value] : h.headers) events_ += " " + std::string(name) + "=" + std::string(value);
        events_ += h.keep_alive ? " | " : " | close ";
      } else if (const auto* body = std::get_if<RequestReader::Body>(&event)) {
        body_ += body->bytes;
      } else if (std::holds_alternative<RequestReader::End>(event)) {
        tell_body();
        events_ += "end\n";
      } else if (const auto* bad = std::get_if<RequestReader::Bad>(&event)) {
        tell_body();
        status_ = bad->status;
        events_ += "bad " + std::to_string(bad->status) + "\n";
      } else {
        break;
      }
    }
    reader_.detach();
  }

  std::string events() const { return body_.empty() ? events_ : events_ + "body(" + body_ + ") "; }
  int status() const { return status_; }
  bool idle() const { return reader_.idle(); }

 private:
  void tell_body() {
    if (!body_.empty()) events_ += "body(" + body_ + ") ";
    body_.clear();
  }

  RequestReader reader_;
  std::string events_;
  std::string body_;
  int status_ = 0;
};

std::string read(std::string_view bytes, RequestReader::Limits limits = {}) {
  Reading reading(limits);
  reading.feed(bytes);
  return reading.events();
}

int refusal(std::string_view bytes, RequestReader::Limits limits = {}) {
  Reading reading(limits);
  reading.feed(bytes);
  return reading.status();
}

void expect_same_at_every_split(std::string_view bytes, RequestReader::Limits limits = {}) {
  const std::string whole = read(bytes, limits);

  Reading one_by_one(limits);
  for (const char& byte : bytes) one_by_one.feed({&byte, 1});
  EXPECT_EQ(one_by_one.events(), whole) << bytes;
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    Reading split(limits);
    split.feed(bytes.substr(0, at));
    split.feed(bytes.substr(at));
    ASSERT_EQ(split.events(), whole) << "split at " << at << " of " << bytes;
  }
}

Value vectors() {
  std::ifstream file(MUSTER_SOURCE_DIR "/tests/interop/http1_vectors.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return core::parse_json(text).value_or(Value());
}

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n";
const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";

TEST(RequestReader, AnswersEveryVectorAsNodeDoes) {
  const Value all = vectors();
  ASSERT_EQ(all.size(), 67U);

  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string& request = all[i]["request"].as_string();
    const std::string& node = all[i]["node20"].as_string();
    Reading reading;

    reading.feed(request);

    if (node == "HTTP/1.1 200 OK body=0") {
      EXPECT_TRUE(reading.events().ends_with("end\n")) << all[i]["name"].as_string() << ": " << reading.events();
      EXPECT_EQ(reading.events().find("body("), std::string::npos);
      EXPECT_TRUE(reading.idle());
    } else {
      EXPECT_EQ(node, "HTTP/1.1 400 Bad Request");
      EXPECT_EQ(reading.status(), 400) << all[i]["name"].as_string() << ": " << reading.events();
    }
  }
}

TEST(RequestReader, MakesTheSameOfEveryVectorHoweverItIsCut) {
  const Value all = vectors();

  for (std::size_t i = 0; i < all.size(); ++i) expect_same_at_every_split(all[i]["request"].as_string());
}

TEST(RequestReader, TellsARequestWithoutABody) {
  EXPECT_EQ(read("GET /a?b=c HTTP/1.1\r\nHost: x\r\nUser-Agent:  me \r\n\r\n"),
            "GET /a?b=c 1.1 | Host=x User-Agent=me | end\n");
}

TEST(RequestReader, TellsABodyOfKnownLength) {
  const std::string bytes = post + "Content-Length: 5\r\n\r\nhello";

  EXPECT_EQ(read(bytes), "POST / 1.1 | Host=a Content-Length=5 | body(hello) end\n");
  expect_same_at_every_split(bytes);
}

TEST(RequestReader, JoinsChunksAndDropsExtensionsAndTrailers) {
  const std::string bytes = chunked + "5;a;b=c;d=\"e \\\" f\"\r\nhello\r\n00A\r\n, world!!!\r\n0\r\nX: y\r\nZ:\r\n\r\n";

  EXPECT_EQ(read(bytes), "POST / 1.1 | Host=a Transfer-Encoding=chunked | body(hello, world!!!) end\n");
  expect_same_at_every_split(bytes);
}

TEST(RequestReader, ReadsPipelinedRequestsOneAfterTheOther) {
  const std::string bytes =
      get + "\r\n" + chunked + "3\r\nabc\r\n0\r\n\r\n" + post + "Content-Length: 2\r\n\r\nhi\r\n" + get + "\r\n";

  EXPECT_EQ(read(bytes),
            "GET / 1.1 | Host=a | end\n"
            "POST / 1.1 | Host=a Transfer-Encoding=chunked | body(abc) end\n"
            "POST / 1.1 | Host=a Content-Length=2 | body(hi) end\n"
            "GET / 1.1 | Host=a | end\n");
  expect_same_at_every_split(bytes);
}

// The reader of a connection stops after a request until it is answered, and is fed again later.
TEST(RequestReader, DoesNotReadARequestAgainThatWasTakenFromWhatItKept) {
  RequestReader reader({});
  const std::string two = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string third = "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n";
  const auto target = [&reader] {
    auto event = reader.next();
    const auto* head = std::get_if<RequestReader::Head>(&event);
    const std::string target(head ? head->head->target : "none");
    reader.next();
    return target;
  };
  reader.feed(two);
  EXPECT_EQ(target(), "/1");
  reader.detach();
  EXPECT_EQ(target(), "/2");

  reader.feed(third);

  EXPECT_EQ(target(), "/3");
  EXPECT_TRUE(reader.idle());
}

TEST(RequestReader, KeepsABodyThatIsTakenLater) {
  RequestReader reader({});
  auto bytes = std::make_unique<std::string>(chunked + "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n");
  reader.feed(*bytes);
  EXPECT_TRUE(std::holds_alternative<RequestReader::Head>(reader.next()));
  auto first = reader.next();
  EXPECT_EQ(std::get<RequestReader::Body>(first).bytes, "hello");
  reader.detach();
  bytes.reset();

  auto second = reader.next();

  EXPECT_EQ(std::get<RequestReader::Body>(second).bytes, "world");
  EXPECT_TRUE(std::holds_alternative<RequestReader::End>(reader.next()));
}

TEST(RequestReader, TakesEmptyLinesBeforeARequest) {
  const std::string bytes = "\r\n\r\n" + get + "\r\n\r\n";

  EXPECT_EQ(read(bytes), "GET / 1.1 | Host=a | end\n");
  expect_same_at_every_split(bytes);
}

TEST(RequestReader, IsIdleBetweenRequestsOnly) {
  Reading reading;
  EXPECT_TRUE(reading.idle());

  reading.feed("G");
  EXPECT_FALSE(reading.idle());
  reading.feed("ET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
  EXPECT_FALSE(reading.idle());
  reading.feed("x");
  EXPECT_TRUE(reading.idle());
}

TEST(RequestReader, KnowsWhichConnectionsGoOn) {
  const auto closes = [](std::string_view bytes) { return read(bytes).find("| close ") != std::string::npos; };

  EXPECT_FALSE(closes(get + "\r\n"));
  EXPECT_TRUE(closes(get + "Connection: close\r\n\r\n"));
  EXPECT_TRUE(closes(get + "Connection: x, Close\r\n\r\n"));
  EXPECT_TRUE(closes(get + "Connection: close\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_TRUE(closes("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_FALSE(closes("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
}

TEST(RequestReader, RefusesAHeadOverTheLimit) {
  const std::string head = get + "X: " + std::string(100, 'x') + "\r\n\r\n";

  EXPECT_EQ(refusal(head, {head.size(), {}}), 0);
  EXPECT_EQ(refusal(head, {head.size() - 1, {}}), 431);
  EXPECT_EQ(refusal(head.substr(0, 60), {50, {}}), 431);
  expect_same_at_every_split(head, {head.size(), {}});
  expect_same_at_every_split(head, {head.size() - 1, {}});
  expect_same_at_every_split(head, {50, {}});
}

TEST(RequestReader, RefusesABodyOverTheLimit) {
  const std::string length = post + "Content-Length: 6\r\n\r\nhello!";
  const std::string chunks = chunked + "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";

  EXPECT_EQ(refusal(length, {16384, 6}), 0);
  EXPECT_EQ(read(length, {16384, 5}), "bad 413\n");
  EXPECT_EQ(refusal(chunks, {16384, 6}), 0);
  EXPECT_EQ(read(chunks, {16384, 5}), "POST / 1.1 | Host=a Transfer-Encoding=chunked | body(abc) bad 413\n");
  EXPECT_EQ(refusal(chunked + "ffffffffffffffff\r\n", {16384, 5}), 413);
  expect_same_at_every_split(chunks, {16384, 5});
}

TEST(RequestReader, RefusesExtensionsAndTrailersOverTheLimitAsNodeDoes) {
  const std::string long_text(20000, 'y');
  const std::string allowed(10000, 'y');

  EXPECT_EQ(refusal(chunked + "5;" + allowed + "\r\nhello\r\n0\r\n\r\n"), 0);
  EXPECT_EQ(refusal(chunked + "5;" + long_text + "\r\nhello\r\n0\r\n\r\n"), 413);
  EXPECT_EQ(refusal(chunked + "5;" + long_text), 413);
  EXPECT_EQ(refusal(chunked + "0\r\nX: " + allowed + "\r\n\r\n"), 0);
  EXPECT_EQ(refusal(chunked + "0\r\nX: " + allowed + "\r\nY: " + allowed + "\r\n\r\n"), 431);
  EXPECT_EQ(refusal(chunked + "0\r\nX: " + long_text), 431);
}

TEST(RequestReader, SaysNothingAfterABadRequest) {
  Reading reading;
  reading.feed("get / HTTP/1.1\r\n");

  reading.feed(get + "\r\n");

  EXPECT_EQ(reading.events(), "bad 400\n");
}

TEST(RequestReader, ReadsNoMoreOfARequestThanItsFrameHolds) {
  EXPECT_EQ(read(post + "Content-Length: 5\r\n\r\nhelloGARBAGE \r\n\r\n"),
            "POST / 1.1 | Host=a Content-Length=5 | body(hello) end\nbad 400\n");
  EXPECT_EQ(read(chunked + "0\r\n\r\nfoo"), "POST / 1.1 | Host=a Transfer-Encoding=chunked | end\nbad 400\n");
}

// What Node 20.20 accepts of them, this accepts.
TEST(RequestReader, AcceptsWhatIsOddAndClear) {
  const std::vector<std::string> requests = {
      post + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
      post + "Content-Length: 0005\r\n\r\nhello",
      post + "Content-Length: 5 \r\n\r\nhello",
      post + "Content_Length: 3\r\nContent-Length: 5\r\n\r\nhello",
      get + "Content-Length: 5\r\n\r\nhello",
      get + "X: a\tb\r\n\r\n",
      get + "X: a\xff\r\n\r\n",
      get + "X:\r\n\r\n",
      get + "X:   \r\n\r\n",
      get + "Connection: upgrade\r\nUpgrade: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost:\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
      chunked + "0000000000000000005\r\nhello\r\n0\r\n\r\n",
      chunked + "5\r\nhello\r\n00000000000000000000\r\n\r\n",
  };

  for (const std::string& request : requests) {
    EXPECT_TRUE(read(request).ends_with("end\n")) << request << read(request);
    expect_same_at_every_split(request);
  }
}

// What two readers might frame differently. Node 20.20 answers each with 400.
TEST(RequestReader, RefusesAttemptsToSmuggleARequest) {
  const std::vector<std::string> requests = {
      post + "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
      post +
          "Transfer-Encoding: \x0b"
          "chunked\r\n\r\n0\r\n\r\n",
      post + "Content-Length: \r\n\r\n",
      post + "Content-Length: -1\r\n\r\nhello",
      post + "Content-Length: 0x5\r\n\r\nhello",
      post + "Content-Length: 5.0\r\n\r\nhello",
      post + "Content-Length: 18446744073709551616\r\n\r\nhello",
      post + "Content-Length\r\n : 5\r\n\r\nhello",
      "POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\n",
      "GET / HTTP/1.1\r\nHost: a\n\r\n",
      "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
      "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
      "GET / http/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/01.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1x\r\nHost: a\r\n\r\n",
      "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET HTTP/1.1\r\nHost: a\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
      "\x16\x03\x01\x02",
      get + "X Y: a\r\n\r\n",
      get + "X\x7f: a\r\n\r\n",
      get + "X\x80: a\r\n\r\n",
      get + "Xabc\r\n\r\n",
      get + "X: a\x7f\r\n\r\n",
      get + "X: a\x0b\r\n\r\n",
      get + "X: a\r\n\tb\r\n\r\n",
      chunked + "5;\x01\r\nhello\r\n0\r\n\r\n",
      chunked + "5;\r\nhello\r\n0\r\n\r\n",
      chunked + "5;a\nhello\r\n0\r\n\r\n",
      chunked + "5;a\rb\r\nhello\r\n0\r\n\r\n",
      chunked + "5;a=\"b\r\nhello\r\n0\r\n\r\n",
      chunked + "5;a=\"b\nc\"\r\nhello\r\n0\r\n\r\n",
      chunked + "5 ;a=b\r\nhello\r\n0\r\n\r\n",
      chunked + "5 \r\nhello\r\n0\r\n\r\n",
      chunked + " 5\r\nhello\r\n0\r\n\r\n",
      chunked + "-5\r\nhello\r\n0\r\n\r\n",
      chunked + "+5\r\nhello\r\n0\r\n\r\n",
      chunked + "\r\nhello\r\n0\r\n\r\n",
      chunked + "5_0\r\nhello\r\n0\r\n\r\n",
      chunked + "5\rhello\r\n0\r\n\r\n",
      chunked + "5\r\nhello\n0\r\n\r\n",
      chunked + "5\r\nhello\r\n0\n\n",
      chunked + "5\r\nhello\r\n0\r\n\n",
      chunked + "5\r\nhello\r\n0\r\nContent-Length: 7\r\n\r\n",
      chunked + "5\r\nhello\r\n0\r\ntransfer-encoding: chunked\r\n\r\n",
      chunked + "5\r\nhello\r\n0\r\nX y\r\n\r\n",
      chunked + "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
      chunked + "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
      chunked + "5\r\nhello\r\n0\r\nX: y\n\r\n",
      chunked + "5\r\nhello\r\n0\r\nX: \x01\r\n\r\n",
  };

  for (const std::string& request : requests) {
    EXPECT_EQ(refusal(request), 400) << request << read(request);
    expect_same_at_every_split(request);
  }
}

// Node 20.20 takes these, RFC 9112 wants or allows them refused, and who is in front may read them otherwise.
TEST(RequestReader, IsStricterThanNodeWhereTheStandardIs) {
  EXPECT_EQ(refusal(get + "Host: b\r\n\r\n"), 400);
  EXPECT_EQ(refusal(post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(refusal(post + "Transfer-Encoding: \r\n\r\n"), 400);
  EXPECT_EQ(refusal("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refusal("\n" + get + "\r\n"), 400);
  EXPECT_EQ(refusal("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

TEST(RequestReader, KnowsWhatAClientExpects) {
  const auto expectation = [](const std::string& head) {
    RequestReader reader({});
    reader.feed(head);
    const auto event = reader.next();
    const auto* read = std::get_if<RequestReader::Head>(&event);
    return read ? std::optional(read->head->expectation) : std::nullopt;
  };
  EXPECT_EQ(expectation(get + "\r\n"), Expectation::none);
  for (const char* known : {"100-continue", "100-Continue", "100-continue, x", "x\r\nExpect: 100-continue"}) {
    EXPECT_EQ(expectation(get + "Expect: " + known + "\r\n\r\n"), Expectation::to_continue) << known;
  }
  for (const char* unknown : {"x", "", "100-continued"}) {
    EXPECT_EQ(expectation(get + "Expect: " + unknown + "\r\n\r\n"), Expectation::unknown) << unknown;
  }
  EXPECT_EQ(expectation("GET / HTTP/1.0\r\nExpect: x\r\n\r\n"), Expectation::none);
}

TEST(RequestReader, EndsAConnectionOfHttp10AfterATransferCoding) {
  RequestReader reader({});
  reader.feed("POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_FALSE(std::get<RequestReader::Head>(reader.next()).head->keep_alive);
}

}  // namespace
}  // namespace muster::http1
