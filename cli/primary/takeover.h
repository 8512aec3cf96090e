// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <muster/loop.h>
#include <muster/net.h>
#include <nlohmann/json_fwd.hpp>

#include "os/fd.h"
#include "primary/line_reader.h"

namespace muster::cli {

// Two primaries of one app, of which the second is to take the place of the first, and the line between them. The second says
// {"folder": ...}, what to remove if it is killed, and then {"ready": true} or {"error": ...}; the first answers {"take":
// true}, and from then on the names and the ports are the second's, or {"end": "terminate"} or {"end": "kill"} because the app
// is to stop. A line that ends without an answer is one of a primary that was killed: the second goes on alone.
//
// After {"take": true} the line stays open while the first lets its workers finish. The second takes the commands now: it
// passes a stop on as {"end": ...}, and the end of the line says that the first has exited.

// The second, as the first sees it.
class Successor {
 public:
  enum class How { terminate, kill };
  struct Events {
    // Its workers are ready: give() or end() is due.
    Function<void()> ready;
    // It does not come up, and why. It is made to end.
    Function<void(std::string why)> failed;
    // After failed() or end(): its process is gone.
    Function<void()> ended;
    // After give(): the app is to stop, and this primary with it.
    Function<void(How)> end;
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
  void end(How how, std::chrono::milliseconds patience);
  // At once.
  void kill();

 private:
  enum class State { starting, ready, given, ending, gone };

  void hear(const nlohmann::json& message);
  void lost();
  // Orders it to end. To close the line would not do: the successor would take that for its predecessor's death.
  void give_up(std::string why);
  void reap(std::chrono::steady_clock::time_point kill_at);

  Loop& loop_;
  int pid_;
  net::Socket line_;
  Events events_;
  State state_ = State::starting;
  LineReader unread_;
  std::string error_, folder_;
  Timer limit_, reaping_;
  std::vector<ScopedSubscription> subscriptions_;
};

// The first, as the second sees it.
class Predecessor {
 public:
  struct Events {
    Function<void()> gone;                   // the place is ours
    Function<void(Successor::How how)> end;  // the app is to stop
    Function<void()> ended;                  // after gone(): it has ended
  };
  Predecessor(Loop& loop, int line, Events events);
  Predecessor(const Predecessor&) = delete;
  Predecessor& operator=(const Predecessor&) = delete;
  ~Predecessor();

  void tell(const nlohmann::json& message);
  // After gone(): whether it still lets its workers finish.
  bool is_finishing() const { return state_ == State::finishing; }
  // Tells it to end them, and kills it when that takes longer than this.
  void end(Successor::How how, std::chrono::milliseconds patience);

 private:
  enum class State { in_charge, finishing, over };

  void hear(const nlohmann::json& message);
  void lost();

  // After the line was lost: waits for the end of the process, which may only have given up this one.
  void await_death(std::chrono::steady_clock::time_point until);

  Loop& loop_;
  int pid_;
  OwnedFd process_;  // a pidfd
  net::Socket line_;
  Events events_;
  State state_ = State::in_charge;
  LineReader unread_;
  Timer patience_;
  std::vector<ScopedSubscription> subscriptions_;
};

}  // namespace muster::cli
