// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "show/table.h"
#include "status.h"

namespace muster::cli {

// How a text is to look: for a terminal of that width, in colour or not.
struct Look {
  std::size_t width = 80;
  Colour colour = Colour::no;
};

// What the commands print of what is known. Each text ends its last line.

// `muster list`: a line for each app, those that are gone too.
std::string list_text(const std::vector<AppStatus>& apps, const Look& look = {});
// `muster status NAME`.
std::string status_text(const AppStatus& app, const Look& look = {});
// `muster why NAME` and `muster why NAME/WORKER`, newest first; the worker is its seat.
std::string why_text(const AppStatus& app, std::optional<unsigned> seat = {}, const Look& look = {});

// "worker 2 (pid 7) crashed after 3.1s: exit code 1": one line of it.
std::string obituary_headline(const Obituary& obituary);

}  // namespace muster::cli
