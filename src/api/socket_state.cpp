// SPDX-License-Identifier: MIT
#include "api/socket_state.h"

#include <utility>

#include <muster/error.h>
#include "uv/socket.h"

namespace muster::detail {

std::shared_ptr<SocketState> SocketState::adopt(LoopState& loop, OwnedFd fd, Function<void()> on_closed) {
  auto state = std::make_shared<SocketState>(loop);
  loop.hold(*state);
  state->on_closed_ = std::move(on_closed);
  state->open(std::move(fd));
  return state;
}

std::shared_ptr<SocketState> SocketState::adopt(LoopState& loop, Handle handle) {
  // What its server knows of it ends when the connection does.
  Function<void()> on_closed;
  if (Access::origin(handle)) on_closed = [origin = Access::origin(handle)]() mutable { origin.reset(); };
  OwnedFd fd = Access::take(std::move(handle));
  uv::set_non_blocking(fd.get());
  return adopt(loop, std::move(fd), std::move(on_closed));
}

std::shared_ptr<SocketState> SocketState::connect(LoopState& loop, const std::string& host_or_path, std::optional<int> port,
                                                  Function<void()> connected) {
  auto state = std::make_shared<SocketState>(loop);
  loop.hold(*state);
  state->connected_ = std::move(connected);
  state->peer_ = host_or_path;
  state->peer_port_ = port;
  state->connector_ = std::make_unique<uv::Connector>(
      loop.loop, host_or_path, port,
      [raw = state.get()](OwnedFd fd, int error_number) { raw->handle_connected(std::move(fd), error_number); });
  return state;
}

void SocketState::open(OwnedFd fd) {
  phase_ = Phase::open;
  stream_.emplace(loop_->loop, std::move(fd), static_cast<uv::Stream::Client&>(*this));
  if (!ref_) stream_->unref();
  update_reading();
}

void SocketState::handle_connected(OwnedFd fd, int error_number) {
  connector_.reset();
  if (destroyed()) return;
  if (error_number != 0) return fail(system_error(error_number, "connect", peer_, peer_port_));
  const bool ending = phase_ == Phase::ending;
  open(std::move(fd));
  if (!early_.empty()) stream_->write(std::exchange(early_, {}));
  if (ending) {
    phase_ = Phase::ending;
    stream_->end();
  }
  if (connected_) loop_->loop.emit([self = shared_from_this(), call = std::move(connected_)]() mutable { call(); });
}

bool SocketState::write(std::string_view bytes) {
  switch (phase_) {
    case Phase::connecting: early_.append(bytes); return false;
    case Phase::open: return stream_->write(bytes);
    case Phase::ending: throw Exception(Errc::stream_write_after_end, "write after end");
    case Phase::closed: break;
  }
  return false;
}

void SocketState::end(std::string_view bytes) {
  if (phase_ == Phase::ending || phase_ == Phase::closed) return;
  if (!bytes.empty()) write(bytes);
  phase_ = Phase::ending;
  if (stream_) stream_->end();
}

void SocketState::destroy() {
  if (!destroyed()) close();
}

void SocketState::set_ref(bool ref) {
  ref_ = ref;
  if (!stream_) return;
  if (ref) {
    stream_->ref();
  } else {
    stream_->unref();
  }
}

void SocketState::pause() {
  paused_ = true;
  update_reading();
}

void SocketState::resume() {
  paused_ = false;
  update_reading();
}

Subscription SocketState::on_data(Listener<std::string_view> listener) {
  Subscription subscription = data_.on(std::move(listener));
  update_reading();
  return subscription;
}

void SocketState::update_reading() {
  if (!stream_ || destroyed()) return;
  if (!paused_ && !peer_ended_ && !data_.empty()) {
    stream_->start_reading();
  } else {
    stream_->stop_reading();
  }
}

void SocketState::read_to_end() {
  if (stream_ && !destroyed() && !paused_ && !peer_ended_) stream_->start_reading();
}

void SocketState::abandon() {
  phase_ = Phase::closed;
  connector_.reset();
  stream_.reset();
  on_closed_ = {};
  drop_listeners();
}

void SocketState::drop_listeners() {
  connected_ = nullptr;
  data_.clear();
  ended.clear();
  drained.clear();
  error.clear();
  closed.clear();
}

Handle SocketState::to_handle(net::KeepOpen keep_open) {
  if (!stream_ || destroyed()) return {};
  if (stream_->kept() > 0) {
    throw Exception(Errc::invalid_handle_type, "A socket with bytes that are not written yet cannot be sent: wait for `drain`");
  }
  const bool keep = keep_open == net::KeepOpen::yes;
  Handle handle(HandleType::socket, (keep ? uv::require_duplicate(stream_->descriptor()) : stream_->release()).release());
  Access::set_origin(handle, origin);
  if (!keep) close();
  return handle;
}

void SocketState::handle_read(std::string_view bytes) {
  const auto keep = shared_from_this();
  if (loop_->loop.quiet()) {
    data_.emit(loop_->loop, bytes);
  } else {
    loop_->loop.next_tick([this, keep, copy = std::string(bytes)] {
      if (!destroyed()) data_.emit(loop_->loop, std::string_view(copy));
    });
  }
}

void SocketState::handle_end() {
  peer_ended_ = true;
  loop_->loop.emit([this, keep = shared_from_this()] {
    if (destroyed()) return;
    ended.emit(loop_->loop);
    if (destroyed()) return;
    if (finished_) {
      close();
    } else {
      end({});
    }
  });
}

void SocketState::handle_drained() {
  loop_->loop.emit([this, keep = shared_from_this()] { drained.emit(loop_->loop); });
}

void SocketState::handle_finished() {
  finished_ = true;
  if (peer_ended_) {
    close();
  } else if (!destroyed()) {
    // Nobody listens for what the peer may still send; its end has to be noticed all the same.
    paused_ = false;
    if (stream_) stream_->start_reading();
  }
}

void SocketState::handle_error(int error_number, const char* syscall) {
  loop_->loop.emit([this, keep = shared_from_this(), error_number, syscall] {
    // Most programs do not ask why a client went.
    if (!error.empty()) error.emit(loop_->loop, system_error(error_number, syscall));
  });
  close();
}

void SocketState::fail(Error failure) {
  loop_->loop.emit([this, keep = shared_from_this(), failure = std::move(failure)] { error.emit(loop_->loop, failure); });
  close();
}

void SocketState::close() {
  if (destroyed()) return;
  phase_ = Phase::closed;
  connector_.reset();
  if (stream_) stream_->close();
  const auto keep = shared_from_this();
  loop_->release(*this);
  loop_->loop.emit([this, keep] {
    closed.emit(loop_->loop);
    if (on_closed_) {
      Function<void()> call = std::move(on_closed_);
      call();
    }
    drop_listeners();
  });
}

}  // namespace muster::detail
