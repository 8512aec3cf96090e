// SPDX-License-Identifier: MIT
#include "primary/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "show/printable.h"
#include "show/units_text.h"

namespace muster::cli {
namespace {

// What is kept for `muster logs`, of an app that logs to nowhere else.
constexpr std::size_t max_lines = 1000;
constexpr std::size_t most_bytes = 256 << 10;

const char* name(LogLine::Stream stream) {
  switch (stream) {
    case LogLine::Stream::out: return "out";
    case LogLine::Stream::err: return "err";
    case LogLine::Stream::muster: return "muster";
  }
  return "";
}

std::string iso_time(std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), ms % 1000);
}

std::string who(const LogLine& line, const std::string& app) {
  return line.seat > 0 ? fmt::format("{}/{}", app, line.seat) : app;
}

}  // namespace

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string json_text(const LogLine& line, const std::string& app) {
  nlohmann::ordered_json json{{"time", iso_time(line.time)}, {"app", app}, {"stream", name(line.stream)}};
  if (line.seat > 0) json["worker"] = line.seat;
  if (line.pid > 0) json["pid"] = line.pid;
  json["text"] = line.text;
  // A worker prints what bytes it likes.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string file_text(const LogLine& line, const std::string& app) {
  const std::string pid = line.pid > 0 ? fmt::format("[{}]", line.pid) : "";
  return fmt::format("{} {}{} {} {}", iso_time(line.time), who(line, app), pid, name(line.stream), line.text);
}

std::string short_text(const LogLine& line, const std::string& app) {
  return fmt::format("{} | {}", who(line, app), line.text);
}

Log::Log(Loop& loop, const AppConfig& config, std::string file)
    : loop_(loop),
      app_(config.name),
      format_(config.log_format),
      file_(std::move(file)),
      out_(loop, STDOUT_FILENO),
      err_(loop, STDERR_FILENO),
      printable_out_(!config.raw && isatty(STDOUT_FILENO) != 0),
      printable_err_(!config.raw && isatty(STDERR_FILENO) != 0),
      rotate_at_(config.log_size),
      keep_(config.log_files) {
  struct stat out {
  }, err{};
  one_stream_ = fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 && out.st_dev == err.st_dev &&
                out.st_ino == err.st_ino;
  if (!file_.empty()) open();
}

Log::~Log() = default;

void Log::open() {
  if (pipe_) {
    pipe_->give_up();
    lost_ += pipe_->take_lost();
  }
  pipe_.reset();
  fd_.reset();
  size_ = 0;
  if (!folder_) {
    error_ = folder_.open(folder_name());
    if (error_ != 0) return;
  }
  auto [file, error] = folder_.append(name());
  if (error == ENOENT && folder_.is_gone()) {
    // Another of that name may be there by now.
    folder_ = os::Folder();
    if (error_ = folder_.open(folder_name()); error_ != 0) return;
    os::Folder::Opened again = folder_.append(name());
    file = std::move(again.file);
    error = again.error;
  }
  error_ = error;
  struct stat status {};
  if (error != 0 || fstat(file.get(), &status) != 0) return;
  fd_ = std::move(file);
  if (S_ISREG(status.st_mode)) {
    size_ = static_cast<std::uint64_t>(status.st_size);
  } else {
    // Nobody waits for its reader.
    pipe_ = std::make_unique<Output>(loop_, fd_.get());
  }
}

void Log::reopen() {
  if (file_.empty()) return;
  folder_ = os::Folder();
  open();
}

void Log::restore() {
  struct stat status {};
  if (fd_ && !pipe_ && fstat(fd_.get(), &status) == 0 && status.st_nlink == 0) open();
}

std::string Log::folder_name() const {
  const std::size_t slash = file_.rfind('/');
  return slash == std::string::npos ? "." : file_.substr(0, std::max<std::size_t>(slash, 1));
}

std::string Log::name() const { return file_.substr(file_.rfind('/') + 1); }

unsigned Log::follow(Follower follower) {
  followers_[next_follower_] = std::make_shared<Follower>(std::move(follower));
  return next_follower_++;
}

void Log::rotate() {
  fd_.reset();
  const auto old = [this](unsigned number) { return number == 0 ? name() : name() + "." + std::to_string(number); };
  if (keep_ == 0) folder_.remove(name());
  // As many as there are.
  unsigned last = 0;
  while (last < keep_ && folder_.has(old(last))) ++last;
  for (unsigned number = last; number > 0; --number) folder_.rename(old(number - 1), old(number));
  open();
}

bool Log::to_terminal(LogLine::Stream stream) const {
  if (!file_.empty()) return false;
  return stream == LogLine::Stream::out || one_stream_ ? printable_out_ : printable_err_;
}

std::string Log::text_of(const LogLine& line) const {
  const std::string text = format_ == LogFormat::json ? json_text(line, app_)
                           : file_.empty()            ? short_text(line, app_)
                                                      : file_text(line, app_);
  return (to_terminal(line.stream) ? printable(text) : text) + "\n";
}

void Log::write(LogLine line) {
  if (line.time == 0) line.time = now_ms();
  for (Output* output : {&out_, &err_, pipe_.get()}) lost_ += output ? output->take_lost() : 0;
  std::string text = text_of(line);
  if (lost_ > 0) {
    text = text_of({now_ms(), LogLine::Stream::muster, 0, 0,
                    fmt::format("{} could not be written before this", counted(lost_, "line"))}) +
           text;
  }
  // put() may reopen the log and count more lost lines; the next line reports those.
  const auto told = std::exchange(lost_, 0);
  if (!put(line.stream, text)) lost_ += told + 1;
  // One of them may leave while it hears.
  for (const auto& [number, follower] : std::map(followers_)) (*follower)(line);
  latest_bytes_ += line.text.size();
  latest_.push_back(std::move(line));
  while (latest_.size() > max_lines || latest_bytes_ > most_bytes) {
    latest_bytes_ -= latest_.front().text.size();
    latest_.pop_front();
  }
}

bool Log::put(LogLine::Stream stream, const std::string& text) {
  if (file_.empty()) return (stream == LogLine::Stream::out || one_stream_ ? out_ : err_).write(text) == Output::Written::yes;
  if (fd_ && !pipe_ && rotate_at_ > 0 && size_ > 0 && size_ + text.size() > rotate_at_) rotate();
  if (!fd_) open();
  if (!fd_) return false;
  if (!pipe_) return put_into_file(text);
  const Output::Written written = pipe_->write(text);
  // Another reader is looked for. One that is slow is there still.
  if (written == Output::Written::gone) open();
  return written == Output::Written::yes;
}

bool Log::put_into_file(std::string text) {
  if (cut_) text.insert(0, 1, '\n');
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  size_ += text.size() - rest.size();
  // What there is of it ends before the next one begins.
  if (rest.size() < text.size()) cut_ = text[text.size() - rest.size() - 1] != '\n';
  return rest.empty();
}

void Log::say(std::string_view text) {
  const std::int64_t time = now_ms();
  do {
    const auto end = std::min(text.find('\n'), text.size());
    write({time, LogLine::Stream::muster, 0, 0, std::string(text.substr(0, end))});
    text.remove_prefix(std::min(end + 1, text.size()));
  } while (!text.empty());
}

}  // namespace muster::cli
