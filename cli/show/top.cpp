// SPDX-License-Identifier: MIT
#include "show/top.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <fmt/format.h>
#include <muster/loop.h>

#include "os/fd.h"
#include "say.h"
#include "show/printable.h"
#include "show/units_text.h"
#include "show/worker_table.h"
#include "states.h"

namespace muster::cli {
namespace {

// The line above the workers of an app. Only what fits is said.
std::string head_of(const AppStatus& app, std::size_t columns, Colour colour) {
  const std::string name = shortened(printable(app.name), columns);
  const std::string state = printable(app.state);
  std::vector<std::string> facts;
  if (is(app.state, SupervisorState::failed) && !app.why.empty()) facts.push_back(printable(app.why));
  facts.push_back(fmt::format("{}/{} ready", count_ready(app), app.workers_wanted));
  facts.push_back(fmt::format("{} restarts", app.restarts));
  if (app.pid > 0) {
    facts.push_back(fmt::format("primary {} {}", bytes_text(app.memory), percent_text(app.cpu)));
    for (const std::string& where : app.listening) facts.push_back(printable(where));
  }
  std::size_t used = columns_of(name);
  std::string line = inked(name, Ink::bold, colour);
  const auto say = [&](const std::string& text, Ink ink) {
    const std::size_t size = columns_of(text) + 2;
    if (used + size > columns) {
      // What is told last is cut; a word of three letters says nothing.
      if (columns > used + 5) line += "  " + inked(shortened(text, columns - used - 2), ink, colour);
      used = columns;
      return;
    }
    line += "  " + inked(text, ink, colour);
    used += size;
  };
  say(state, ink_of_state(app.state));
  for (const std::string& fact : facts) say(fact, Ink::plain);
  return line;
}

std::string_view name_of(Top::Sort sort) {
  switch (sort) {
    case Top::Sort::seat: return "seat";
    case Top::Sort::cpu: return "cpu";
    case Top::Sort::memory: return "memory";
  }
  return {};
}

}  // namespace

void Top::update(std::vector<AppStatus> apps) {
  apps_ = std::move(apps);
  known_ = true;
  std::stable_sort(apps_.begin(), apps_.end(), [](const AppStatus& a, const AppStatus& b) { return a.name < b.name; });
}

bool Top::press(std::string_view keys) {
  const auto move = [this](std::ptrdiff_t by) {
    // Beyond the end is found by frame(), which knows where that is.
    const auto first = static_cast<std::ptrdiff_t>(first_) + by;
    first_ = first < 0 ? 0 : static_cast<std::size_t>(first);
  };
  const auto page = static_cast<std::ptrdiff_t>(page_);
  const struct {
    std::string_view bytes;
    std::ptrdiff_t lines;
  } moves[] = {{"\x1b[A", -1}, {"\x1bOA", -1},     {"k", -1},         {"\x1b[B", 1}, {"\x1bOB", 1},
               {"j", 1},       {"\x1b[5~", -page}, {"\x1b[6~", page}, {" ", page}};
  pending_ += keys;
  while (!pending_.empty()) {
    const auto* found =
        std::find_if(std::begin(moves), std::end(moves), [this](const auto& m) { return pending_.starts_with(m.bytes); });
    if (found != std::end(moves)) {
      move(found->lines);
      pending_.erase(0, found->bytes.size());
      continue;
    }
    // The rest of an arrow may come with the next read.
    if (std::any_of(std::begin(moves), std::end(moves), [this](const auto& m) { return m.bytes.starts_with(pending_); })) break;
    switch (pending_[0]) {
      case 'q':
      case '\x03': return false;
      case 'm': sort_ = Sort::memory; break;
      case 'c': sort_ = Sort::cpu; break;
      case 'p': sort_ = Sort::seat; break;
      default: break;
    }
    pending_.erase(0, 1);
  }
  return true;
}

std::vector<std::string> Top::lines(std::size_t columns, Colour colour) const {
  // One table, so that the columns of all apps stand beneath each other.
  Table table = worker_table();
  for (const AppStatus& app : apps_) {
    std::vector<const WorkerStatus*> workers;
    for (const WorkerStatus& worker : app.workers) workers.push_back(&worker);
    std::stable_sort(workers.begin(), workers.end(), [this](const WorkerStatus* a, const WorkerStatus* b) {
      if (sort_ == Sort::cpu && a->cpu != b->cpu) return a->cpu > b->cpu;
      if (sort_ == Sort::memory && a->memory != b->memory) return a->memory > b->memory;
      return std::pair(a->seat, a->id) < std::pair(b->seat, b->id);
    });
    for (const WorkerStatus* worker : workers) table.add(worker_row(*worker));
  }
  std::vector<std::string> rows = table.lines(columns, colour);
  std::vector<std::string> lines{std::move(rows[0])};
  std::size_t row = 1;
  for (const AppStatus& app : apps_) {
    if (lines.size() > 1) lines.emplace_back();
    lines.push_back(head_of(app, columns, colour));
    for (std::size_t i = 0; i < app.workers.size(); ++i) lines.push_back(std::move(rows[row++]));
  }
  return lines;
}

std::string Top::frame(Size size, Colour colour) {
  std::vector<std::string> screen;
  std::size_t workers = 0;
  std::int64_t at = 0;
  for (const AppStatus& app : apps_) {
    workers += app.workers.size();
    at = std::max(at, app.at);
  }
  std::string title =
      !known_ ? "muster top" : fmt::format("muster top  {}  {}", counted(apps_.size(), "app"), counted(workers, "worker"));
  if (at > 0) title += "  " + time_text(at);
  std::string keys = fmt::format("q quit  sort: p seat  c cpu  m memory (now {})", name_of(sort_));

  std::vector<std::string> all = lines(size.columns, colour);
  page_ = size.rows > 4 ? size.rows - 4 : 1;
  const std::size_t body = all.size() - 1;
  first_ = std::min(first_, body > page_ ? body - page_ : 0);
  if (body > page_) keys += fmt::format("  j/k move: {}-{} of {}", first_ + 1, first_ + page_, body);

  screen.push_back(inked(shortened(title, size.columns), Ink::bold, colour));
  if (!known_) {
    screen.emplace_back("...");
  } else if (apps_.empty()) {
    screen.emplace_back("No apps.");
  } else {
    screen.push_back(std::move(all[0]));
    for (std::size_t i = first_; i < std::min(first_ + page_, body); ++i) screen.push_back(std::move(all[i + 1]));
  }
  screen.emplace_back();
  screen.push_back(inked(shortened(keys, size.columns), Ink::dim, colour));
  if (screen.size() > size.rows) screen.resize(size.rows);

  // Written over what is there: a screen that is cleared first flickers. A line is cleared before it is written, since after
  // one of full width the cursor still stands on its last character; and so is what is below the last.
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < screen.size(); ++i) {
    text.append(i == 0 ? "" : "\r\n").append(i + 1 == screen.size() ? "\x1b[J" : "\x1b[K").append(screen[i]);
  }
  return text;
}

