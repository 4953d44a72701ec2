// Whose turn it is to begin a session: when very many nodes come at once (a controller that starts
// anew), they are let in at a bounded rate and few at a time, so that the beats of those that are
// in are never behind. Plain state over monotonic times.
#pragma once

#include <cstddef>
#include <deque>

#include "absl/time/time.h"

#include "controller/session/agent_link.h"

namespace cluster::controller {

// Not thread-safe. First come, first served.
class AdmissionQueue {
 public:
  // `per_second` on average, `burst` of them at once after a quiet time; at most `abreast` that
  // were let in and are not through.
  AdmissionQueue(int per_second, int burst, int abreast);

  void Add(AgentLink* link) { waiting_.push_back(link); }
  // Wherever it is.
  void Remove(AgentLink* link);
  // The next one whose turn has come; nullptr: none now. It counts as not through until Through.
  AgentLink* Take(absl::Duration now);
  void Through() { --open_; }
  // When Take has one, as far as time decides it; infinite when nobody waits or all places abreast
  // are taken.
  absl::Duration next() const;
  size_t waiting() const { return waiting_.size(); }

 private:
  const absl::Duration interval_;
  const absl::Duration credit_;  // how far behind the clock the next turn may lie
  const int abreast_;
  std::deque<AgentLink*> waiting_;
  int open_ = 0;
  absl::Duration turn_ = -absl::InfiniteDuration();  // of the next one
};

}  // namespace cluster::controller
