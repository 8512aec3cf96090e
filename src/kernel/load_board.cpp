// SPDX-License-Identifier: MIT
#include "kernel/load_board.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

namespace muster::kernel {
namespace {

constexpr std::size_t page_size = 4096;

// A slot holds the number of its offer and one of these: so a claim that comes late finds another number, not another offer.
enum State : std::uint64_t { offered = 1, claimed = 2, revoked = 3 };

std::uint64_t entry(std::uint64_t number, State state) { return number << 2 | state; }

bool exchange(std::atomic<std::uint64_t>& slot, std::uint64_t number, State to) {
  std::uint64_t expected = entry(number, offered);
  return slot.compare_exchange_strong(expected, entry(number, to));
}

}  // namespace

struct LoadBoard::Page {
  alignas(64) std::atomic<std::uint32_t> open;
  alignas(64) std::atomic<std::uint64_t> slots[LoadBoard::slots];
};

std::optional<LoadBoard> LoadBoard::create() {
  static_assert(sizeof(Page) <= page_size && std::atomic<std::uint64_t>::is_always_lock_free);
  OwnedFd descriptor(memfd_create("muster-load-board", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Sealed: a worker that made it shorter would kill whoever reads it.
  if (!descriptor || ftruncate(descriptor.get(), page_size) != 0 ||
      fcntl(descriptor.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return std::nullopt;
  }
  std::optional<LoadBoard> board = map(descriptor);
  if (board) board->descriptor_ = std::move(descriptor);
  return board;
}

std::optional<LoadBoard> LoadBoard::map(const OwnedFd& descriptor) {
  struct stat about {};
  if (fstat(descriptor.get(), &about) != 0 || about.st_size != page_size) return std::nullopt;
  void* memory = mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (memory == MAP_FAILED) return std::nullopt;
  return LoadBoard({}, static_cast<Page*>(memory));
}

LoadBoard::LoadBoard(OwnedFd descriptor, Page* page) : descriptor_(std::move(descriptor)), page_(page) {}

LoadBoard::LoadBoard(LoadBoard&& other) noexcept
    : descriptor_(std::move(other.descriptor_)), page_(std::exchange(other.page_, nullptr)) {}

LoadBoard& LoadBoard::operator=(LoadBoard&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(page_, other.page_);
  return *this;
}

LoadBoard::~LoadBoard() {
  if (page_) munmap(page_, page_size);
}

OwnedFd LoadBoard::take_descriptor() { return std::move(descriptor_); }

std::atomic<std::uint64_t>& LoadBoard::slot(std::uint64_t number) const { return page_->slots[number % slots]; }

void LoadBoard::offer(std::uint64_t number) { slot(number).store(entry(number, offered)); }

bool LoadBoard::revoke(std::uint64_t number) { return exchange(slot(number), number, revoked); }

bool LoadBoard::claim(std::uint64_t number) { return exchange(slot(number), number, claimed); }

std::uint32_t LoadBoard::claims(std::uint64_t first, std::size_t count) const {
  std::uint32_t claims = 0;
  for (std::uint64_t number = first; number < first + count; ++number) {
    claims += slot(number).load(std::memory_order_relaxed) == entry(number, claimed);
  }
  return claims;
}

std::uint32_t LoadBoard::open() const { return page_->open.load(std::memory_order_relaxed); }

void LoadBoard::set_open(std::uint32_t connections) { page_->open.store(connections, std::memory_order_relaxed); }

}  // namespace muster::kernel
