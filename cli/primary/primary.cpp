// SPDX-License-Identifier: MIT
#include "primary/primary.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <muster/version.h>

#include "config/capacity.h"
#include "config/listen_url.h"
#include "json_text.h"
#include "os/process_use.h"
#include "primary/init.h"
#include "saved_state.h"
#include "say.h"
#include "show/units_text.h"
#include "start_process.h"

namespace muster::cli {
namespace {

const Signal sig_ttin(SIGTTIN), sig_ttou(SIGTTOU);

// What tells a process of ours that it is something it is not: this one is a primary.
void forget_who_started_us() {
  for (const char* name : {"NODE_UNIQUE_ID", "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "MUSTER_REPORT_FD"}) {
    unsetenv(name);
  }
}

// As many descriptors as it may have, as Node takes them when it starts: connections wait here for busy workers. The workers
// inherit it.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  // Some programs look at each that they might have.
  constexpr rlim_t enough = 1 << 20;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, enough));
  setrlimit(RLIMIT_NOFILE, &limit);
}

bool has_terminal() { return static_cast<bool>(OwnedFd(open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC))); }

// Whether a standard stream is a terminal that is gone.
bool is_hung_up() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // isatty(3) says no of one that is gone.
    struct stat what {};
    pollfd terminal{stream, 0, 0};
    if (fstat(stream, &what) == 0 && S_ISCHR(what.st_mode) && poll(&terminal, 1, 0) > 0 && (terminal.revents & POLLHUP) != 0) {
      return true;
    }
  }
  return false;
}

// Socket activation: what a service manager has bound for this process.
std::vector<ListeningSocket> sockets_of_service_manager() {
  std::vector<ListeningSocket> sockets;
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (!pid || !count || std::atoi(pid) != getpid()) return sockets;
  constexpr int first = 3, max_sockets = 256;
  for (int fd = first; fd < first + std::min(std::atoi(count), max_sockets); ++fd) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    // Their names are the service manager's; they are found by their addresses. A copy, so that a worker that asks for one by
    // its number never finds something else there.
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, first + max_sockets);
    if (copy < 0 && errno == EBADF) continue;
    if (copy < 0)
      throw std::system_error(errno, std::generic_category(), fmt::format("the socket at descriptor {} cannot be taken", fd));
    sockets.push_back({"", Handle(HandleType::server, copy), ""});
  }
  return sockets;
}

// Settings of the primary's own, which workers do not bring.
std::vector<std::string_view> changes_of_the_primary(const AppConfig& old, const AppConfig& fresh) {
  std::vector<std::string_view> names;
  if (old.log_file != fresh.log_file) names.emplace_back("log_file");
  if (old.log_format != fresh.log_format) names.emplace_back("log_format");
  if (old.log_size != fresh.log_size) names.emplace_back("log_size");
  if (old.log_files != fresh.log_files) names.emplace_back("log_files");
  if (old.raw != fresh.raw) names.emplace_back("raw");
  if (old.admin != fresh.admin) names.emplace_back("admin");
  return names;
}

std::string monotonic_now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::to_string(time.tv_sec * 1'000'000 + time.tv_nsec / 1000);
}

}  // namespace

Primary::Primary(Order order, AppConfig config)
    : order_(std::move(order)),
      config_(std::move(config)),
      name_(config_.name),
      program_(own_program()),
      started_at_(now_ms()) {}

Primary::~Primary() {
  admin_.reset();
  control_.reset();
  commands_.reset();
  workers_.reset();
  files_.remove();
  // Only after the last trace of this one is gone may there be another; before whoever waits for that is told, by the end of
  // the connection.
  if (replaced_) {
    lock_.leave();
  } else {
    lock_.free();
  }
}

int Primary::run() {
  if (const std::string error = begin(); !error.empty()) {
    tell_starter({{"error", error}});
    if (!order_.background) say_error(error);
    exit_code_ = exit_failure;
  } else {
    loop_.run();
  }
  if (!in_charge()) {
    // What it was to take over is still its predecessor's, files included.
    files_.remove();
    _exit(exit_code_);
  }
  return exit_code_;
}

