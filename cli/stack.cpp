#include "stack.h"

#include <uv.h>

#include <array>
#include <cstdio>
#include <memory>
#include <utility>

#include <fmt/core.h>

namespace muster::cli {
namespace {

struct Work {
  uv_work_t request{};
  int pid = 0;
  std::string stack = {};
  Function<void(std::string)> done;
};

constexpr std::size_t most = 8192;

}  // namespace

void take_stack(Loop& loop, int pid, Function<void(std::string)> done) {
  auto work = std::make_unique<Work>();
  work->pid = pid;
  work->done = std::move(done);
  work->request.data = work.get();
  const int error = uv_queue_work(
      loop.uv_loop(), &work->request,
      [](uv_work_t* request) {
        auto& work = *static_cast<Work*>(request->data);
        const std::string command = fmt::format(
            "if command -v eu-stack >/dev/null; then timeout 5 eu-stack -1 -n 32 -p {0}; "
            "elif command -v gdb >/dev/null; then timeout 8 gdb -p {0} -batch -ex 'bt 32'; fi </dev/null 2>/dev/null",
            work.pid);
        std::FILE* pipe = popen(command.c_str(), "re");
        if (!pipe) return;
        std::array<char, 1024> line{};
        while (std::fgets(line.data(), line.size(), pipe)) {
          if (line[0] == '#' && work.stack.size() < most) work.stack += line.data();
        }
        pclose(pipe);
      },
      [](uv_work_t* request, int) {
        const std::unique_ptr<Work> work(static_cast<Work*>(request->data));
        work->done(std::move(work->stack));
      });
  if (error == 0) {
    // libuv has it until it is done.
    static_cast<void>(work.release());
  } else {
    work->done({});
  }
}

}  // namespace muster::cli
