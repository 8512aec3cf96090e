// SPDX-License-Identifier: MIT
#include "http1/response_writer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include <fmt/chrono.h>

namespace muster::http1 {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
           return std::tolower(x) == std::tolower(y);
         });
}

// Whether it is one of a list, with commas and spaces between them.
bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::size_t begin = list.find_first_not_of(" \t,");
    if (begin == std::string_view::npos) return false;
    list.remove_prefix(begin);
    const std::size_t end = std::min(list.find_first_of(" \t,"), list.size());
    if (equals_ignoring_case(list.substr(0, end), token)) return true;
    list.remove_prefix(end);
  }
  return false;
}

bool is_token(std::string_view text) {
  static constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c < 0x80 && std::isalnum(c)) || others.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

template <class Number>
void append_number(std::string& out, Number number, int base = 10) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  out.append(digits.data(), end);
}

void append_chunk(std::string& out, std::string_view body) {
  append_number(out, body.size(), 16);
  out.append("\r\n").append(body).append("\r\n");
}

// Most heads are smaller: one allocation for them and what body is known.
constexpr std::size_t usual_head = 256;

constexpr std::pair<int, std::string_view> reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Payload Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Entity"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {511, "Network Authentication Required"},
};

}  // namespace

std::string_view reason_phrase(int status) {
  for (const auto& [known, phrase] : reasons) {
    if (known == status) return phrase;
  }
  return "";
}

std::string http_date(std::time_t time) {
  // Not strftime(), whose names of days and months follow the program's locale.
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(time));
}

bool ResponseWriter::set_header(std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_field_value(value)) return false;
  if (equals_ignoring_case(name, "content-length")) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (error != std::errc() || end != value.data() + value.size()) return false;
    length_ = length;
  }
  // Several cookies are several headers; everything else is replaced.
  if (!equals_ignoring_case(name, "set-cookie")) {
    std::erase_if(headers_, [name](const auto& header) { return equals_ignoring_case(header.first, name); });
  }
  headers_.emplace_back(name, value);
  return true;
}

void ResponseWriter::write_head(std::optional<std::size_t> body_size, std::string_view date, std::string& out) {
  head_written_ = true;
  const bool bodiless = status_ < 200 || status_ == 204 || status_ == 304;
  const bool unknown_length = !bodiless && !length_ && !body_size;
  // The answer to HEAD says what GET would get, which an empty body does not tell.
  const bool silent = head_only_ && !length_ && body_size.value_or(0) == 0;
  // A client of HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
  if (unknown_length && minor_version_ == 0 && !head_only_) keep_alive_ = false;
  // After a status below 200 a client waits for another one.
  if (status_ < 200) keep_alive_ = false;

  bool has_date = false;
  const std::pair<std::string, std::string>* connection = nullptr;
  for (const auto& header : headers_) {
    has_date |= equals_ignoring_case(header.first, "date");
    if (equals_ignoring_case(header.first, "connection")) connection = &header;
  }
  if (connection && has_token(connection->second, "close")) keep_alive_ = false;
  // That the connection ends is said whatever the program said.
  if (!keep_alive_) connection = nullptr;

  out.reserve(out.size() + usual_head + body_size.value_or(0));
  out.append("HTTP/1.1 ");
  append_number(out, status_);
  out.append(" ").append(reason_phrase(status_)).append("\r\n");
  for (const auto& header : headers_) {
    const auto& [name, value] = header;
    // The program's framing is kept to only where it can be: the length of a body that it gives piece by piece.
    if (equals_ignoring_case(name, "transfer-encoding")) continue;
    if (equals_ignoring_case(name, "content-length") && bodiless && status_ != 304) continue;
    if (equals_ignoring_case(name, "connection") && &header != connection) continue;
    append_header(out, name, value);
  }
  if (!has_date) append_header(out, "Date", date);

  framing_ = Framing::length;
  if (unknown_length) {
    framing_ = minor_version_ == 0 ? Framing::until_close : Framing::chunked;
    if (framing_ == Framing::chunked) append_header(out, "Transfer-Encoding", "chunked");
  } else if (!bodiless && !length_) {
    length_ = *body_size;
    if (!silent) {
      out.append("Content-Length: ");
      append_number(out, *body_size);
      out.append("\r\n");
    }
  }
  if (bodiless || head_only_) framing_ = Framing::none;
  if (!connection) {
    append_header(out, "Connection", keep_alive_ ? "keep-alive" : "close");
    if (keep_alive_ && keep_alive_seconds > 0) {
      out.append("Keep-Alive: timeout=");
      append_number(out, keep_alive_seconds);
      out.append("\r\n");
    }
  }
  out.append("\r\n");
}

void ResponseWriter::write(std::string_view body, std::string_view date, std::string& out) {
  if (!head_written_) write_head(std::nullopt, date, out);
  append_body(body, out);
}

void ResponseWriter::append_body(std::string_view body, std::string& out) {
  switch (framing_) {
    case Framing::none: break;
    case Framing::length:
      // More than was announced would be read as the next response.
      body = body.substr(0, *length_);
      *length_ -= body.size();
      out.append(body);
      break;
    case Framing::chunked:
      if (!body.empty()) append_chunk(out, body);
      break;
    case Framing::until_close: out.append(body); break;
  }
}

void ResponseWriter::end(std::string_view body, std::string_view date, std::string& out) {
  if (!head_written_) write_head(body.size(), date, out);
  append_body(body, out);
  if (framing_ == Framing::chunked) out.append("0\r\n\r\n");
  // Less than was announced: the client must not take the next response for the rest.
  if (framing_ == Framing::length && *length_ > 0) keep_alive_ = false;
}

}  // namespace muster::http1