std::string Primary::begin() {
  forget_who_started_us();
  raise_descriptor_limit();
  // Nobody needs to read the log.
  std::signal(SIGPIPE, SIG_IGN);
  // A log that is as large as it may be is one that cannot be written.
  std::signal(SIGXFSZ, SIG_IGN);
  terminal_ = has_terminal();
  try {
    folders_ = make_folders();
  } catch (const std::exception& error) {
    // A container that can be written to nowhere: everything but commands works.
    if (order_.background) return error.what();
    say_error(fmt::format("{}; the app runs, but no commands can be given to it", error.what()));
  }
  if (std::string error = take_name(); !error.empty()) return error;

  std::string file = config_.log_file;
  if (file.empty() && order_.background && folders_) file = folders_->log(name_);
  log_ = std::make_unique<Log>(loop_, config_, file);
  // What becomes of it later stops nobody.
  switch (const int error = log_->error(); error) {
    case 0: break;
    case ENXIO: log_->say(fmt::format("nobody reads the log {} yet; lines are lost until somebody does", file)); break;
    case ELOOP:
    case EPERM:
      return fmt::format(
          "cannot write to the log {}: others may change its folder, and what is there is a link or another "
          "user's; accepted: a file in a folder that only this user may change",
          file);
    default: return fmt::format("cannot write to the log {}: {}", file, std::strerror(error));
  }
  loop_.on_uncaught_exception([this](const std::exception_ptr& exception) {
    // A fault of ours does not end what runs, even where there is no memory to report it.
    try {
      try {
        std::rethrow_exception(exception);
      } catch (const std::exception& error) {
        log_->say(fmt::format("an error of muster's own, please report it: {}", error.what()));
      }
    } catch (...) {
    }
  });
  if (!files_.restore()) log_->say(files_.error() + "; Node workers report nothing, and nobody can say READY=1");
  if (!order_.takes_over) lock_.note_folder(files_.folder());
  cluster_ = std::make_unique<Cluster>(loop_, 0, nullptr);
  Workers::Events events;
  events.changed = [this] { changed(); };
  events.stopped = [this](const std::optional<std::string>& failed) { stopped(failed); };
  cluster_->on_policy_unavailable([this](const std::string& why) {
    log_->say(fmt::format("the kernel policy is not available: {}; round robin takes its place", why));
  });
  workers_ = std::make_unique<Workers>(loop_, *cluster_, *log_, config_, files_, std::move(events));
  if (order_.takes_over && order_.line >= 0) {
    predecessor_ =
        std::make_unique<Predecessor>(loop_, std::exchange(order_.line, -1),
                                      Predecessor::Events{[this] { take_over(); }, [this](Successor::How how) { end(how); },
                                                          [this] {
                                                            // Where it was killed; it removes it itself otherwise.
                                                            WorkerFiles::remove_folder(order_.predecessor_folder);
                                                            finish();
                                                          }});
    predecessor_->tell({{"folder", files_.folder()}});
  }
  if (!order_.takes_over) order_.sockets = sockets_of_service_manager();
  adopt(std::move(order_.sockets));
  watch_signals();
  if (!order_.takes_over) listen_to_commands();
  if (std::string error = workers_->start(); !error.empty()) return error;
  if (const auto watchdog = watchdog_interval(); watchdog > 0) {
    loop_.set_interval(std::chrono::milliseconds(std::max(1ULL, watchdog / 2000)), [] { notify_service_manager("WATCHDOG=1"); })
        .unref();
  }
  if (in_charge()) save(true);
  return {};
}

std::string Primary::take_name() {
  if (!folders_) return {};
  if (order_.lock >= 0) {
    fcntl(order_.lock, F_SETFD, FD_CLOEXEC);
    lock_.take_over(folders_->lock(name_), OwnedFd(order_.lock));
    return {};
  }
  const auto error = lock_.take(folders_->lock(name_), name_);
  if (lock_.left_folder()) WorkerFiles::remove_folder(*lock_.left_folder());
  if (!error) return {};
  // A folder that is full or may not be written to: without a lock there are no commands, and the app runs.
  if (order_.background || !error->starts_with("cannot make")) return *error;
  say_error(*error + "; the app runs, but no commands can be given to it");
  folders_.reset();
  return {};
}

