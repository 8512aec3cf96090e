// SPDX-License-Identifier: MIT
#include "core/frame.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace muster::core {
namespace {

constexpr std::size_t length_size = 4;

std::size_t read_length(std::string_view bytes) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < length_size; ++i) length = (length << 8) | static_cast<unsigned char>(bytes[i]);
  return length;
}

}  // namespace

void FrameReader::feed(std::string_view bytes) { fed_ = bytes; }

FrameReader::Next FrameReader::next() {
  if (partial_complete_) {
    partial_.clear();
    // One huge message must not keep its memory for the life of the channel.
    if (partial_.capacity() > (1U << 20)) partial_.shrink_to_fit();
    partial_complete_ = false;
  }
  if (fed_.empty()) return NeedMore{};
  if (skipping_) return serialization_ == Serialization::json ? skip_line() : skip_block();
  return serialization_ == Serialization::json ? next_line() : next_block();
}

FrameReader::Kept FrameReader::keep(const Frame& frame) {
  if (!partial_complete_) return {std::string(frame.bytes)};
  partial_complete_ = false;
  return {std::exchange(partial_, {}), serialization_ == Serialization::json ? 0 : length_size};
}

FrameReader::Next FrameReader::skip_line() {
  partial_.clear();
  skipping_ = true;
  const std::size_t newline = fed_.find('\n');
  fed_.remove_prefix(newline == std::string_view::npos ? fed_.size() : newline + 1);
  if (newline == std::string_view::npos) return NeedMore{};
  skipping_ = false;
  return Skipped{};
}

FrameReader::Next FrameReader::skip_block() {
  skipping_ = true;
  const std::size_t gone = std::min(skip_left_, fed_.size());
  fed_.remove_prefix(gone);
  skip_left_ -= gone;
  if (skip_left_ > 0) return NeedMore{};
  skipping_ = false;
  return Skipped{};
}

FrameReader::Next FrameReader::next_line() {
  const std::size_t newline = fed_.find('\n');
  const std::string_view piece = fed_.substr(0, newline);
  if (partial_.size() + piece.size() > max_frame_) {
    if (large_ == Large::skipped) return skip_line();
    return Malformed{Errc::ipc_message_too_large};
  }
  if (newline == std::string_view::npos) {
    partial_.append(piece);
    fed_ = {};
    return NeedMore{};
  }
  fed_.remove_prefix(newline + 1);
  if (partial_.empty()) return Frame{piece};
  partial_.append(piece);
  partial_complete_ = true;
  return Frame{partial_};
}

FrameReader::Next FrameReader::next_block() {
  const auto check = [this](std::size_t length) -> std::optional<Malformed> {
    if (length == 0) return Malformed{Errc::ipc_malformed_message};
    if (length > max_frame_ && large_ == Large::malformed) return Malformed{Errc::ipc_message_too_large};
    return std::nullopt;
  };
  const auto fill = [this](std::size_t upto) {
    const std::size_t n = std::min(upto - partial_.size(), fed_.size());
    partial_.append(fed_.substr(0, n));
    fed_.remove_prefix(n);
    return partial_.size() == upto;
  };

  if (partial_.empty() && fed_.size() >= length_size) {
    const std::size_t length = read_length(fed_);
    if (auto bad = check(length)) return *bad;
    if (length > max_frame_) {
      skip_left_ = length_size + length;
      return skip_block();
    }
    if (fed_.size() - length_size >= length) {
      const std::string_view payload = fed_.substr(length_size, length);
      fed_.remove_prefix(length_size + length);
      return Frame{payload};
    }
  }
  if (partial_.size() < length_size && !fill(length_size)) return NeedMore{};
  const std::size_t length = read_length(partial_);
  if (auto bad = check(length)) return *bad;
  if (length > max_frame_) {
    skip_left_ = length_size + length - partial_.size();
    partial_.clear();
    return skip_block();
  }
  if (!fill(length_size + length)) return NeedMore{};
  partial_complete_ = true;
  return Frame{std::string_view(partial_).substr(length_size)};
}

std::string begin_frame(Serialization serialization) {
  return std::string(serialization == Serialization::json ? 0 : length_size, '\0');
}

void end_frame(Serialization serialization, std::string& frame) {
  if (serialization == Serialization::json) {
    frame.push_back('\n');
    return;
  }
  const auto length = static_cast<std::uint32_t>(frame.size() - length_size);
  for (std::size_t i = 0; i < length_size; ++i) frame[i] = static_cast<char>(length >> (8 * (length_size - 1 - i)));
}

}  // namespace muster::core
