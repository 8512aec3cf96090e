// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

// Files of this folder that the command carries with it.
namespace muster::cli::assets {

extern const unsigned char agent[];  // agent.cjs, preloaded into Node workers
extern const std::size_t agent_size;
extern const unsigned char page[];  // page.html, of the admin port
extern const std::size_t page_size;

}  // namespace muster::cli::assets
