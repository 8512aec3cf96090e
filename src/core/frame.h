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
  struct Malformed {
    Errc code;
  };

  FrameReader(Serialization serialization, std::size_t max_frame) : serialization_(serialization), max_frame_(max_frame) {}

  // `bytes` must stay valid until next() returns NeedMore, which is when the rest is copied.
  void feed(std::string_view bytes);
  std::variant<Frame, NeedMore, Malformed> next();

  // Whether a frame has begun and not ended.
  bool partial() const { return !partial_.empty(); }

 private:
  std::variant<Frame, NeedMore, Malformed> next_line();
  std::variant<Frame, NeedMore, Malformed> next_block();

  Serialization serialization_;
  std::size_t max_frame_;
  std::string_view fed_;
  std::string partial_;            // the beginning of a frame, from earlier reads
  bool partial_complete_ = false;  // it was handed out by the last next()
};

// A frame is made in place: what begins it, then the payload behind that, then what ends it.
std::string begin_frame(Serialization serialization);
void end_frame(Serialization serialization, std::string& frame);

}  // namespace muster::core
