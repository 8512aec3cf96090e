// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <string>

#include "http1/response_writer.h"

namespace muster::http1 {
namespace {

const std::string date = "Sun, 06 Nov 1994 08:49:37 GMT";

ResponseWriter for_get() { return {1, true, false}; }

std::string end(ResponseWriter& writer, std::string_view body = {}) {
  std::string out;
  writer.end(body, date, out);
  return out;
}

std::string write(ResponseWriter& writer, std::string_view body) {
  std::string out;
  writer.write(body, date, out);
  return out;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(ResponseWriter, GivesTheLengthOfABodyThatComesAtOnce) {
  ResponseWriter writer = for_get();
  writer.set_header("Content-Type", "text/plain");

  EXPECT_EQ(end(writer, "hello"), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: " + date +
                                      "\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello");
  EXPECT_TRUE(writer.keep_alive());
}

TEST(ResponseWriter, SendsABodyOfUnknownLengthInChunks) {
  ResponseWriter writer = for_get();

  EXPECT_EQ(write(writer, "hello, chunky world"),
            "HTTP/1.1 200 OK\r\nDate: " + date +
                "\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n13\r\nhello, chunky world\r\n");
  // An empty chunk would be the last one.
  EXPECT_EQ(write(writer, ""), "");
  EXPECT_EQ(end(writer, "!"), "1\r\n!\r\n0\r\n\r\n");
  EXPECT_TRUE(writer.keep_alive());
}

TEST(ResponseWriter, EndsTheConnectionWithABodyOfUnknownLengthForHttp10) {
  ResponseWriter writer(0, true, false);

  EXPECT_EQ(write(writer, "a"), "HTTP/1.1 200 OK\r\nDate: " + date + "\r\nConnection: close\r\n\r\na");
  EXPECT_EQ(end(writer, "b"), "b");
  EXPECT_FALSE(writer.keep_alive());
}

TEST(ResponseWriter, KeepsAnHttp10ConnectionThatAskedForIt) {
  ResponseWriter writer(0, true, false);

  EXPECT_TRUE(has(end(writer, "a"), "Content-Length: 1\r\nConnection: keep-alive\r\n"));
  EXPECT_TRUE(writer.keep_alive());
}

TEST(ResponseWriter, SendsNoBodyToHead) {
  ResponseWriter at_once(1, true, true);
  ResponseWriter in_pieces(1, true, true);

  EXPECT_TRUE(end(at_once, "hello").ends_with("Content-Length: 5\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_TRUE(write(in_pieces, "hello").ends_with("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_EQ(end(in_pieces, "x"), "");
  EXPECT_TRUE(in_pieces.keep_alive());
}

TEST(ResponseWriter, DoesNotTellHeadThatGetWouldBeEmpty) {
  ResponseWriter writer(1, true, true);

  EXPECT_FALSE(has(end(writer), "Content-Length"));
}

TEST(ResponseWriter, SendsNoBodyAndNoLengthWith204) {
  ResponseWriter writer = for_get();
  writer.set_status(204);
  writer.set_header("Content-Length", "5");

  const std::string out = end(writer, "hello");

  EXPECT_EQ(out, "HTTP/1.1 204 No Content\r\nDate: " + date + "\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(writer.keep_alive());
}

TEST(ResponseWriter, SendsNoBodyWith304) {
  ResponseWriter writer = for_get();
  writer.set_status(304);
  writer.set_header("Content-Length", "5");

  EXPECT_TRUE(end(writer, "hello").ends_with("Content-Length: 5\r\nDate: " + date + "\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_TRUE(writer.keep_alive());
}

TEST(ResponseWriter, ClosesAfterAStatusThatIsNotFinal) {
  ResponseWriter writer = for_get();
  writer.set_status(103);

  EXPECT_TRUE(has(end(writer), "Connection: close\r\n"));
  EXPECT_FALSE(writer.keep_alive());
}

TEST(ResponseWriter, ReplacesAHeaderInAnyCaseAndAddsCookies) {
  ResponseWriter writer = for_get();
  writer.set_header("x-a", "1");
  writer.set_header("X-A", "2");
  writer.set_header("Set-Cookie", "a=1");
  writer.set_header("set-cookie", "b=2");

  EXPECT_TRUE(end(writer).starts_with("HTTP/1.1 200 OK\r\nX-A: 2\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nDate:"));
}

TEST(ResponseWriter, RefusesWhatWouldBreakTheHead) {
  ResponseWriter writer = for_get();

  EXPECT_FALSE(writer.set_header("X", "a\r\nSet-Cookie: b"));
  EXPECT_FALSE(writer.set_header("X", "a\nb"));
  EXPECT_FALSE(writer.set_header("X", std::string_view("a\0b", 3)));
  EXPECT_FALSE(writer.set_header("X\r\nY", "a"));
  EXPECT_FALSE(writer.set_header("X:", "a"));
  EXPECT_FALSE(writer.set_header("X Y", "a"));
  EXPECT_FALSE(writer.set_header("", "a"));
  EXPECT_TRUE(writer.set_header("X", "caf\xc3\xa9\t"));
}

TEST(ResponseWriter, RefusesAContentLengthThatIsNone) {
  ResponseWriter writer = for_get();

  for (const char* value : {"", "five", "-1", "+5", "5,5", " 5", "5 ", "99999999999999999999"}) {
    EXPECT_FALSE(writer.set_header("Content-Length", value)) << value;
  }
  EXPECT_TRUE(writer.set_header("content-length", "5"));
}

TEST(ResponseWriter, LeavesTheFramingToItself) {
  ResponseWriter writer = for_get();
  writer.set_header("Transfer-Encoding", "gzip");

  EXPECT_FALSE(has(end(writer, "hello"), "Transfer-Encoding"));
}

TEST(ResponseWriter, SendsPiecesAsTheyAreWhenTheLengthIsSet) {
  ResponseWriter writer = for_get();
  writer.set_header("Content-Length", "10");

  EXPECT_TRUE(write(writer, "hello").ends_with("\r\n\r\nhello"));
  EXPECT_EQ(end(writer, "world"), "world");
  EXPECT_TRUE(writer.keep_alive());
}

TEST(ResponseWriter, ClosesWhenTheBodyIsShorterThanItsLength) {
  ResponseWriter writer = for_get();
  writer.set_header("Content-Length", "10");
  write(writer, "hello");

  end(writer);

  EXPECT_FALSE(writer.keep_alive());
}

TEST(ResponseWriter, LeavesOutWhatExceedsTheLength) {
  ResponseWriter writer = for_get();
  writer.set_header("Content-Length", "7");

  EXPECT_TRUE(write(writer, "hello").ends_with("\r\n\r\nhello"));
  EXPECT_EQ(write(writer, "HTTP/1.1 200 OK"), "HT");
  EXPECT_EQ(end(writer, "more"), "");
  EXPECT_TRUE(writer.keep_alive());
}

TEST(ResponseWriter, ClosesWhereTheProgramSaysSo) {
  ResponseWriter writer = for_get();
  writer.set_header("connection", "Close");

  const std::string out = end(writer);

  EXPECT_TRUE(has(out, "\r\nConnection: close\r\n"));
  EXPECT_FALSE(has(out, "connection: Close"));
  EXPECT_FALSE(writer.keep_alive());
}

TEST(ResponseWriter, ClosesWhateverTheProgramSays) {
  ResponseWriter writer = for_get();
  writer.set_header("Connection", "keep-alive");
  writer.close_after();

  const std::string out = end(writer);

  EXPECT_TRUE(has(out, "Connection: close\r\n"));
  EXPECT_FALSE(has(out, "keep-alive"));
}

TEST(ResponseWriter, SaysHowLongAnIdleConnectionIsKept) {
  ResponseWriter writer = for_get();
  writer.keep_alive_seconds = 5;

  EXPECT_TRUE(has(end(writer), "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"));
}

TEST(ResponseWriter, LeavesTheDateToTheProgram) {
  ResponseWriter writer = for_get();
  writer.set_header("Date", "today");

  const std::string out = end(writer);

  EXPECT_TRUE(has(out, "Date: today\r\n"));
  EXPECT_FALSE(has(out, date));
}

TEST(ResponseWriter, WritesDatesAsHttpWantsThem) { EXPECT_EQ(http_date(784111777), date); }

TEST(ResponseWriter, NamesEveryStatusItKnows) {
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(599), "");
}

}  // namespace
}  // namespace muster::http1
