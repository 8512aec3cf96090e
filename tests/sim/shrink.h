// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <vector>

#include "sim/choices.h"

namespace muster::sim {

// Leaves out what is not needed for the world to fail: half of the steps at a time, then ever fewer. The last step stays: it is
// the rest of the world's life. `fails` says whether a world of these choices fails as the first one did.
inline std::vector<Choices::Step> shrink(std::vector<Choices::Step> steps,
                                         const std::function<bool(const std::vector<Choices::Step>&)>& fails) {
  for (std::size_t size = steps.size() / 2; size > 0; size /= 2) {
    for (std::size_t begin = 0; begin + 1 < steps.size();) {
      const auto first = steps.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto last = first + static_cast<std::ptrdiff_t>(std::min(size, steps.size() - 1 - begin));
      std::vector<Choices::Step> fewer(steps.begin(), first);
      fewer.insert(fewer.end(), last, steps.end());
      if (fails(fewer)) {
        steps = std::move(fewer);
      } else {
        begin += size;
      }
    }
  }
  return steps;
}

}  // namespace muster::sim
