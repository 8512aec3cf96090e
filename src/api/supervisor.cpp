// SPDX-License-Identifier: MIT
#include <muster/supervisor.h>

#include <utility>

#include "api/access.h"
#include "api/supervision.h"

namespace muster {
namespace {

const std::shared_ptr<detail::ClusterState> primary_of(const Cluster& cluster) {
  if (cluster.is_primary()) return detail::Access::state(cluster).shared_from_this();
  throw Exception(Errc::invalid_arg_value, "A Supervisor can be made in the primary only: this is a worker");
}

}  // namespace

Supervisor::Supervisor(Cluster& cluster, SupervisorOptions options, SupervisorHooks hooks)
    : state_(std::make_shared<detail::Supervision>(primary_of(cluster), options, std::move(hooks))) {
  detail::Access::state(cluster).loop->add(std::weak_ptr<detail::Reusable>(state_));
}
Supervisor::~Supervisor() { state_->abandon(); }

void Supervisor::start() { state_->start(); }
void Supervisor::set_options(const SupervisorOptions& options) { state_->set_options(options); }
void Supervisor::reload(Function<void(const RolloutResult&)> done) { state_->reload(std::move(done)); }
void Supervisor::restart(Function<void(const std::string&)> done) { state_->restart(std::move(done)); }
void Supervisor::scale(unsigned workers, Function<void(const std::string&)> done) { state_->scale(workers, std::move(done)); }
void Supervisor::stop() { state_->stop(); }
void Supervisor::terminate() { state_->terminate(); }
void Supervisor::kill() { state_->kill(); }
void Supervisor::replace(const Worker& worker, EndCause cause) { state_->replace(worker, cause); }
void Supervisor::put_down(const Worker& worker, EndCause cause) { state_->put_down(worker, cause); }
void Supervisor::set_ready(const Worker& worker) { state_->set_ready(worker); }
void Supervisor::hear(const Worker& worker) { state_->hear(worker); }
void Supervisor::excuse_silence() { state_->excuse_silence(); }

SupervisorState Supervisor::state() const { return state_->core().state(); }
Health Supervisor::health() const { return state_->health(); }
std::string Supervisor::why_not_reload() const { return state_->core().why_not_reload().value_or(""); }
std::string Supervisor::why_not_scale() const { return state_->core().why_not_scale().value_or(""); }
unsigned Supervisor::wanted() const { return state_->core().workers(); }
unsigned Supervisor::ready() const { return state_->core().ready(); }
unsigned Supervisor::restarts() const { return state_->core().restarts(); }
std::vector<Seat> Supervisor::seats() const { return state_->seats(); }
std::vector<SupervisedWorker> Supervisor::workers() const { return state_->workers(); }

Subscription Supervisor::on_ready(Listener<Worker> listener) { return state_->ready.on(std::move(listener)); }
Subscription Supervisor::on_end(Listener<const WorkerEnd&> listener) { return state_->ended.on(std::move(listener)); }
Subscription Supervisor::on_hang(Listener<Worker, std::chrono::milliseconds> listener) {
  return state_->hung.on(std::move(listener));
}
Subscription Supervisor::on_reload(Listener<const RolloutResult&> listener) { return state_->reloaded.on(std::move(listener)); }
Subscription Supervisor::on_fail(Listener<const std::string&> listener) { return state_->failed.on(std::move(listener)); }
Subscription Supervisor::on_stop(Listener<> listener) { return state_->stopped.on(std::move(listener)); }
Subscription Supervisor::on_change(Listener<> listener) { return state_->changed.on(std::move(listener)); }

}  // namespace muster
