// One thread that runs what is posted to it, one task after another: state that only its tasks
// touch needs no lock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"

#include "base/mutex.h"

namespace cluster {

// Every method may be called from any thread, Stop and the destructor not from a task.
class Strand {
 public:
  using Task = std::function<void()>;

  // `name`: at most 15 bytes, shown by top(1) and debuggers; see pthread_setname_np(3).
  explicit Strand(std::string name);
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;
  ~Strand();

  // In the order of posting. Dropped after Stop.
  void Post(Task task);
  // Not before `delay` has passed; among due ones in the order of time, before posted ones.
  void PostAfter(absl::Duration delay, Task task);
  // Runs what is posted already (also what that posts), forgets what is not due yet, ends the
  // thread.
  void Stop();
  // True inside of a task of this strand.
  bool IsCurrent() const;

 private:
  void Run();
  // Moves what is to be run now into `tasks`; false when stopped and empty.
  bool Take(std::vector<Task>* tasks);

  const std::string name_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  std::multimap<absl::Duration, Task> delayed_ ABSL_GUARDED_BY(mutex_);  // by monotonic time
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cluster
