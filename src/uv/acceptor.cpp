#include "uv/acceptor.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "uv/socket.h"

namespace muster::uv {
namespace {

// One wake-up accepts no more than this, so that a flood does not keep the channels waiting.
constexpr int batch = 64;

// The last ones, before the socket is closed: more than its queue holds only while somebody floods it.
constexpr int queue = 4096;

constexpr std::chrono::seconds look_again_after(1);

}  // namespace

Acceptor::Acceptor(Loop& loop, OwnedFd socket, Handler handler, std::string unlink_path)
    : loop_(loop), socket_(std::move(socket)), handler_(std::move(handler)), unlink_path_(std::move(unlink_path)) {}

Acceptor::~Acceptor() {
  poll_.reset();
  if (!unlink_path_.empty()) ::unlink(unlink_path_.c_str());
}

int Acceptor::start(int backlog) {
  if (const int error = start_listening(socket_.get(), backlog); error != 0) return error;
  poll_ =
      std::make_unique<UvHandle<uv_poll_t>>(this, [this](uv_poll_t* h) { return uv_poll_init(loop_.get(), h, socket_.get()); });
  if (!*poll_) return -poll_->status();
  if (!ref_) poll_->unref();
  uv_poll_start(poll_->get(), UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* self = static_cast<Acceptor*>(handle->data);
    if (!self) return;
    const Loop::Turn turn(self->loop_);
    self->accept(batch);
  });
  return 0;
}

void Acceptor::count(kernel::AcceptCounters counters) {
  counters_ = std::move(counters);
  look_ = std::make_unique<Timer>(loop_, [this] { accept(batch); });
  look_->unref();
  look_->start(look_again_after, look_again_after);
}

void Acceptor::ref() {
  ref_ = true;
  if (poll_) poll_->ref();
}
void Acceptor::unref() {
  ref_ = false;
  if (poll_) poll_->unref();
}

void Acceptor::accept_queued() {
  if (poll_) accept(queue);
}

void Acceptor::accept(int most) {
  const auto* alive = poll_->get();
  for (int i = 0; i < most; ++i) {
    OwnedFd connection(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection) {
      if (counters_) counters_->accepted(1);
      handler_(std::move(connection));
      // The handler may have closed this server.
      if (alive->data == nullptr) return;
    } else if (errno == EMFILE || errno == ENFILE) {
      shed_one();
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      if (counters_) counters_->drained();
      return;
    }
  }
}

void Acceptor::shed_one() {
  loop_.give_up_spare();
  OwnedFd(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)).reset();
  loop_.keep_spare();
}

}  // namespace muster::uv