std::string Top::text(std::size_t columns, Colour colour) const {
  if (apps_.empty()) return "No apps.\n";
  std::string text;
  for (const std::string& line : lines(columns, colour)) text.append(line).append("\n");
  return text;
}

namespace {

// False when nobody reads it.
bool write_out(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Top::Size terminal_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {size.ws_row, size.ws_col};
}

// The terminal while top has it: another screen, no line editing, no cursor. It is given back when this goes.
class Screen {
 public:
  Screen(Loop& loop, Function<void(std::string_view)> on_keys) : on_keys_(std::move(on_keys)) {
    // Opened anew, for reading without waiting: that would also hold for the shell, which has the same standard input.
    char name[128];
    if (ttyname_r(STDOUT_FILENO, name, sizeof name) == 0)
      keys_ = OwnedFd(open(name, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    enter();
    if (keys_) watch_ = loop.on_readable(keys_.get(), [this] { read_keys(); });
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() {
    watch_.cancel();
    leave();
  }

  // ctrl-Z: the shell has the terminal until it gives it back.
  void suspend() {
    leave();
    raise(SIGTSTP);
    enter();
  }

 private:
  void enter() {
    if (tcgetattr(STDOUT_FILENO, &before_) == 0) {
      termios raw = before_;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
      raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
      raw.c_cc[VMIN] = 1;
      raw.c_cc[VTIME] = 0;
      changed_ = tcsetattr(STDOUT_FILENO, TCSADRAIN, &raw) == 0;
    }
    // The other screen, no cursor, and lines that are cut at the edge.
    write_out("\x1b[?1049h\x1b[?25l\x1b[?7l");
  }
  void leave() {
    write_out("\x1b[?7h\x1b[?25h\x1b[?1049l");
    if (changed_) tcsetattr(STDOUT_FILENO, TCSADRAIN, &before_);
  }
  void read_keys() {
    char bytes[256];
    const ssize_t size = read(keys_.get(), bytes, sizeof bytes);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) {
      // The terminal is gone.
      watch_.cancel();
      return on_keys_("q");
    }
    on_keys_({bytes, static_cast<std::size_t>(size)});
  }

  Function<void(std::string_view)> on_keys_;
  OwnedFd keys_;
  Watch watch_;
  termios before_{};
  bool changed_ = false;
};

// One call of run_top().
class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(Loop& loop, FetchStatuses fetch, bool once) : loop_(loop), fetch_(std::move(fetch)), once_(once) {}

  int run(std::chrono::milliseconds interval) {
    if (!once_ && isatty(STDOUT_FILENO)) {
      screen_.emplace(loop_, [this](std::string_view keys) { press(keys); });
      resized_ = loop_.on_signal(Signal(SIGWINCH), [this](Signal) { draw(); });
      draw();
    }
    for (std::size_t i = 0; i < std::size(ends_); ++i) {
      ends_[i] = loop_.on_signal(Signal(ending[i]), [this](Signal) { loop_.stop(); });
    }
    loop_.next_tick([self = shared_from_this()] { self->ask(); });
    if (!once_) timer_ = loop_.set_interval(interval, [this] { ask(); });
    int code = 0;
    // What a listener of the caller's throws must not leave the terminal as it is.
    try {
      code = loop_.run();
    } catch (...) {
      finish();
      throw;
    }
    finish();
    return lost_output_ ? 1 : code;
  }

 private:
  static constexpr int ending[] = {SIGINT, SIGTERM, SIGHUP};

  void finish() {
    finished_ = true;
    timer_.cancel();
    screen_.reset();
  }

  void ask() {
    if (finished_ || std::exchange(asking_, true)) return;
    fetch_([weak = weak_from_this()](std::vector<AppStatus> apps) {
      const auto self = weak.lock();
      if (!self || self->finished_ || !std::exchange(self->asking_, false)) return;
      self->top_.update(std::move(apps));
      self->draw();
      if (self->once_) self->loop_.stop();
    });
  }

  void draw() {
    const Top::Size size = terminal_size();
    const Colour colour = colour_of_output();
    std::string text;
    if (screen_) {
      text = top_.frame(size, colour);
    } else {
      // Nothing is cut off where there is no terminal.
      text = top_.text(isatty(STDOUT_FILENO) ? size.columns : 1000, colour) + (once_ ? "" : "\n");
    }
    if (write_out(text)) return;
    say_error(fmt::format("cannot write to standard output: {}", std::strerror(errno)));
    lost_output_ = true;
    loop_.stop();
  }

  void press(std::string_view keys) {
    if (!top_.press(keys)) return loop_.stop();
    if (keys.find('\x1a') != std::string_view::npos) screen_->suspend();
    draw();
  }

  Loop& loop_;
  FetchStatuses fetch_;
  bool once_;
  bool asking_ = false;
  bool finished_ = false;
  bool lost_output_ = false;
  Top top_;
  std::optional<Screen> screen_;
  Timer timer_;
  ScopedSubscription resized_, ends_[std::size(ending)];
};

}  // namespace

int run_top(Loop& loop, FetchStatuses fetch, std::chrono::milliseconds interval, bool once) {
  return std::make_shared<Run>(loop, std::move(fetch), once)->run(interval);
}

}  // namespace muster::cli