void Primary::restore_files() {
  if (!folders_ || !control_ || replaced_) return;
  try {
    make_folders();
  } catch (const std::exception& error) {
    if (!std::exchange(without_files_, true)) {
      log_->say(fmt::format("{}; no commands can be given until it is there", error.what()));
    }
    return;
  }
  lock_.restore();
  lock_.note_folder(files_.folder());
  if (control_->is_there()) {
    without_files_ = false;
  } else if (!std::exchange(without_files_, true)) {
    log_->say(fmt::format("somebody has removed {}; it is made again", folders_->socket(name_)));
    open_control();
  } else {
    open_control();
  }
}

void Primary::adopt(std::vector<ListeningSocket> sockets) {
  for (ListeningSocket& inherited : sockets) {
    if (workers_->is_plain()) {
      const os::SocketFile::Identity identity{inherited.device, inherited.inode};
      workers_->listen_sockets().adopt(
          std::move(inherited.name), std::move(inherited.socket),
          inherited.path.empty() ? os::SocketFile() : os::SocketFile::at(inherited.path, identity));
    } else {
      cluster_->adopt(std::move(inherited));
    }
  }
}

void Primary::watch_signals() {
  const auto quiet = [](const Workers::Outcome&) {};
  // A signal has nobody else to tell.
  const auto may_change = [this](const char* what) {
    const auto why_not = why_not_changed();
    if (why_not) log_->say(fmt::format("cannot {} now: {}", what, *why_not));
    return !why_not;
  };
  // nohup(1) wants it to outlive its terminal.
  struct sigaction at_start {};
  const bool outlives_terminal = sigaction(SIGHUP, nullptr, &at_start) == 0 && at_start.sa_handler == SIG_IGN;
  loop_.on_signal(Signal::hup, [this, may_change, quiet, outlives_terminal](Signal) {
    // Nobody asks for a reload by it then.
    if (is_hung_up() || (terminal_ && !has_terminal())) {
      if (!outlives_terminal) end(&Workers::stop);
      return;
    }
    if (may_change("reload")) reload(quiet);
  });
  loop_.on_signal(Signal::term, [this](Signal) {
    // The second time, it is meant.
    end(asked_to_end_++ == 0 ? &Workers::stop : &Workers::terminate);
  });
  loop_.on_signal(Signal::interrupt, [this](Signal) { end(asked_to_end_++ == 0 ? &Workers::terminate : &Workers::kill); });
  loop_.on_signal(Signal::usr1, [this](Signal) { log_->reopen(); });
  loop_.on_signal(Signal::usr2, [this, quiet](Signal) { upgrade(quiet); });
  loop_.on_signal(sig_ttin, [this, may_change, quiet](Signal) {
    if (!may_change("scale")) return;
    if (const auto why = too_many_workers(workers_->wanted() + 1)) return log_->say("not scaled by a signal: " + *why);
    workers_->scale(workers_->wanted() + 1, quiet);
  });
  loop_.on_signal(sig_ttou, [this, may_change, quiet](Signal) {
    if (workers_->wanted() > 1 && may_change("scale")) workers_->scale(workers_->wanted() - 1, quiet);
  });
}

std::optional<std::string> Primary::why_not_changed() const {
  // The successor was told how many workers there are, and starts the version that it found.
  return successor_ ? std::optional<std::string>("another primary is taking this one's place") : std::nullopt;
}

void Primary::open_control() {
  control_.reset();
  control_ = std::make_unique<ControlServer>(
      *cluster_, folders_->socket(name_),
      [this](const nlohmann::json& request, const ControlServer::Client& client) { commands_->run(request, client); },
      [this](const std::string& complaint) { log_->say(complaint); });
}

