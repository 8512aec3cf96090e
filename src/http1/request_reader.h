// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace muster::http1 {

// What a client waits for before it sends a body.
enum class Expectation { none, to_continue, unknown };

// The head of a request. The views look into `text`.
struct RequestHead {
  std::string text;
  std::string_view method, target;
  int minor_version = 1;  // HTTP/1.x
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  bool keep_alive = true;
  Expectation expectation = Expectation::none;
  bool has_body = false;
  std::optional<std::uint64_t> content_length;
};

// Turns the bytes of one connection into requests, one after the other. As strict as Node: what two
// readers might understand differently is refused, not repaired.
class RequestReader {
 public:
  struct Limits {
    std::size_t max_head = 16384;
    std::optional<std::size_t> max_body;
  };

  struct Head {
    std::unique_ptr<RequestHead> head;
  };
  struct Body {
    std::string_view bytes;  // valid until the next next(), feed() or detach()
  };
  struct End {};
  struct NeedMore {};
  // Nothing can be read from this connection any more; `status` is what to answer.
  struct Bad {
    int status;
  };
  using Event = std::variant<NeedMore, Head, Body, End, Bad>;

  explicit RequestReader(Limits limits);

  // `bytes` must stay valid until next() returns NeedMore, or detach() was called.
  void feed(std::string_view bytes);
  Event next();
  // Copies what was fed and is not read yet, because its memory is about to go.
  void detach();
  // Nothing of a next request has arrived.
  bool idle() const;

 private:
  class Parser;
  // What comes next of a body. `data`: `left_` bytes of it, of a chunk or of everything.
  enum class Part { data, data_end, chunk_line, trailer };
  // A line without its CRLF, or what happens for want of one.
  struct Line {
    std::optional<std::string_view> text;
    Event otherwise;
  };

  Event next_head();
  Event next_body();
  Line next_line(std::size_t max_size, int too_long);
  Event end();
  Event bad(int status);
  // Takes from the front of what is there.
  void consume(std::size_t bytes);
  Event need_more();

  Limits limits_;
  std::string kept_;          // left over from earlier feeds
  std::string_view input_;    // what is to be read: the end of kept_, or of what was fed
  std::size_t searched_ = 0;  // of the head, or of a line, for its end
  bool in_body_ = false;
  bool broken_ = false;
  Part part_ = Part::data;
  bool chunked_ = false;
  std::uint64_t left_ = 0;
  std::uint64_t body_size_ = 0;  // of the chunks so far
  std::size_t trailer_size_ = 0;
};

}  // namespace muster::http1
