// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <muster/function.h>

#include "show/table.h"
#include "status.h"

namespace muster {
class Loop;
}

namespace muster::cli {

// What top shows and where it stands in it. Knows no terminal: it is given keys and makes text.
class Top {
 public:
  enum class Sort { seat, cpu, memory };
  struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
  };

  // What is shown from now on.
  void update(std::vector<AppStatus> apps);
  // Bytes as a terminal sends them for keys. False: the user wants to leave.
  bool press(std::string_view keys);

  // A screen: from the upper left corner, each line cleared to its end, and what is below.
  std::string frame(Size size, Colour colour);
  // All of it, without any control of a terminal but colour.
  std::string text(std::size_t columns, Colour colour) const;

 private:
  // Titles and rows of all apps, beneath their heads.
  std::vector<std::string> lines(std::size_t columns, Colour colour) const;

  std::vector<AppStatus> apps_;
  bool known_ = false;
  std::string pending_;  // keys that have come in part
  Sort sort_ = Sort::seat;
  std::size_t first_ = 0;  // of the lines that are shown
  std::size_t page_ = 1;   // how many are
};

// Asks for what is known of all apps and delivers it, once, at once or later, on the loop's thread. An answer that never comes
// leaves the last one on the screen: the next question comes when the one before is answered.
using DeliverStatuses = Function<void(std::vector<AppStatus>)>;
using FetchStatuses = Function<void(DeliverStatuses)>;

// `muster top`: runs the loop until the user leaves, and returns what main() should. On a terminal it is a screen that is
// renewed; anywhere else a text for each interval. `once`: one text and the end, also on a terminal.
int run_top(Loop& loop, FetchStatuses fetch, std::chrono::milliseconds interval, bool once);

}  // namespace muster::cli
