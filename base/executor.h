// Where the tasks of strands run when these have no threads of their own: the simulation runs the
// strands of all its processes on one thread, by its own time.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/time/time.h"

namespace cluster {

// One per simulated process. A strand is known by its number.
class Executor {
 public:
  using Task = std::function<void()>;

  virtual ~Executor() = default;

  // A strand begins.
  virtual int64_t Begin() = 0;
  // As Strand's Post (no delay) and PostAfter.
  virtual void Post(int64_t strand, absl::Duration delay, Task task) = 0;
  // Runs it as a task of the strand before it returns.
  virtual void Call(int64_t strand, const Task& task) = 0;
  // Nothing of the strand runs after this.
  virtual void End(int64_t strand) = 0;
  virtual bool IsCurrent(int64_t strand) const = 0;
};

}  // namespace cluster
