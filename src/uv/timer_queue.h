// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace muster::uv {

using Clock = std::chrono::steady_clock;

// Timers in the order in which they are due; of those due at once, in the order in which they were started.
class TimerQueue {
 public:
  class Client {
   public:
    // May start, stop and destroy any.
    virtual void handle_due() = 0;

   protected:
    ~Client() = default;
  };

  // A place in the queue. It costs an allocation once.
  class Place {
   public:
    bool taken() const { return !node_; }

   private:
    friend class TimerQueue;
    struct Key {
      Clock::time_point due;
      std::uint64_t number;
      Client* client;
      bool operator<(const Key& other) const { return due != other.due ? due < other.due : number < other.number; }
    };
    using Keys = std::set<Key>;
    Keys::iterator place_;
    Keys::node_type node_ = make_node();

    static Keys::node_type make_node() {
      Keys keys;
      return keys.extract(keys.insert(Key{}).first);
    }
  };

  void start(Place& place, Clock::time_point due, Client& client) {
    stop(place);
    place.node_.value() = {due, ++last_number_, &client};
    place.place_ = keys_.insert(std::move(place.node_)).position;
  }
  void stop(Place& place) {
    if (place.taken()) place.node_ = keys_.extract(place.place_);
  }

  // When the first is due.
  std::optional<Clock::time_point> next() const { return keys_.empty() ? std::nullopt : std::optional(keys_.begin()->due); }
  // In milliseconds and never too short; -1 when there is none.
  int timeout(Clock::time_point now) const {
    if (keys_.empty()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(keys_.begin()->due - now).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
  }

  // Those that are due. One that is started meanwhile waits for the next time.
  void run(Clock::time_point now) {
    const std::uint64_t last = last_number_;
    while (!keys_.empty() && keys_.begin()->due <= now && keys_.begin()->number <= last) keys_.begin()->client->handle_due();
  }

 private:
  Place::Keys keys_;
  std::uint64_t last_number_ = 0;
};

}  // namespace muster::uv
