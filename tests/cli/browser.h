// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "support/run.h"

namespace muster::test {

// Chromium without a window, spoken to over a pipe. Each call runs the primary's loop until it is answered, so that what the
// page asks for can be served by the test. Throws when there is no Chromium, and when it does not do what it is told.
class Browser {
 public:
  explicit Browser(Primary& primary);
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;
  ~Browser();

  // A command of the DevTools protocol, to the page.
  nlohmann::json call(std::string_view method, nlohmann::json parameters = nlohmann::json::object());

  void open(const std::string& url);
  // The value of an expression of the page, which may be a promise.
  nlohmann::json evaluate(const std::string& expression);
  // Returns when an expression of the page is true: it is looked at whenever the page changes.
  void wait_until(const std::string& expression);
  std::string text_of(const std::string& selector);

  void resize(int width, int height);
  void prefer_dark(bool dark);
  void save_image(const std::string& path);

 private:
  struct Process;
  std::unique_ptr<Process> process_;
};

}  // namespace muster::test
