// SPDX-License-Identifier: MIT
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::http1 {

// Builds one response: a head once, then the body in the framing that the head has announced.
class ResponseWriter {
 public:
  // `keep_alive`: what the request allows. `head_only`: a HEAD request, whose response has no body.
  ResponseWriter(int request_minor_version, bool keep_alive, bool head_only)
      : minor_version_(request_minor_version), keep_alive_(keep_alive), head_only_(head_only) {}

  void set_status(int status) { status_ = status; }
  // Replaces a header of that name; Set-Cookie is added. False for a name or a value that may not stand in
  // a head.
  bool set_header(std::string_view name, std::string_view value);
  // Whether the connection closes after this response, whatever was asked.
  void close_after() { keep_alive_ = false; }

  bool head_written() const { return head_written_; }
  // Whether the connection goes on. Known when the response has ended.
  bool keep_alive() const { return keep_alive_; }

  // Appends to `out` what a piece of the body adds, the head before the first. What exceeds the
  // Content-Length that was set is left out.
  void write(std::string_view body, std::string_view date, std::string& out);
  // The last piece.
  void end(std::string_view body, std::string_view date, std::string& out);

  // How long an idle connection is kept, for the Keep-Alive header; 0: not said.
  unsigned keep_alive_seconds = 0;

 private:
  enum class Framing { none, length, chunked, until_close };

  void write_head(std::optional<std::size_t> body_size, std::string_view date, std::string& out);
  void append_body(std::string_view body, std::string& out);

  int minor_version_;
  bool keep_alive_;
  bool head_only_;
  int status_ = 200;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::optional<std::size_t> length_;  // announced, and then what is left of it
  bool head_written_ = false;
  Framing framing_ = Framing::length;
};

// "Not Found"; empty for a status without a name.
std::string_view reason_phrase(int status);

// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::time_t time);

}  // namespace muster::http1
