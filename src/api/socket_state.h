// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <muster/net.h>
#include "api/emitter.h"
#include "api/handle_origin.h"
#include "api/loop_state.h"
#include "uv/connector.h"
#include "uv/stream.h"

namespace muster::detail {

// Behind a net::Socket: one connection. The loop holds it while it is open.
class SocketState final : public Resource, private uv::Stream::Client {
 public:
  // A connection that is there. `on_closed` runs once, when it is no more.
  static std::shared_ptr<SocketState> adopt(LoopState& loop, OwnedFd fd, Function<void()> on_closed = {});
  // A connection that came in a Handle.
  static std::shared_ptr<SocketState> adopt(LoopState& loop, Handle handle);
  static std::shared_ptr<SocketState> connect(LoopState& loop, const std::string& host_or_path, std::optional<int> port,
                                              Function<void()> connected);

  explicit SocketState(LoopState& loop) : loop_(loop.shared_from_this()) {}

  bool write(std::string_view bytes);
  void end(std::string_view bytes);
  void destroy();
  void pause();
  void resume();
  // While it connects it keeps the loop alive in any case.
  void set_ref(bool ref);
  // Reads on although nobody listens, so that the end is noticed.
  void read_to_end();
  void abandon() override;
  Handle to_handle(net::KeepOpen keep_open);

  bool destroyed() const { return phase_ == Phase::closed; }
  const uv::Stream* stream() const { return stream_ ? &*stream_ : nullptr; }
  std::uint64_t bytes_read() const { return stream_ ? stream_->bytes_read() : 0; }
  std::uint64_t bytes_written() const { return stream_ ? stream_->bytes_written() : 0; }
  std::size_t writable_length() const { return stream_ ? stream_->kept() : early_.size(); }

  Subscription on_data(Listener<std::string_view> listener);
  Emitter<> ended;
  Emitter<> drained;
  Emitter<const Error&> error;
  Emitter<> closed;
  // The server that accepted it, for the Handle it may become.
  std::shared_ptr<HandleOrigin> origin;

 private:
  // `ending`: end() was called; `closed`: nothing more happens.
  enum class Phase { connecting, open, ending, closed };

  void open(OwnedFd fd);
  void handle_connected(OwnedFd fd, int error_number);
  void update_reading();
  void drop_listeners();
  void fail(Error failure);
  void close();

  void handle_read(std::string_view bytes) override;
  void handle_end() override;
  void handle_drained() override;
  void handle_finished() override;
  void handle_error(int error_number, const char* syscall) override;

  const std::shared_ptr<LoopState> loop_;
  std::optional<uv::Stream> stream_;
  std::unique_ptr<uv::Connector> connector_;
  Function<void()> connected_;
  Function<void()> on_closed_;
  Phase phase_ = Phase::connecting;
  bool ref_ = true;
  bool paused_ = false;
  bool peer_ended_ = false;
  bool finished_ = false;  // our end has been sent
  std::string early_;      // written before the connection was there
  std::string peer_;       // the address that connect() was given, for its error
  std::optional<int> peer_port_;
  Emitter<std::string_view> data_;
};

}  // namespace muster::detail
