// Carries out checks, any number at a time, on one thread that sleeps in epoll_wait(7) until
// something happens or is due; and a few more threads for what cannot be done without blocking.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "base/strand.h"
#include "base/unique_handle.h"
#include "node/probe/check.h"

namespace cluster::node {

// Checks that ask the resolver at one time; others wait for their turn while their time runs.
inline constexpr int kMostLookups = 128;

// Thread-safe.
class CheckLoop {
 public:
  // Called by the loop's thread with the time: does what is due by then and returns when to call
  // again.
  using Tick = std::function<absl::Duration(absl::Duration now)>;
  // Called once for every check, by the loop's thread, unless the loop is stopped before.
  using Done = std::function<void(ProbeOutcome)>;

  // `clock` outlives the loop. `name_servers` as in CheckContext. Errors: what epoll_create and
  // eventfd say.
  static absl::StatusOr<std::unique_ptr<CheckLoop>> Start(const Clock* clock, Tick tick,
                                                          std::string name_servers = "");
  ~CheckLoop();

  // Begins; a check that takes longer than `timeout` is destroyed and counts as failed. `key`
  // spreads what blocks over the threads: what is stuck holds up only what has the same place.
  void Run(std::unique_ptr<Check> check, const std::string& key, absl::Duration timeout, Done done);
  // Ask for the tick again: something may be due earlier.
  void Wake();
  // Ends every check and the threads.
  void Stop();

 private:
  struct Running {
    std::unique_ptr<Check> check;
    Done done;
    size_t strand = 0;
    absl::Duration timeout;
    absl::Duration deadline = absl::InfiniteDuration();
    absl::Duration alarm = absl::InfiniteDuration();  // see CheckContext::StepAfter
  };
  class Context;
  class Turn;

  CheckLoop(const Clock* clock, Tick tick, std::string name_servers);
  void Loop();
  void TakeNew() ABSL_LOCKS_EXCLUDED(mutex_);
  void Step(uint64_t id);
  void Finish(uint64_t id, ProbeOutcome outcome);
  void EndOverdue(absl::Duration now);
  void RingAlarms(absl::Duration now);
  void SetAlarm(uint64_t id, absl::Duration at);
  void EndLookup();
  void Knock();

  const Clock* const clock_;
  const Tick tick_;
  const std::string name_servers_;
  UniqueFd epoll_;
  UniqueFd knock_;  // eventfd: new checks, wakes, stop
  std::vector<std::unique_ptr<Strand>> strands_;

  // Of the loop's thread.
  std::map<uint64_t, Running> running_;
  std::set<std::pair<absl::Duration, uint64_t>> deadlines_;
  std::set<std::pair<absl::Duration, uint64_t>> alarms_;
  int lookups_ = 0;
  std::deque<uint64_t> lookups_waiting_;
  uint64_t next_id_ = 1;

  Mutex mutex_;
  std::vector<Running> new_ ABSL_GUARDED_BY(mutex_);
  std::set<uint64_t> woken_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Shared with wakers, which may outlive the loop.
  struct Bell;
  std::shared_ptr<Bell> bell_;
  std::thread thread_;
};

}  // namespace cluster::node
