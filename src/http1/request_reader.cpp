// SPDX-License-Identifier: MIT
#include "http1/request_reader.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace muster::http1 {
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace {

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

bool equals(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() &&
         std::equal(a.begin(), a.end(), lower.begin(), [](unsigned char x, char y) { return std::tolower(x) == y; });
}

bool has_token(std::string_view list, std::string_view lower) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view token = list.substr(0, comma);
    while (!token.empty() && (token.front() == ' ' || token.front() == '\t')) token.remove_prefix(1);
    while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) token.remove_suffix(1);
    if (equals(token, lower)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// Whether the lines of a head end as they must, and none of them continues the one before. What is before
// `from` has been looked at, its last byte excepted.
bool plain_lines(std::string_view head, std::size_t from = 0) {
  for (std::size_t at = head.find('\n', from); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    if (at == 0 || head[at - 1] != '\r') return false;
    if (at + 1 < head.size() && (head[at + 1] == ' ' || head[at + 1] == '\t')) return false;
  }
  return true;
}

bool is_token_char(unsigned char c) {
  static constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return (c < 0x80 && std::isalnum(c)) || others.find(static_cast<char>(c)) != std::string_view::npos;
}
bool is_text_char(unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); }

std::size_t token_size(std::string_view text) {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_token_char) - text.begin());
}

// The size of a quoted string with its quotes; 0 when there is none.
std::size_t quoted_size(std::string_view text) {
  if (!text.starts_with('"')) return 0;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') return at + 1;
    if (text[at] == '\\') ++at;
    if (at == text.size() || !is_text_char(static_cast<unsigned char>(text[at]))) return 0;
  }
  return 0;
}

// A target, as Node takes one: a path, *, or a URL. Beast takes any printable bytes, and others.
bool is_target(std::string_view text) {
  const auto printable = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (!std::all_of(text.begin(), text.end(), printable)) return false;
  if (text.starts_with('/') || text.starts_with('*')) return true;
  const std::size_t scheme = static_cast<std::size_t>(
      std::find_if_not(text.begin(), text.end(), [](unsigned char c) { return std::isalpha(c); }) - text.begin());
  if (scheme == 0 || !text.substr(scheme).starts_with("://")) return false;
  text.remove_prefix(scheme + 3);
  const std::string_view host = text.substr(0, text.find_first_of("/?"));
  static constexpr std::string_view others = "-_.!~*'()%;:&=+$,@[]";
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) || others.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// What may follow the size of a chunk: ;name, ;name=token, ;name="text". Nobody needs them, but a reader
// that is lax here and one that is not see different chunks.
bool are_extensions(std::string_view text) {
  while (!text.empty()) {
    if (text[0] != ';') return false;
    text.remove_prefix(1);
    const std::size_t name = token_size(text);
    if (name == 0) return false;
    text.remove_prefix(name);
    if (!text.starts_with('=')) continue;
    text.remove_prefix(1);
    const std::size_t value = std::max(token_size(text), quoted_size(text));
    if (value == 0) return false;
    text.remove_prefix(value);
  }
  return true;
}

// The size that a chunk's line begins with.
std::optional<std::uint64_t> chunk_size(std::string_view line) {
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  // from_chars() would take a sign too, but only for a signed number.
  if (error != std::errc() || !are_extensions(line.substr(static_cast<std::size_t>(end - line.data())))) return std::nullopt;
  return size;
}

// A header after the last chunk. It is dropped; one that would frame the body is a trick.
bool is_trailer(std::string_view line) {
  const std::size_t name = token_size(line);
  if (name == 0 || name == line.size() || line[name] != ':') return false;
  if (equals(line.substr(0, name), "content-length") || equals(line.substr(0, name), "transfer-encoding")) return false;
  return std::all_of(line.begin() + static_cast<std::ptrdiff_t>(name), line.end(), is_text_char);
}

// A chunk's size with its extensions, as in Node.
constexpr std::size_t max_chunk_line = 16384;

}  // namespace