void Primary::listen_to_commands() {
  if (folders_) {
    commands_ = std::make_unique<ControlCommands>(
        name_, *workers_, *log_,
        ControlCommands::Actions{.status = [this] { return status(); },
                                 .why_not_changed = [this] { return why_not_changed(); },
                                 .reload = [this](Workers::Done done) { reload(std::move(done)); },
                                 .upgrade = [this](Workers::Done done) { upgrade(std::move(done)); },
                                 .stop = [this] { end(&Workers::stop); },
                                 .kill = [this] { end(&Workers::kill); }});
    open_control();
    loop_.set_interval(std::chrono::seconds(1), [this] { restore_files(); }).unref();
  }
  if (!config_.admin.empty()) {
    const auto where = parse_host_port(config_.admin);
    admin_ = std::make_unique<Admin>(
        *cluster_, where->host, static_cast<std::uint16_t>(where->port), [this] { return status(); },
        [this](const Error& error) { log_->say("the admin port: " + error.message); });
    admin_->on_listening([this] {
      if (const auto address = admin_->address()) log_->say(fmt::format("admin on http://{}", to_string(*address)));
    });
  }
}

void Primary::reload(Workers::Done done) {
  if (std::exchange(resolving_, true)) return done(Workers::Outcome{false, "cannot reload: a reload is under way"});
  // A configuration that is a program may take its time, and connections are not to wait for it.
  auto resolved = std::make_shared<Resolved>();
  loop_.run_in_thread([resolved, sources = order_.sources] { *resolved = resolve(sources); },
                      [this, resolved, done = std::move(done)](std::error_code error) mutable {
                        resolving_ = false;
                        const auto why_not = why_not_changed();
                        if (!error && !why_not) return reload(*resolved, std::move(done));
                        std::string text = "cannot reload" +
                                           (why_not ? " now: " + *why_not : ": no thread can be started: " + error.message());
                        log_->say(text);
                        done(Workers::Outcome{false, std::move(text)});
                      });
}

void Primary::reload(const Resolved& resolved, Workers::Done done) {
  if (!resolved.ok()) {
    std::string text = "cannot reload: " + report(resolved);
    while (text.ends_with('\n')) text.pop_back();
    log_->say(text);
    return done(Workers::Outcome{false, std::move(text)});
  }
  const auto same = std::find_if(resolved.apps.begin(), resolved.apps.end(),
                                 [this](const ResolvedApp& app) { return app.config.name == name_; });
  if (same == resolved.apps.end()) {
    std::string text = fmt::format("cannot reload: {} has no app \"{}\" any more", resolved.file_name, name_);
    log_->say(text);
    return done(Workers::Outcome{false, std::move(text)});
  }
  AppConfig config = same->config;
  // What `scale` said goes on, as long as the file says nothing new.
  if (config.workers == config_.workers) config.workers = workers_->config().workers;
  // It says itself why it cannot now.
  if (workers_->state() != SupervisorState::running) return workers_->reload(std::move(config), std::move(done));
  notify_service_manager("RELOADING=1\nMONOTONIC_USEC=" + monotonic_now());
  workers_->reload(std::move(config),
                   [this, said = same->config, done = std::move(done)](const Workers::Outcome& outcome) mutable {
                     Workers::Outcome told = outcome;
                     if (outcome.ok) {
                       const auto later = changes_of_the_primary(config_, said);
                       if (!later.empty())
                         told.text += fmt::format("; muster upgrade is needed for {}", fmt::join(later, ", "));
                       config_ = std::move(said);
                     }
                     notify_service_manager("READY=1\nSTATUS=" + told.text.substr(0, told.text.find('\n')));
                     done(told);
                   });
}

void Primary::changed() {
  using State = SupervisorState;
  const State state = workers_->state();
  if (!replaced_ && (state == State::stopping || state == State::stopped || state == State::failed) &&
      !std::exchange(told_to_stop_, true)) {
    notify_service_manager("STOPPING=1");
  }
  if (was_ready_ || !workers_->complete()) return;
  was_ready_ = true;
  became_ready();
}

