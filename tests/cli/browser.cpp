#include "browser.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <vector>

#include <uv.h>

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
    uv_loop_t* const loop = primary.loop.uv_loop();
    for (uv_pipe_t* pipe : {&commands, &answers}) {
      uv_pipe_init(loop, pipe, 0);
      pipe->data = this;
    }
    process.data = this;
    const std::string profile = "--user-data-dir=" + folder.path();
    const char* const arguments[] = {chromium,
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
                                     profile.c_str(),
                                     "about:blank",
                                     nullptr};
    uv_stdio_container_t stdio[5] = {};
    for (int i : {0, 1, 2}) stdio[i].flags = UV_IGNORE;
    stdio[3].flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | UV_READABLE_PIPE);
    stdio[3].data.stream = reinterpret_cast<uv_stream_t*>(&commands);
    stdio[4].flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
    stdio[4].data.stream = reinterpret_cast<uv_stream_t*>(&answers);
    uv_process_options_t options{};
    options.file = chromium;
    options.args = const_cast<char**>(arguments);
    options.stdio = stdio;
    options.stdio_count = 5;
    options.exit_cb = [](uv_process_t* process, std::int64_t, int) {
      auto* const self = static_cast<Process*>(process->data);
      self->gone = true;
      self->primary.loop.stop();
    };
    if (const int error = uv_spawn(loop, &process, &options); error != 0) throw std::runtime_error(uv_strerror(error));
    uv_read_start(
        reinterpret_cast<uv_stream_t*>(&answers),
        [](uv_handle_t*, std::size_t, uv_buf_t* buffer) {
          static char bytes[65536];
          *buffer = uv_buf_init(bytes, sizeof bytes);
        },
        [](uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
          if (size > 0) static_cast<Process*>(stream->data)->read({buffer->base, static_cast<std::size_t>(size)});
          if (size < 0) uv_read_stop(stream);
        });
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
    struct Write {
      uv_write_t request;
      std::string text;
    };
    auto* const write = new Write{{}, message.dump()};
    write->request.data = write;
    const uv_buf_t buffer = uv_buf_init(write->text.data(), static_cast<unsigned>(write->text.size() + 1));
    uv_write(&write->request, reinterpret_cast<uv_stream_t*>(&commands), &buffer, 1,
             [](uv_write_t* request, int) { delete static_cast<Write*>(request->data); });
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
  uv_process_t process{};
  uv_pipe_t commands{}, answers{};
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
    if (!process_->gone) uv_process_kill(&process_->process, SIGKILL);
    while (!process_->gone) process_->primary.loop.run();
  }
  int closed = 0;
  process_->process.data = process_->commands.data = process_->answers.data = &closed;
  for (void* handle : {static_cast<void*>(&process_->process), static_cast<void*>(&process_->commands),
                       static_cast<void*>(&process_->answers)}) {
    uv_close(static_cast<uv_handle_t*>(handle), [](uv_handle_t* h) { ++*static_cast<int*>(h->data); });
  }
  while (closed < 3) uv_run(process_->primary.loop.uv_loop(), UV_RUN_ONCE);
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