// The only thing here that knows Beast, which reads the grammar of a head; what it takes and Node does not
// is refused by acceptable(). Bodies are not given to it: it takes chunks that Node refuses, waits for the
// end of lines that are wrong already, and its answers depend on how the bytes were cut.
class RequestReader::Parser final : public http::basic_parser<true> {
 public:
  Parser() {
    // Both are counted by the reader. (Beast 1.74 takes "no limit" of a body for "no body".)
    header_limit(std::numeric_limits<std::uint32_t>::max());
    body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  std::unique_ptr<RequestHead> head = std::make_unique<RequestHead>();

  // What the fields say together.
  void conclude() const {
    // Nobody who speaks HTTP/1.0 could tell where such a body ends.
    if (version_ == 10 && encodings_ > 0) head->keep_alive = false;
    if (version_ == 10) head->expectation = Expectation::none;
  }

  bool acceptable() const {
    if (version_ != 10 && version_ != 11) return false;
    if (!is_target(head->target)) return false;
    if (!known_method_ || hosts_ > 1 || (version_ == 11 && hosts_ == 0)) return false;
    if (lengths_ > 1 || encodings_ > 1 || (lengths_ > 0 && encodings_ > 0)) return false;
    if (bad_length_) return false;
    return encodings_ == 0 || chunked_only_;
  }

 private:
  void on_request_impl(http::verb method, beast::string_view method_text, beast::string_view target, int version,
                       beast::error_code&) override {
    // Node hangs up on a CONNECT that no listener takes: after its answer the connection is a tunnel.
    known_method_ = method != http::verb::unknown && method != http::verb::connect;
    version_ = version;
    head->method = view(method_text);
    head->target = view(target);
    head->minor_version = version % 10;
    head->keep_alive = version >= 11;
  }
  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}
  void on_field_impl(http::field field, beast::string_view name, beast::string_view raw, beast::error_code&) override {
    const std::string_view value = view(raw);
    head->headers.emplace_back(view(name), value);
    switch (field) {
      case http::field::host: ++hosts_; break;
      case http::field::content_length:
        ++lengths_;
        bad_length_ |= value.empty() || value.find_first_not_of("0123456789") != std::string_view::npos;
        break;
      case http::field::transfer_encoding:
        ++encodings_;
        chunked_only_ = equals(value, "chunked");
        break;
      case http::field::connection:
        close_ |= has_token(value, "close");
        head->keep_alive = !close_ && (head->keep_alive || has_token(value, "keep-alive"));
        break;
      case http::field::expect:
        // Of several, the one that is known will do.
        head->expectation = head->expectation == Expectation::to_continue || has_token(value, "100-continue")
                                ? Expectation::to_continue
                                : Expectation::unknown;
        break;
      default: break;
    }
  }
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, beast::error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, beast::error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, beast::error_code&) override { return body.size(); }
  void on_finish_impl(beast::error_code&) override {}

  int version_ = 0;
  bool known_method_ = false;
  int hosts_ = 0;
  int lengths_ = 0;
  bool bad_length_ = false;
  int encodings_ = 0;
  bool chunked_only_ = false;
  bool close_ = false;
};

RequestReader::RequestReader(Limits limits) : limits_(limits) {}

void RequestReader::feed(std::string_view bytes) {
  if (input_.empty()) {
    kept_.clear();
    input_ = bytes;
    return;
  }
  detach();
  kept_.append(bytes);
  input_ = kept_;
}

void RequestReader::consume(std::size_t bytes) { input_.remove_prefix(bytes); }

void RequestReader::detach() {
  if (input_.data() == kept_.data() && input_.size() == kept_.size()) return;
  kept_ = std::string(input_);
  input_ = kept_;
}

RequestReader::Event RequestReader::need_more() {
  detach();
  return NeedMore{};
}

bool RequestReader::idle() const { return input_.empty() && !in_body_; }

RequestReader::Event RequestReader::bad(int status) {
  broken_ = true;
  return Bad{status};
}

