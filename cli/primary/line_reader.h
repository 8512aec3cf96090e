// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace muster::cli {

// Bytes to lines. One that does not end is cut.
class LineReader {
 public:
  static constexpr std::size_t longest = 64 << 10;

  template <class F>
  void read(std::string_view bytes, F&& line) {
    for (;;) {
      const auto end = bytes.find('\n');
      if (end == std::string_view::npos) break;
      if (part_.empty()) {
        line(strip(bytes.substr(0, end)));
      } else {
        part_.append(bytes.substr(0, end));
        line(strip(part_));
        part_.clear();
      }
      bytes.remove_prefix(end + 1);
    }
    part_.append(bytes);
    if (part_.size() > longest) finish(line);
  }
  // What there is of a last line.
  template <class F>
  void finish(F&& line) {
    if (!part_.empty()) line(strip(part_));
    part_.clear();
  }

 private:
  static std::string_view strip(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  std::string part_;
};

}  // namespace muster::cli