void Primary::became_ready() {
  const AppStatus now = status();
  const std::string where = now.listening.empty() ? "" : fmt::format(" on {}", fmt::join(now.listening, " "));
  const std::string text =
      fmt::format("{} {} ready{}", counted(now.workers_wanted, "worker"), now.workers_wanted == 1 ? "is" : "are", where);
  log_->say(text);
  notify_service_manager(fmt::format("READY=1\nMAINPID={}\nSTATUS={}", getpid(), text));
  tell_starter({{"ready", true}, {"text", text}, {"pid", getpid()}});
}

void Primary::tell_starter(const nlohmann::json& message) {
  if (predecessor_) {
    // Before the predecessor can be gone, which would be the end otherwise.
    if (message.contains("ready")) init::announce();
    return predecessor_->tell(message);
  }
  if (order_.line < 0) return;
  const std::string text = json_text(message) + "\n";
  send(order_.line, text.data(), text.size(), MSG_NOSIGNAL);
  close(std::exchange(order_.line, -1));
}

void Primary::take_over() {
  took_over_ = true;
  if (!predecessor_->is_finishing()) WorkerFiles::remove_folder(order_.predecessor_folder);
  lock_.note_folder(files_.folder());
  listen_to_commands();
  save(true);
}

void Primary::end(Successor::How how) { end(how == Successor::How::kill ? &Workers::kill : &Workers::terminate); }

void Primary::end(void (Workers::*how)()) {
  if (successor_ && !replaced_) {
    if (how == &Workers::kill) {
      successor_->end(Successor::How::kill, std::chrono::seconds(1));
    } else {
      successor_->end(Successor::How::terminate, config_.kill_timeout + std::chrono::seconds(1));
    }
    if (auto done = std::exchange(upgraded_, nullptr)) done(Workers::Outcome{false, "the app was stopped"});
  }
  // On a stop it goes on letting its workers finish.
  if (predecessor_ && how != &Workers::stop) {
    const bool kill = how == &Workers::kill;
    predecessor_->end(kill ? Successor::How::kill : Successor::How::terminate,
                      (kill ? std::chrono::milliseconds(0) : config_.kill_timeout) + std::chrono::seconds(1));
  }
  ((*workers_).*how)();
}

void Primary::stopped(const std::optional<std::string>& failed) {
  if (failed) {
    exit_code_ = was_ready_ ? exit_app_failed : exit_failure;
    std::string text = *failed;
    const AppStatus last = workers_->status();
    const auto words = std::find_if(last.obituaries.begin(), last.obituaries.end(),
                                    [](const Obituary& obituary) { return !obituary.last_words.empty(); });
    if (words != last.obituaries.end()) {
      text += "; its last words:";
      for (const std::string& line : words->last_words) text += "\n  " + line;
    } else if (!last.obituaries.empty() && !last.obituaries.front().detail.empty()) {
      text += ": " + last.obituaries.front().detail;
    }
    if (!workers_->is_plain() && workers_->config().interpreter.empty()) {
      text += "\n  (a program that is not linked with muster takes its sockets by --listen)";
    }
    if (!workers_->is_plain() && workers_->config().ready == ReadySign::automatic) {
      text += "\n  (one that listens on nothing is ready after a while with --ready delay)";
    }
    tell_starter({{"error", text}, {"code", exit_code_}});
    if (!order_.background) say_error(text);
  }
  stopped_ = true;
  finish();
}

void Primary::finish() {
  // Not before a primary that was to take over has ended, whose workers would go on.
  if (!stopped_ || (successor_ && !replaced_)) return;
  // Nor before one that did not come up, which has the ports too.
  if (!failed_successors_.empty()) {
    for (const auto& failed : failed_successors_) failed->kill();
    return;
  }
  // Nor before its predecessor, whose workers belong to the app too.
  if (predecessor_ && predecessor_->is_finishing()) return;
  if (!replaced_ && in_charge()) save(false);
  loop_.stop(exit_code_);
}

void Primary::save(bool running) {
  if (!folders_) return;
  const std::string log = config_.log_file.empty() && order_.background ? folders_->log(name_) : config_.log_file;
  try {
    save_state(*folders_, {.name = name_, .sources = order_.sources, .running = running, .log = log, .status = status()});
  } catch (const std::exception& error) {
    log_->say(error.what());
  }
}

