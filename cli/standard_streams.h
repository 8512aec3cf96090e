// SPDX-License-Identifier: MIT
#pragma once

namespace muster::cli {

// Whoever starts us may have closed descriptors 0 to 2. What is opened next would be taken for them, and be written to.
void open_standard_streams();

}  // namespace muster::cli
