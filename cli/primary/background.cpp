#include "primary/background.h"

#include <uv.h>

#include <memory>
#include <utility>

namespace muster::cli {
namespace {

struct Work {
  uv_work_t request{};
  Function<void()> work;
  Function<void()> done;
};

}  // namespace

void run_in_background(Loop& loop, Function<void()> work, Function<void()> done) {
  // libuv has it until it is done.
  auto* queued = new Work{{}, std::move(work), std::move(done)};
  queued->request.data = queued;
  // It fails only without a function.
  uv_queue_work(
      loop.uv_loop(), &queued->request, [](uv_work_t* request) { static_cast<Work*>(request->data)->work(); },
      [](uv_work_t* request, int) {
        const std::unique_ptr<Work> ended(static_cast<Work*>(request->data));
        ended->done();
      });
}

}  // namespace muster::cli
