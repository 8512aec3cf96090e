// SPDX-License-Identifier: MIT
#include <node_api.h>
#include <unistd.h>

#include <fcntl.h>

#include <exception>
#include <memory>
#include <utility>

#include <muster/error.h>
#include "engine.h"
#include "js.h"

// The functions that the JavaScript in node/lib calls. Each is checked there.
namespace muster::node {
namespace {

constexpr std::size_t max_arguments = 8;

struct Call {
  napi_env env;
  Engine& engine;
  napi_value arguments[max_arguments];
  napi_value operator[](std::size_t i) const { return arguments[i]; }
  core::WorkerId worker() const { return core::WorkerId{static_cast<std::uint32_t>(js::to_int(env, arguments[0]))}; }
};

void throw_error(napi_env env, const char* code, const char* text) { napi_throw_error(env, code, text); }

// No exception of ours passes through Node's frames.
template <napi_value (*body)(const Call&)>
napi_value entry(napi_env env, napi_callback_info info) {
  void* instance = nullptr;
  napi_get_instance_data(env, &instance);
  if (!instance) {
    throw_error(env, "ERR_INTERNAL_ASSERTION", "muster's engine is not started");
    return nullptr;
  }
  Call call{env, **static_cast<std::unique_ptr<Engine>*>(instance), {}};
  std::size_t count = max_arguments;
  napi_get_cb_info(env, info, &count, call.arguments, nullptr, nullptr);
  try {
    return call.engine.command([&] { return body(call); });
  } catch (const Exception& exception) {
    throw_error(env, error_name(exception.code()).c_str(), exception.what());
  } catch (const std::exception& exception) {
    throw_error(env, "ERR_INTERNAL_ASSERTION", exception.what());
  }
  return nullptr;
}

napi_ref reference(napi_env env, napi_value value) {
  napi_ref result = nullptr;
  napi_create_reference(env, value, 1, &result);
  return result;
}

// (exec, mayListen, emit, enqueue, choose)
napi_value start(napi_env env, napi_callback_info info) {
  napi_value arguments[max_arguments] = {};
  std::size_t count = max_arguments;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  uv_loop_s* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
    throw_error(env, "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", "muster needs the event loop of Node");
    return nullptr;
  }
  Engine::Callbacks callbacks{reference(env, arguments[2]), reference(env, arguments[3]), reference(env, arguments[4])};
  bool may_listen = true;
  napi_get_value_bool(env, arguments[1], &may_listen);
  auto engine = std::make_unique<std::unique_ptr<Engine>>(
      std::make_unique<Engine>(env, loop, callbacks, js::to_string(env, arguments[0]), may_listen));
  napi_set_instance_data(env, engine.get(), nullptr, nullptr);
  napi_add_env_cleanup_hook(
      env,
      [](void* data) {
        // The loop is still there to close what was open.
        delete static_cast<std::unique_ptr<Engine>*>(data);
      },
      engine.release());
  return nullptr;
}

Settings read_settings(napi_env env, napi_value object) {
  Settings settings;
  settings.exec = js::to_string(env, js::get(env, object, "exec"));
  settings.args = js::to_strings(env, js::get(env, object, "args"));
  settings.exec_path = js::to_string(env, js::get(env, object, "execPath"));
  settings.exec_argv = js::to_strings(env, js::get(env, object, "execArgv"));
  if (napi_value cwd = js::get(env, object, "cwd"); js::type_of(env, cwd) == napi_string)
    settings.cwd = js::to_string(env, cwd);
  settings.serialization =
      js::to_string(env, js::get(env, object, "serialization")) == "advanced" ? Serialization::advanced : Serialization::json;
  settings.uid = js::get_int(env, object, "uid");
  settings.gid = js::get_int(env, object, "gid");
  if (const auto port = js::get_int(env, object, "inspectPort")) settings.inspect_port = *port;
  settings.no_new_privileges = js::to_bool(env, js::get(env, object, "noNewPrivileges"));
  std::vector<ListenOptions>& may_listen = settings.may_listen.emplace();
  for (napi_value element : js::elements(env, js::get(env, object, "mayListen"))) {
    ListenOptions& options = may_listen.emplace_back();
    options.port = js::get_int(env, element, "port");
    options.fd = js::get_int(env, element, "fd");
    options.host = js::to_string(env, js::get(env, element, "host"));
    options.path = js::to_string(env, js::get(env, element, "path"));
  }
  Stdio& stdio = settings.stdio.emplace();
  for (napi_value element : js::elements(env, js::get(env, object, "stdio"))) {
    StdioEntry& entry = stdio.emplace_back();
    if (js::type_of(env, element) == napi_number) {
      entry = {StdioEntry::Kind::descriptor, js::to_int(env, element)};
      continue;
    }
    const std::string kind = js::to_string(env, element);
    entry.kind = kind == "pipe"     ? StdioEntry::Kind::pipe
                 : kind == "ipc"    ? StdioEntry::Kind::ipc
                 : kind == "ignore" ? StdioEntry::Kind::ignore
                                    : StdioEntry::Kind::inherit;
  }
  return settings;
}

// () -> how many sockets it accepts connections of
napi_value listeners(const Call& call) { return js::number(call.env, static_cast<double>(call.engine.listeners())); }

// () -> the number of the next worker
napi_value take_id(const Call& call) { return js::number(call.env, static_cast<std::uint32_t>(call.engine.take_id())); }

// (number, settings, environment)
napi_value fork(const Call& call) {
  Engine::Forked forked = call.engine.fork(call.worker(), read_settings(call.env, call[1]), js::to_strings(call.env, call[2]));
  std::vector<napi_value> args, pipes;
  for (const std::string& arg : forked.worker->spawn_args) args.push_back(js::string(call.env, arg));
  for (auto& [number, fd] : forked.pipes) {
    pipes.push_back(js::array(call.env, {js::number(call.env, number), js::number(call.env, fd.release())}));
  }
  return js::object(call.env, {{"pid", js::number(call.env, forked.worker->pid)},
                               {"spawnfile", js::string(call.env, forked.worker->spawn_file)},
                               {"spawnargs", js::array(call.env, args)},
                               {"pipes", js::array(call.env, pipes)},
                               {"error", js::number(call.env, forked.error)}});
}

// (id)
napi_value disconnect(const Call& call) {
  call.engine.disconnect(call.worker());
  return nullptr;
}

// (id) -> whether it was connected
napi_value disconnect_channel(const Call& call) { return js::boolean(call.env, call.engine.disconnect_channel(call.worker())); }

// (number)
napi_value set_policy(const Call& call) {
  call.engine.set_policy(static_cast<SchedulingPolicy>(js::to_int(call.env, call[0])));
  return nullptr;
}

// (id, bytes, number of the callback or 0, descriptor to be copied or -1) -> 'sent', 'backed_up', 'full', 'closed', or an errno
napi_value send(const Call& call) {
  uv::UserBytes message{{js::to_bytes(call.env, call[1])}};
  const auto number = static_cast<std::uint64_t>(js::to_double(call.env, call[2]));
  if (const int fd = js::to_int(call.env, call[3]); fd >= 0) {
    OwnedFd copy(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!copy) return js::number(call.env, errno);
    message.handle = uv::UserHandle{{}, std::move(copy)};
  }
  const auto result =
      call.engine.send(call.worker(), std::move(message), number ? std::optional(core::SendId{number}) : std::nullopt);
  switch (result) {
    case core::Channel::SendResult::sent: return js::string(call.env, "sent");
    case core::Channel::SendResult::backed_up: return js::string(call.env, "backed_up");
    case core::Channel::SendResult::full: return js::string(call.env, "full");
    case core::Channel::SendResult::closed: break;
  }
  return js::string(call.env, "closed");
}

// (id, command, key, count)
napi_value send_sockets(const Call& call) {
  using Kind = core::wire::SocketListMessage::Kind;
  const std::string command = js::to_string(call.env, call[1]);
  const Kind kind = command == "NODE_SOCKET_GET_COUNT"      ? Kind::get_count
                    : command == "NODE_SOCKET_NOTIFY_CLOSE" ? Kind::notify_close
                    : command == "NODE_SOCKET_COUNT"        ? Kind::count
                                                            : Kind::all_closed;
  call.engine.send(call.worker(),
                   {kind, js::to_string(call.env, call[2]), static_cast<std::size_t>(js::to_double(call.env, call[3]))});
  return nullptr;
}

// (id, signal) -> whether the process was there
napi_value kill(const Call& call) {
  return js::boolean(call.env, call.engine.kill(call.worker(), Signal(js::to_int(call.env, call[1]))));
}

// (id, whether)
napi_value ref_channel(const Call& call) {
  call.engine.ref_channel(call.worker(), js::to_bool(call.env, call[1]));
  return nullptr;
}

// (id, whether)
napi_value ref_process(const Call& call) {
  call.engine.ref_process(call.worker(), js::to_bool(call.env, call[1]));
  return nullptr;
}

// (id) -> undefined where it is not known
napi_value exited_after_disconnect(const Call& call) {
  const core::WorkerRecord* record = call.engine.find(call.worker());
  if (!record || !record->exited_after_disconnect) return js::undefined(call.env);
  return js::boolean(call.env, *record->exited_after_disconnect);
}

std::uint64_t milliseconds(const Call& call, std::size_t argument) {
  return static_cast<std::uint64_t>(js::to_double(call.env, call[argument]));
}

// What goes on is a plan, by its number: a reload, or a supervisor.
Plan* plan_of(const Call& call) { return call.engine.find_plan(js::to_int(call.env, call[0])); }
core::Supervisor* supervisor_of(const Call& call) {
  Plan* plan = plan_of(call);
  return plan ? std::get_if<core::Supervisor>(plan) : nullptr;
}
core::RunId run_of(const Call& call) { return core::RunId{static_cast<std::uint32_t>(js::to_int(call.env, call[1]))}; }

napi_value result_of(napi_env env, const RolloutResult& result) {
  return js::object(env, {{"replaced", js::number(env, result.replaced)},
                          {"wanted", js::number(env, result.wanted)},
                          {"took", js::number(env, static_cast<double>(result.took.count()))},
                          {"why", js::string(env, result.why)}});
}

// An effect as JavaScript gets it: [name, run, ...].
struct DescribeEffect {
  napi_env env;

