#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <muster/loop.h>
#include <muster/net.h>
#include <nlohmann/json_fwd.hpp>

namespace muster::cli {

// Two primaries of one app, of which the second is to take the place of the first, and the line between them. The second says
// {"folder": ...}, what to remove if it is killed, and then {"ready": true} or {"error": ...}; the first answers {"take":
// true}, and from then on the names and the ports are the second's, or {"end": "terminate"} or {"end": "kill"} because the app
// is to stop. A line that ends without an answer is one of a primary that was killed: the second goes on alone.

// The second, as the first sees it.
class Successor {
 public:
  struct Events {
    // Its workers are ready: give() or end() is due.
    Function<void()> ready;
    // It does not come up, and why. It is made to end.
    Function<void(std::string why)> failed;
    // After failed() or end(): its process is gone.
    Function<void()> ended;
  };
  // `line` is our end of one to the process `pid`. It has so long to be ready; 0: as long as it likes.
  Successor(Loop& loop, int pid, int line, std::chrono::milliseconds limit, Events events);
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;
  ~Successor();

  int pid() const { return pid_; }
  // The place is its.
  void give();
  // It ends, by itself or after this time by force.
  enum class How { terminate, kill };
  void end(How how, std::chrono::milliseconds patience);

 private:
  enum class State { starting, ready, ending, over };

  void hear(std::string_view bytes);
  void hear(const nlohmann::json& message);
  void lost();
  void reap(std::chrono::steady_clock::time_point kill_at);

  Loop& loop_;
  int pid_;
  net::Socket line_;
  Events events_;
  State state_ = State::starting;
  std::string unread_, error_, folder_;
  Timer limit_, reaping_;
};

// The first, as the second sees it.
class Predecessor {
 public:
  struct Events {
    Function<void()> gone;                   // the place is ours
    Function<void(Successor::How how)> end;  // the app is to stop
  };
  Predecessor(Loop& loop, int line, Events events);
  Predecessor(const Predecessor&) = delete;
  Predecessor& operator=(const Predecessor&) = delete;
  ~Predecessor();

  void tell(const nlohmann::json& message);

 private:
  net::Socket line_;
  Events events_;
  std::string text_;
  std::vector<ScopedSubscription> subscriptions_;
};

}  // namespace muster::cli
