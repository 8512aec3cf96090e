// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <muster/event.h>
#include "api/access.h"
#include "uv/loop.h"

namespace muster::detail {

// The listeners of one event. They run in the order they were added; one that is added by another runs
// from the next event on, one that is cancelled does not run any more.
template <class... A>
class Emitter {
 public:
  Subscription on(Listener<A...> listener) {
    entries_.push_back(std::make_shared<Entry>(std::move(listener)));
    // The subscription keeps the entry alive, and with it a listener that runs while it is replaced.
    return Access::make<Subscription>(std::shared_ptr<ListenerState>(entries_.back(), &entries_.back()->state));
  }

  bool empty() const {
    return std::none_of(entries_.begin(), entries_.end(), [](const auto& entry) { return entry->state.active; });
  }

  // The last event has been told: lets go of the listeners, and of what they hold. One that captured what
  // it listens to would otherwise keep it for ever.
  void clear() {
    for (const auto& entry : entries_) entry->state.active = false;
    // Not in place: with them may go what this is part of.
    if (emitting_ == 0) std::vector<std::shared_ptr<Entry>>().swap(entries_);
  }

  template <class... B>
  void emit(uv::Loop& loop, B&&... arguments) {
    const std::size_t count = entries_.size();
    if (count == 0) return;
    ++emitting_;
    for (std::size_t i = 0; i < count; ++i) {
      const std::shared_ptr<Entry> entry = entries_[i];
      if (!entry->state.active) continue;
      if (entry->listener.once) entry->state.active = false;
      loop.call([&] { entry->listener.call(arguments...); });
    }
    if (--emitting_ == 0) std::erase_if(entries_, [](const auto& entry) { return !entry->state.active; });
  }

 private:
  struct Entry {
    explicit Entry(Listener<A...> l) : listener(std::move(l)) {}
    ListenerState state;
    Listener<A...> listener;
  };

  std::vector<std::shared_ptr<Entry>> entries_;
  int emitting_ = 0;
};

}  // namespace muster::detail
