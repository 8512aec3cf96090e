// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include <muster/error.h>
#include <muster/settings.h>

namespace muster::core {

// Cuts the bytes of a channel into frames: lines in json, length-prefixed in advanced serialization.
// Each byte is looked at once however it is cut up, and no more is kept than what has arrived of the
// current frame, so a length that lies costs nothing.
class FrameReader {
 public:
  struct Frame {
    std::string_view bytes;  // valid until the next call
  };
  struct NeedMore {};
  // One that was too large has gone by.
  struct Skipped {};
  struct Malformed {
    Errc code;
  };
  using Next = std::variant<Frame, NeedMore, Skipped, Malformed>;

  // What becomes of a frame that is too large.
  enum class Large { malformed, skipped };

  FrameReader(Serialization serialization, std::size_t max_frame, Large large = Large::malformed)
      : serialization_(serialization), max_frame_(max_frame), large_(large) {}

  // `bytes` must stay valid until next() returns NeedMore, which is when the rest is copied.
  void feed(std::string_view bytes);
  Next next();
  // What was fed and is in no frame yet.
  std::string_view unread() const { return fed_; }
  // The bytes of the last frame, to be kept; without a copy where they are in one piece here.
  struct Kept {
    std::string storage = {};
    std::size_t offset = 0;
    std::string_view bytes() const { return std::string_view(storage).substr(offset); }
  };
  Kept keep(const Frame& frame);

  // Whether a frame has begun and not ended.
  bool partial() const { return !partial_.empty() || skipping_; }

 private:
  Next next_line();
  Next next_block();
  Next skip_line();
  Next skip_block();

  Serialization serialization_;
  std::size_t max_frame_;
  Large large_;
  bool skipping_ = false;
  std::size_t skip_left_ = 0;  // of a block
  std::string_view fed_;
  std::string partial_;            // the beginning of a frame, from earlier reads
  bool partial_complete_ = false;  // it was handed out by the last next()
};

// A frame is made in place: what begins it, then the payload behind that, then what ends it.
std::string begin_frame(Serialization serialization);
void end_frame(Serialization serialization, std::string& frame);

}  // namespace muster::core
