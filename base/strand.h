// One thread that runs what is posted to it, one task after another: state that only its tasks
// touch needs no lock. On an executor it has no thread, and runs when that says.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"

#include "base/executor.h"
#include "base/mutex.h"

namespace cluster {

// Every method may be called from any thread, Stop and the destructor not from a task.
class Strand {
 public:
  using Task = std::function<void()>;

  // `name`: at most 15 bytes, shown by top(1) and debuggers; see pthread_setname_np(3). `executor`
  // outlives the strand; none: a thread of its own.
  explicit Strand(std::string name, Executor* executor = nullptr);
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;
  ~Strand();

  // In the order of posting. Dropped after Stop.
  void Post(Task task);
  // Not before `delay` has passed; among due ones in the order of time, before posted ones.
  void PostAfter(absl::Duration delay, Task task);
  // Runs the task in its turn and returns when it has run. Not from a task, nor after Stop.
  void Call(const Task& task);
  // Runs what is posted already (also what that posts), forgets what is not due yet, ends the
  // thread. An executor forgets what is posted, too: a simulated process ends by being killed.
  void Stop();
  // True inside of a task of this strand.
  bool IsCurrent() const;

 private:
  void Run();
  // Moves what is to be run now into `tasks`; false when stopped and empty.
  bool Take(std::vector<Task>* tasks);

  const std::string name_;
  Executor* const executor_;
  const int64_t number_;  // of the executor's
  Mutex mutex_;
  CondVar changed_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  std::multimap<absl::Duration, Task> delayed_ ABSL_GUARDED_BY(mutex_);  // by monotonic time
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cluster
