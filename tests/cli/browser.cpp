// SPDX-License-Identifier: MIT
#include "browser.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <vector>

#include "os/fd.h"
#include "os/spawn.h"

namespace muster::test {
namespace {

using nlohmann::json;

constexpr const char* chromium = "/usr/bin/chromium";

std::string decoded(std::string_view base64) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : base64) {
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos) break;
    bits = bits << 6 | static_cast<unsigned>(digit);
    if ((count += 6) >= 8) bytes.push_back(static_cast<char>(bits >> (count -= 8)));
  }
  return bytes;
}

}  // namespace

struct Browser::Process {
  explicit Process(Primary& primary) : primary(primary) {
    if (access(chromium, X_OK) != 0) throw std::runtime_error("There is no /usr/bin/chromium: install the package chromium");
    const std::string profile = "--user-data-dir=" + folder.path();
    std::array<int, 2> in{}, out{};
    if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error(std::strerror(errno));
    commands = OwnedFd(in[1]);
    answers = OwnedFd(out[0]);
    const OwnedFd their_commands(in[0]), their_answers(out[1]);
    os::SpawnOptions options;
    options.file = chromium;
    options.argv = {chromium,
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-quic",
                    "--disable-dev-shm-usage",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--hide-scrollbars",
                    "--remote-debugging-pipe",
                    profile,
                    "about:blank"};
    for (char** variable = environ; *variable; ++variable) options.env.emplace_back(*variable);
    options.descriptors = {-1, -1, -1, their_commands.get(), their_answers.get()};
    const os::Spawned spawned = os::spawn(options);
    if (spawned.error != 0) throw std::runtime_error(std::strerror(spawned.error));
    pid = spawned.pid;
    ended = OwnedFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    reading = primary.loop.on_readable(answers.get(), [this] {
      std::array<char, 65536> bytes{};
      const ssize_t size = ::read(answers.get(), bytes.data(), bytes.size());
      if (size <= 0) return reading.cancel();
      read({bytes.data(), static_cast<std::size_t>(size)});
    });
    ending = primary.loop.on_readable(ended.get(), [this] {
      waitpid(pid, nullptr, 0);
      gone = true;
      ending.cancel();
      this->primary.loop.stop();
    });
  }
  ~Process() {
    reading.cancel();
    ending.cancel();
  }

  void read(std::string_view bytes) {
    received += bytes;
    while (true) {
      const std::size_t end = received.find('\0');
      if (end == std::string::npos) return;
      json message = json::parse(received.substr(0, end));
      received.erase(0, end + 1);
      if (message.value("id", 0) == last_id) {
        answer = std::move(message);
        primary.loop.stop();
      } else if (message.contains("method")) {
        events.push_back(std::move(message));
        primary.loop.stop();
      }
    }
  }

  // Runs the loop until it stops for the browser.
  void turn(const char* what) {
    if (gone) throw std::runtime_error(std::string("Chromium has ended: ") + what);
    primary.loop.run();
    if (primary.gave_up) throw std::runtime_error(std::string("Chromium did not answer: ") + what);
  }

  json call(std::string_view method, json parameters) {
    json message = {{"id", ++last_id}, {"method", method}, {"params", std::move(parameters)}};
    if (!session.empty()) message["sessionId"] = session;
    const std::string text = message.dump();
    if (write(commands.get(), text.c_str(), text.size() + 1) < 0) throw std::runtime_error(std::strerror(errno));
    answer.reset();
    while (!answer) turn(std::string(method).c_str());
    if (answer->contains("error")) throw std::runtime_error(std::string(method) + ": " + answer->dump());
    return (*answer)["result"];
  }

  void wait_for_event(const std::string& method) {
    while (true) {
      for (const json& event : std::exchange(events, {})) {
        if (event["method"] == method) return;
      }
      turn(method.c_str());
    }
  }

  Primary& primary;
  TemporaryFolder folder;
  int pid = 0;
  OwnedFd commands, answers, ended;
  Watch reading, ending;
  std::string received, session;
  int last_id = 0;
  std::optional<json> answer;
  std::vector<json> events;
  bool gone = false;
};

Browser::Browser(Primary& primary) : process_(std::make_unique<Process>(primary)) {
  std::string target;
  const json targets = process_->call("Target.getTargets", json::object());
  for (const json& known : targets.at("targetInfos")) {
    if (known["type"] == "page") target = known["targetId"];
  }
  if (target.empty()) target = process_->call("Target.createTarget", {{"url", "about:blank"}})["targetId"];
  process_->session = process_->call("Target.attachToTarget", {{"targetId", target}, {"flatten", true}})["sessionId"];
  call("Page.enable");
}

Browser::~Browser() {
  // Asked first: killed, it would leave its children to whoever is the first process.
  try {
    process_->session.clear();
    process_->call("Browser.close", json::object());
    while (!process_->gone) process_->turn("Browser.close");
  } catch (const std::exception&) {
    if (!process_->gone) kill(process_->pid, SIGKILL);
    while (!process_->gone) process_->primary.loop.run();
  }
}

json Browser::call(std::string_view method, json parameters) { return process_->call(method, std::move(parameters)); }

void Browser::open(const std::string& url) {
  process_->events.clear();
  if (const json result = call("Page.navigate", {{"url", url}}); result.contains("errorText")) {
    throw std::runtime_error(result.dump());
  }
  process_->wait_for_event("Page.loadEventFired");
}

json Browser::evaluate(const std::string& expression) {
  const json result = call("Runtime.evaluate", {{"expression", expression}, {"awaitPromise", true}, {"returnByValue", true}});
  if (result.contains("exceptionDetails")) throw std::runtime_error(expression + ": " + result.dump());
  return result["result"].contains("value") ? result["result"]["value"] : json();
}

void Browser::wait_until(const std::string& expression) {
  evaluate(R"(new Promise(resolve => {
    const look = () => {
      if (!()" +
           expression + R"()) return;
      observer.disconnect();
      resolve();
    };
    const observer = new MutationObserver(look);
    observer.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
    look();
  }))");
}

std::string Browser::text_of(const std::string& selector) {
  return evaluate("document.querySelector(" + json(selector).dump() + ").textContent").get<std::string>();
}

void Browser::resize(int width, int height) {
  call("Emulation.setDeviceMetricsOverride",
       {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", false}});
}

void Browser::prefer_dark(bool dark) {
  call("Emulation.setEmulatedMedia", {{"features", {{{"name", "prefers-color-scheme"}, {"value", dark ? "dark" : "light"}}}}});
}

void Browser::save_image(const std::string& path) {
  const json size = call("Page.getLayoutMetrics")["cssContentSize"];
  const json result =
      call("Page.captureScreenshot",
           {{"format", "png"},
            {"captureBeyondViewport", true},
            {"clip", {{"x", 0}, {"y", 0}, {"width", size["width"]}, {"height", size["height"]}, {"scale", 1}}}});
  std::ofstream(path, std::ios::binary) << decoded(result["data"].get<std::string>());
}

}  // namespace muster::test
