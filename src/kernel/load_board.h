// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "os/fd.h"

namespace muster::kernel {

// A page of memory that a primary shares with one of its workers: which of the connections that it was offered are still to be
// had, and how many it has open.
//
// An offer is claimed by the worker before it touches the connection, or revoked by the primary, by one atomic exchange:
// exactly one of them succeeds. Whatever a worker writes here, the primary takes for no more than that.
class LoadBoard {
 public:
  // An offer keeps its slot until the worker has answered for it: no more may be unanswered.
  static constexpr std::size_t slots = 448;

  // A new one. Empty where the system has no memory or no descriptor for it.
  static std::optional<LoadBoard> create();
  // The one behind a descriptor of another process. Empty when it is none.
  static std::optional<LoadBoard> map(const OwnedFd& descriptor);

  LoadBoard(LoadBoard&& other) noexcept;
  LoadBoard& operator=(LoadBoard&& other) noexcept;
  ~LoadBoard();

  // To be given to the worker once; afterwards invalid.
  OwnedFd take_descriptor();

  // The primary.
  void offer(std::uint64_t number);
  // Whether it is the primary's again.
  bool revoke(std::uint64_t number);
  // How many of so many offers from this one on are the worker's.
  std::uint32_t claims(std::uint64_t first, std::size_t count) const;
  std::uint32_t open() const;

  // The worker.
  // Whether it is the worker's.
  bool claim(std::uint64_t number);
  void set_open(std::uint32_t connections);

 private:
  struct Page;

  LoadBoard(OwnedFd descriptor, Page* page);
  std::atomic<std::uint64_t>& slot(std::uint64_t number) const;

  OwnedFd descriptor_;
  Page* page_;
};

}  // namespace muster::kernel