  napi_value text(std::string_view value) const { return js::string(env, value); }
  napi_value run(core::RunId id) const { return js::number(env, static_cast<std::uint32_t>(id)); }
  napi_value count(std::uint64_t value) const { return js::number(env, static_cast<double>(value)); }

  napi_value operator()(const core::Runs::Fork& e) const {
    return js::array(env, {text("fork"), run(e.run), count(e.seat), count(e.generation)});
  }
  napi_value operator()(const core::Runs::Drain& e) const { return js::array(env, {text("drain"), run(e.run)}); }
  napi_value operator()(const core::Runs::Terminate& e) const { return js::array(env, {text("terminate"), run(e.run)}); }
  napi_value operator()(const core::Runs::Kill& e) const { return js::array(env, {text("kill"), run(e.run)}); }
  napi_value operator()(const core::Reload::Ended& e) const {
    return js::array(env, {text("reloaded"), js::null(env), result_of(env, e.result)});
  }
  napi_value operator()(const core::Supervisor::ReloadEnded& e) const {
    return js::array(env, {text("reloaded"), js::null(env), result_of(env, e.result)});
  }
  napi_value operator()(const core::Supervisor::Hung& e) const {
    return js::array(env, {text("hang"), run(e.run), count(e.silence)});
  }
  napi_value operator()(const core::Supervisor::Died& e) const {
    const auto end = js::object(env, {{"seat", count(e.seat)},
                                      {"cause", text(to_string(e.cause))},
                                      {"wasReady", js::boolean(env, e.was_ready)},
                                      {"lived", count(e.lived)},
                                      {"successor", e.successor ? run(*e.successor) : js::null(env)},
                                      {"nextTry", e.next_try ? count(*e.next_try) : js::null(env)}});
    return js::array(env, {text("end"), run(e.run), end});
  }
  napi_value operator()(const core::Supervisor::Failed& e) const {
    return js::array(env, {text("fail"), js::null(env), text(e.why)});
  }
  napi_value operator()(const core::Supervisor::Stopped&) const { return js::array(env, {text("stop"), js::null(env)}); }
};

// (workers, parallel, ready timeout, drain timeout, now) -> plan, in which the workers there are have the runs from 1 on
napi_value begin_reload(const Call& call) {
  core::Reload::Options options;
  options.parallel = static_cast<unsigned>(js::to_int(call.env, call[1]));
  options.timeouts.ready = milliseconds(call, 2);
  options.timeouts.drain = milliseconds(call, 3);
  return js::number(call.env, call.engine.add_plan(core::Reload(static_cast<unsigned>(js::to_int(call.env, call[0])), options,
                                                                milliseconds(call, 4))));
}

// (options, now) -> plan
napi_value begin_supervision(const Call& call) {
  const auto count = [&](const char* name) {
    return static_cast<std::uint64_t>(js::to_double(call.env, js::get(call.env, call[0], name)));
  };
  core::Supervisor::Options options;
  options.workers = static_cast<unsigned>(count("workers"));
  options.parallel = static_cast<unsigned>(count("parallel"));
  options.starting = static_cast<unsigned>(count("maxStarting"));
  options.ready_timeout = count("readyTimeout");
  options.backoff = count("backoff");
  options.max_backoff = count("maxBackoff");
  options.max_restarts = static_cast<unsigned>(count("maxRestarts"));
  options.restart_window = count("restartWindow");
  options.max_age = count("maxAge");
  options.drain_timeout = count("exitTimeout");
  core::Supervisor supervisor(options, count("seed"));
  supervisor.start(milliseconds(call, 1));
  return js::number(call.env, call.engine.add_plan(std::move(supervisor)));
}

// (plan, run, now)
napi_value plan_ready(const Call& call) {
  if (Plan* plan = plan_of(call)) std::visit([&](auto& p) { p.handle_ready(run_of(call), milliseconds(call, 2)); }, *plan);
  return nullptr;
}

// (plan, run, code or null, signal or null, whether it was started, now)
napi_value plan_exited(const Call& call) {
  const bool killed = js::type_of(call.env, call[3]) == napi_number;
  const ExitStatus status =
      killed ? ExitStatus::killed(Signal(js::to_int(call.env, call[3]))) : ExitStatus::exited(js::to_int(call.env, call[2]));
  const bool started = js::to_bool(call.env, call[4]);
  if (Plan* plan = plan_of(call)) {
    std::visit([&](auto& p) { p.handle_exited(run_of(call), status, milliseconds(call, 5), started); }, *plan);
  }
  return nullptr;
}

// (plan, now)
napi_value plan_time(const Call& call) {
  if (Plan* plan = plan_of(call)) std::visit([&](auto& p) { p.handle_time(milliseconds(call, 1)); }, *plan);
  return nullptr;
}

// (plan) -> an effect, or null when there is none
napi_value take_effect(const Call& call) {
  napi_value result = js::null(call.env);
  if (Plan* plan = plan_of(call)) {
    std::visit(
        [&](auto& p) {
          if (const auto effect = p.poll_effect()) result = std::visit(DescribeEffect{call.env}, *effect);
        },
        *plan);
  }
  return result;
}

// (plan) -> when it wants to hear the time, or null
napi_value next_deadline(const Call& call) {
  Plan* plan = plan_of(call);
  const auto at = plan ? std::visit([](const auto& p) { return p.next_deadline(); }, *plan) : std::nullopt;
  return at ? js::number(call.env, static_cast<double>(*at)) : js::null(call.env);
}

// (plan): a reload that has ended, and whose old workers have left
napi_value is_over(const Call& call) {
  Plan* plan = plan_of(call);
  const core::Reload* reload = plan ? std::get_if<core::Reload>(plan) : nullptr;
  return js::boolean(call.env, !reload || reload->over());
}

// (plan)
napi_value forget_plan(const Call& call) {
  call.engine.forget_plan(js::to_int(call.env, call[0]));
  return nullptr;
}

// (plan, what, how many or which run, now) -> why not, or ""
napi_value supervise(const Call& call) {
  core::Supervisor* supervisor = supervisor_of(call);
  if (!supervisor) return js::string(call.env, "it is stopped");
  const std::string what = js::to_string(call.env, call[1]);
  const std::uint64_t now = milliseconds(call, 3);
  std::optional<std::string> why_not;
  if (what == "reload") why_not = supervisor->reload(now);
  if (what == "restart") why_not = supervisor->restart(now);
  if (what == "scale") why_not = supervisor->scale(static_cast<unsigned>(js::to_int(call.env, call[2])), now);
  if (what == "replace") {
    supervisor->replace(core::RunId{static_cast<std::uint32_t>(js::to_int(call.env, call[2]))}, EndCause::hung, now);
  }
  if (what == "stop") supervisor->stop(now);
  return js::string(call.env, why_not.value_or(""));
}

// (plan, now) -> { state, health, wanted, ready, restarts }
napi_value supervision(const Call& call) {
  const core::Supervisor* supervisor = supervisor_of(call);
  if (!supervisor) return js::null(call.env);
  return js::object(call.env, {{"state", js::string(call.env, to_string(supervisor->state()))},
                               {"health", js::string(call.env, to_string(supervisor->health(milliseconds(call, 1))))},
                               {"wanted", js::number(call.env, supervisor->workers())},
                               {"ready", js::number(call.env, supervisor->ready())},
                               {"restarts", js::number(call.env, supervisor->restarts())}});
}

// (descriptor)
napi_value close_descriptor(const Call& call) {
  close(js::to_int(call.env, call[0]));
  return nullptr;
}

template <napi_value (*body)(const Call&)>
constexpr napi_property_descriptor function(const char* name) {
  return {name, nullptr, entry<body>, nullptr, nullptr, nullptr, napi_enumerable, nullptr};
}

}  // namespace
}  // namespace muster::node

NAPI_MODULE_INIT() {
  using namespace muster::node;
  const napi_property_descriptor functions[] = {
      {"start", nullptr, start, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      function<listeners>("listeners"),
      function<take_id>("takeId"),
      function<fork>("fork"),
      function<disconnect>("disconnect"),
      function<disconnect_channel>("disconnectChannel"),
      function<set_policy>("setPolicy"),
      function<send>("send"),
      function<send_sockets>("sendSockets"),
      function<kill>("kill"),
      function<ref_channel>("refChannel"),
      function<ref_process>("refProcess"),
      function<exited_after_disconnect>("exitedAfterDisconnect"),
      function<begin_reload>("beginReload"),
      function<begin_supervision>("beginSupervision"),
      function<plan_ready>("planReady"),
      function<plan_exited>("planExited"),
      function<plan_time>("planTime"),
      function<take_effect>("takeEffect"),
      function<next_deadline>("nextDeadline"),
      function<is_over>("isOver"),
      function<forget_plan>("forgetPlan"),
      function<supervise>("supervise"),
      function<supervision>("supervision"),
      function<close_descriptor>("closeDescriptor"),
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}