RequestReader::Event RequestReader::next() {
  if (broken_) return NeedMore{};
  return in_body_ ? next_body() : next_head();
}

RequestReader::Event RequestReader::next_head() {
  // Empty lines before a request are left from clients of long ago.
  while (searched_ == 0 && input_.starts_with("\r\n")) consume(2);
  if (input_.empty() || input_ == "\r") return need_more();
  // What is no request from its first byte need not be waited for.
  if (input_[0] < 'A' || input_[0] > 'Z') return bad(400);
  const std::size_t from = searched_ < 3 ? 0 : searched_ - 3;
  const std::size_t end = input_.find("\r\n\r\n", from);
  const std::size_t size = end == std::string_view::npos ? input_.size() : end + 4;
  if (!plain_lines(input_.substr(0, std::min(size, limits_.max_head)), from)) return bad(400);
  if (size > limits_.max_head) return bad(431);
  if (end == std::string_view::npos) {
    searched_ = size;
    return need_more();
  }
  searched_ = 0;

  Parser parser;
  parser.head->text.assign(input_.substr(0, size));
  consume(size);
  const std::string& text = parser.head->text;
  beast::error_code error;
  parser.put(boost::asio::const_buffer(text.data(), text.size()), error);
  if (error || !parser.is_header_done() || !parser.acceptable()) return bad(400);

  parser.conclude();
  RequestHead& head = *parser.head;
  if (const auto length = parser.content_length()) head.content_length = *length;
  chunked_ = parser.chunked();
  left_ = head.content_length.value_or(0);
  head.has_body = chunked_ || left_ > 0;
  if (limits_.max_body && left_ > *limits_.max_body) return bad(413);
  part_ = chunked_ ? Part::chunk_line : Part::data;
  body_size_ = 0;
  trailer_size_ = 0;
  in_body_ = true;
  return Head{std::move(parser.head)};
}

RequestReader::Event RequestReader::next_body() {
  for (;;) {
    switch (part_) {
      case Part::data: {
        if (left_ == 0) {
          if (!chunked_) return end();
          part_ = Part::data_end;
          break;
        }
        if (input_.empty()) return need_more();
        const std::string_view piece =
            input_.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, input_.size())));
        consume(piece.size());
        left_ -= piece.size();
        return Body{piece};
      }
      case Part::data_end:
        if (!input_.starts_with(std::string_view("\r\n").substr(0, input_.size()))) return bad(400);
        if (input_.size() < 2) return need_more();
        consume(2);
        part_ = Part::chunk_line;
        break;
      case Part::chunk_line: {
        Line line = next_line(max_chunk_line, 413);
        if (!line.text) return std::move(line.otherwise);
        const auto size = chunk_size(*line.text);
        if (!size) return bad(400);
        if (limits_.max_body && *size > *limits_.max_body - body_size_) return bad(413);
        body_size_ += *size;
        left_ = *size;
        part_ = left_ > 0 ? Part::data : Part::trailer;
        break;
      }
      case Part::trailer: {
        Line line = next_line(limits_.max_head - trailer_size_, 431);
        if (!line.text) return std::move(line.otherwise);
        if (line.text->empty()) return end();
        if (!is_trailer(*line.text)) return bad(400);
        trailer_size_ += line.text->size();
        break;
      }
    }
  }
}

RequestReader::Line RequestReader::next_line(std::size_t max_size, int too_long) {
  const std::size_t size = std::min(input_.find('\n', searched_), input_.size());
  if (size > 0 && size - 1 > max_size) return {{}, bad(too_long)};
  if (size == input_.size()) {
    searched_ = size;
    return {{}, need_more()};
  }
  searched_ = 0;
  if (size == 0 || input_[size - 1] != '\r') return {{}, bad(400)};
  const std::string_view text = input_.substr(0, size - 1);
  consume(size + 1);
  return {text, NeedMore{}};
}

RequestReader::Event RequestReader::end() {
  in_body_ = false;
  return End{};
}

}  // namespace muster::http1
