// Somebody who asks a service again and again, each time over a new connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <thread>

#include "absl/time/time.h"

#include "base/mutex.h"

namespace cluster::e2e {

// What came of the requests so far.
struct RequestTally {
  int64_t answered = 0;
  int64_t lost = 0;
  std::string first_loss;               // why, and when it was asked
  std::map<std::string, int64_t> said;  // the answers' bodies
};

// Runs in the network namespace of a process: its packets are that pod's.
class Requests {
 public:
  // GET / of that address, `per_second` at an even pace however long the answers take.
  Requests(int64_t pid_inside, std::string address, uint16_t port, int per_second);
  ~Requests() { Stop(); }

  RequestTally tally();
  // Once this many more have been answered or lost, or it has failed to enter; the tally then.
  RequestTally Await(int64_t more);
  // What is under way is waited for.
  RequestTally Stop();

 private:
  void Run(int64_t pid_inside);

  const std::string address_;
  const uint16_t port_;
  const absl::Duration period_;
  std::atomic<bool> stop_ = false;
  Mutex mutex_;
  CondVar changed_;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;
  RequestTally tally_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace cluster::e2e