AppStatus Primary::status() {
  AppStatus status = workers_->status();
  status.version = MUSTER_VERSION;
  status.pid = getpid();
  status.started_at = started_at_;
  status.uptime = status.at - started_at_;
  if (const auto use = os::process_use(getpid())) {
    status.memory = use->memory;
    // Over no less than half a second, however often somebody asks.
    if (status.at - cpu_seen_at_ >= 500) {
      if (cpu_seen_at_ > 0) {
        cpu_ = static_cast<double>(use->cpu_time - cpu_time_) * 100 / static_cast<double>(status.at - cpu_seen_at_);
      }
      cpu_time_ = use->cpu_time;
      cpu_seen_at_ = status.at;
    }
    status.cpu = cpu_;
  }
  return status;
}

void Primary::upgrade(Workers::Done done) {
  const auto refuse = [&](std::string why) {
    // A signal has nobody else to tell.
    log_->say("no other primary takes this one's place: " + why);
    done(Workers::Outcome{false, std::move(why)});
  };
  if (successor_) return refuse("another primary is starting to take this one's place already");
  if (!in_charge()) return refuse("this one has not taken its predecessor's place yet");
  if (workers_->state() != SupervisorState::running) {
    return refuse("cannot be replaced now: it is " + std::string(to_string(workers_->state())));
  }
  Order order{.sources = order_.sources,
              .name = name_,
              .workers = workers_->wanted(),
              .background = order_.background,
              .takes_over = true,
              .predecessor_folder = files_.folder(),
              .lock = lock_ ? lock_.descriptor() : -1};
  try {
    for (ListeningSocket& port : cluster_->kept_ports()) {
      order.sockets.push_back(std::move(port));
    }
    for (ListenSockets::Copy& copy : workers_->listen_sockets().copies()) {
      const auto [device, inode] = copy.file.identity();
      order.sockets.push_back({std::move(copy.name), std::move(copy.socket), copy.file.path(), device, inode});
    }
  } catch (const std::system_error& error) {
    return refuse(error.what());
  }
  const StartedProcess started = start_primary(program_, order, "");
  if (!started.error.empty()) return refuse(started.error);
  log_->say(fmt::format("{} starts as pid {}, to take this one's place", program_, started.pid));
  upgraded_ = std::move(done);
  Successor::Events events;
  events.ready = [this] { hand_over(); };
  events.failed = [this](const std::string& why) {
    const std::string text = "the new primary did not come up: " + why + "; this one goes on";
    log_->say(text);
    if (auto done = std::exchange(upgraded_, nullptr)) done(Workers::Outcome{false, text});
    // It is calling just now, and has still to reap.
    failed_successors_.push_back(std::move(successor_));
  };
  events.ended = [this, pid = started.pid] {
    std::erase_if(failed_successors_, [pid](const auto& failed) { return failed->pid() == pid; });
    if (successor_ && successor_->pid() == pid) successor_.reset();
    finish();
  };
  events.end = [this](Successor::How how) { end(how); };
  // It gives up by itself when its workers are not ready, after three tries; unless it is none of ours.
  successor_ = std::make_unique<Successor>(loop_, started.pid, started.line, config_.ready_timeout * 4, std::move(events));
}

void Primary::hand_over() {
  replaced_ = true;
  log_->say(fmt::format("pid {} is ready and has the ports; this one lets its workers finish", successor_->pid()));
  notify_service_manager(fmt::format("MAINPID={}", successor_->pid()));
  cluster_->leave_files();
  workers_->listen_sockets().leave_files();
  control_.reset();
  admin_.reset();
  // So that `kill` finds it, should it hang before it takes commands.
  lock_.hand_over(successor_->pid());
  successor_->give();
  if (auto done = std::exchange(upgraded_, nullptr)) {
    done(Workers::Outcome{true, fmt::format("pid {} has taken the place of pid {}", successor_->pid(), getpid())});
  }
  workers_->stop();
}

}  // namespace muster::cli
