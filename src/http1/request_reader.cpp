#include "http1/request_reader.h"

#include <algorithm>
#include <cctype>

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

// Whether the lines of a head end as they must, and none of them continues the one before.
bool plain_lines(std::string_view head) {
  for (std::size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    if (at == 0 || head[at - 1] != '\r') return false;
    if (at + 1 < head.size() && (head[at + 1] == ' ' || head[at + 1] == '\t')) return false;
  }
  return true;
}

// The longest line a chunk may begin with: a size, and extensions nobody needs.
constexpr std::size_t max_chunk_line = 256;

}  // namespace

// The only thing here that knows Beast. Beast reads the grammar and the framing of the body; what it
// takes and Node does not is refused by acceptable().
class RequestReader::Parser final : public http::basic_parser<true> {
 public:
  Parser() {
    header_limit(0xffffffffU);  // counted by the reader
    body_limit(boost::none);
  }

  std::unique_ptr<RequestHead> head = std::make_unique<RequestHead>();
  std::vector<std::string_view>* pieces = nullptr;

  bool acceptable() const {
    if (version_ != 10 && version_ != 11) return false;
    if (!known_method_ || hosts_ > 1 || (version_ == 11 && hosts_ == 0)) return false;
    if (lengths_ > 1 || encodings_ > 1 || (lengths_ > 0 && encodings_ > 0)) return false;
    if (bad_length_) return false;
    return encodings_ == 0 || chunked_only_;
  }

 private:
  void on_request_impl(http::verb method, beast::string_view method_text, beast::string_view target, int version,
                       beast::error_code&) override {
    known_method_ = method != http::verb::unknown;
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
        if (has_token(value, "close")) {
          head->keep_alive = false;
        } else if (has_token(value, "keep-alive")) {
          head->keep_alive = true;
        }
        break;
      case http::field::expect: head->expects_continue = equals(value, "100-continue"); break;
      default: break;
    }
  }
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, beast::error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, beast::error_code&) override {
    pieces->push_back(view(body));
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, beast::error_code&) override {
    pieces->push_back(view(body));
    return body.size();
  }
  void on_finish_impl(beast::error_code&) override {}

  int version_ = 0;
  bool known_method_ = false;
  int hosts_ = 0;
  int lengths_ = 0;
  bool bad_length_ = false;
  int encodings_ = 0;
  bool chunked_only_ = false;
};

RequestReader::RequestReader(Limits limits) : limits_(limits) {}
RequestReader::~RequestReader() = default;

void RequestReader::feed(std::string_view bytes) {
  if (kept_.empty()) {
    input_ = bytes;
    return;
  }
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
  if (input_.empty()) return need_more();
  // What is no request from its first byte need not be waited for.
  if (input_[0] < 'A' || input_[0] > 'Z') return bad(400);
  const std::size_t from = searched_ < 3 ? 0 : searched_ - 3;
  const std::size_t end = input_.find("\r\n\r\n", from);
  const std::size_t size = end == std::string_view::npos ? input_.size() : end + 4;
  if (size > limits_.max_head) return bad(431);
  if (end == std::string_view::npos) {
    if (!plain_lines(input_.substr(from))) return bad(400);
    searched_ = input_.size();
    return need_more();
  }
  searched_ = 0;

  parser_ = std::make_unique<Parser>();
  Parser& parser = *parser_;
  parser.head->text.assign(input_.substr(0, size));
  parser.pieces = &pieces_;
  consume(size);
  const std::string& text = parser.head->text;
  if (!plain_lines(text)) return bad(400);
  beast::error_code error;
  parser.put(boost::asio::const_buffer(text.data(), text.size()), error);
  if (error || !parser.is_header_done() || !parser.acceptable()) return bad(400);

  RequestHead& head = *parser.head;
  if (const auto length = parser.content_length()) head.content_length = *length;
  head.has_body = parser.chunked() || head.content_length.value_or(0) > 0;
  if (limits_.max_body && head.content_length.value_or(0) > *limits_.max_body) return bad(413);
  in_body_ = true;
  body_done_ = !head.has_body;
  body_size_ = 0;
  return Head{std::move(parser.head)};
}

RequestReader::Event RequestReader::next_body() {
  for (;;) {
    if (next_piece_ < pieces_.size()) {
      const std::string_view piece = pieces_[next_piece_++];
      body_size_ += piece.size();
      if (limits_.max_body && body_size_ > *limits_.max_body) return bad(413);
      return Body{piece};
    }
    pieces_.clear();
    next_piece_ = 0;
    if (body_done_) {
      in_body_ = false;
      parser_.reset();
      return End{};
    }
    if (input_.empty()) return need_more();
    beast::error_code error;
    const std::size_t used = parser_->put(boost::asio::const_buffer(input_.data(), input_.size()), error);
    consume(used);
    if (error && error != http::error::need_more) return bad(400);
    body_done_ = parser_->is_done();
    if (used == 0 && pieces_.empty() && !body_done_) {
      // The line before a chunk, not complete. Beast waits for its CRLF however it goes on.
      if (input_.size() > max_chunk_line || !plain_lines(input_)) return bad(400);
      return need_more();
    }
  }
}

}  // namespace muster::http1
