// SPDX-License-Identifier: MIT
#include "api/reloading.h"

#include <algorithm>
#include <utility>

#include "api/drain.h"
#include "api/primary_side.h"

namespace muster::detail {
namespace {

using std::chrono::milliseconds;

core::Reload::Options core_options(const ReloadOptions& options) {
  const auto count = [](milliseconds time) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.count())); };
  return {
      options.parallel,
      {options.ready_timeout ? count(*options.ready_timeout) : 0, count(options.drain_timeout), count(options.kill_timeout)}};
}

}  // namespace

Reloading::Reloading(PrimarySide& cluster, std::vector<Old> old, const ReloadOptions& options, Done done)
    : cluster_(&cluster),
      loop_(cluster.loop),
      old_(std::move(old)),
      options_(options),
      done_(std::move(done)),
      core_(static_cast<unsigned>(old_.size()), core_options(options), uv::Loop::now()),
      deadline_(loop_->loop, [this] {
        core_.handle_time(uv::Loop::now());
        pump();
      }) {}

void Reloading::start() {
  for (unsigned seat = 0; seat < old_.size(); ++seat) watch(core_.old_run(seat), old_[seat].worker);
  pump();
}

void Reloading::abandon() {
  cluster_ = nullptr;
  deadline_.stop();
  for (auto& [run, entry] : entries_) entry.subscriptions.clear();
}

std::optional<Worker> Reloading::worker_of(RunId run) const {
  const auto found = entries_.find(run);
  return found == entries_.end() ? std::nullopt : found->second.worker;
}

void Reloading::watch(RunId run, const Worker& worker) {
  Entry& entry = entries_[run];
  entry.worker = worker;
  entry.subscriptions.emplace_back(worker.on_exit([this, run](ExitStatus status) { end(run, status, true); }));
  if (worker.process().pid() != 0) return;
  // It could not be started, and no exit follows.
  entry.subscriptions.emplace_back(worker.on_error([this, run](const Error& error) {
    failure_ = error.message;
    end(run, ExitStatus::exited(127), false);
  }));
}

void Reloading::end(RunId run, ExitStatus status, bool started) {
  if (!cluster_) return;
  core_.handle_exited(run, status, uv::Loop::now(), started);
  pump();
}

void Reloading::pump() {
  // What is done may come back here; the outermost call goes on until there is nothing left.
  if (std::exchange(pumping_, true)) return;
  const auto keep = shared_from_this();
  // As the program's code: what it sets off is told when it has returned.
  loop_->loop.call([this] {
    while (cluster_) {
      const auto effect = core_.poll_effect();
      if (!effect) break;
      std::visit([this](const auto& e) { perform(e); }, *effect);
    }
  });
  pumping_ = false;
  if (!cluster_) return;
  deadline_.stop();
  if (core_.over()) return cluster_->forget(*this);
  if (const auto at = core_.next_deadline()) {
    const std::uint64_t now = uv::Loop::now();
    deadline_.start(milliseconds(*at > now ? *at - now : 0));
  }
}

void Reloading::perform(const core::Runs::Fork& fork) {
  const RunId run = fork.run;
  const Old& model = old_[fork.seat];
  try {
    const Worker worker = cluster_->fork_worker(model.env);
    if (!cluster_) return;
    watch(run, worker);
    const auto ready = [this, run] {
      if (!cluster_) return;
      core_.handle_ready(run, uv::Loop::now());
      pump();
    };
    auto& subscriptions = entries_[run].subscriptions;
    if (model.listens) {
      subscriptions.emplace_back(worker.on_listening([ready](const Address&) { ready(); }));
    } else {
      subscriptions.emplace_back(worker.on_online(ready));
    }
  } catch (const std::exception& error) {
    fail_to_start(run, error.what());
  } catch (...) {
    fail_to_start(run, "the fork threw what is no std::exception");
  }
}

void Reloading::fail_to_start(RunId run, std::string why) {
  failure_ = std::move(why);
  loop_->loop.next_tick([this, keep = shared_from_this(), run] { end(run, ExitStatus::exited(127), false); });
}

void Reloading::perform(const core::Runs::Drain& drain) {
  if (const auto worker = worker_of(drain.run)) drain_worker(*worker, options_.drain_timeout);
}

void Reloading::perform(const core::Runs::Terminate& terminate) {
  if (const auto worker = worker_of(terminate.run)) worker->kill(Signal::term);
}

void Reloading::perform(const core::Runs::Kill& kill) {
  if (const auto worker = worker_of(kill.run)) worker->kill(Signal::kill);
}

void Reloading::perform(const core::Reload::Ended& ended) {
  ended_ = true;
  if (!done_) return;
  RolloutResult result = ended.result;
  if (!result.ok() && !failure_.empty()) result.why += ": " + failure_;
  loop_->loop.next_tick([done = std::exchange(done_, nullptr), result = std::move(result)]() mutable { done(result); });
}

}  // namespace muster::detail
