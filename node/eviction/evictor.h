// Watches how much the machine has left, and ends pods before it has nothing.
//
// It looks every ten seconds, and at once when the kernel says that work waits for memory. One look
// ends at most one pod, and none while the last one is still on its way out: what it frees may be
// enough.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "base/strand.h"
#include "node/eviction/pressure.h"
#include "node/eviction/ranking.h"
#include "node/eviction/thresholds.h"

namespace cluster::node {

struct EvictorOptions {
  std::vector<Threshold> thresholds = DefaultThresholds();  // hard and soft ones
  // What a pod that goes for a soft threshold gets at most to end in peace; for a hard one it is
  // killed at once.
  absl::Duration max_grace = absl::ZeroDuration();
  absl::Duration period = absl::Seconds(10);
  absl::Duration hold = absl::Minutes(5);  // of a pressure condition after the last shortage
  // How long one that is on its way out keeps others from being chosen.
  absl::Duration leave_time = absl::Seconds(30);
};

// A pod that uses more of the node's disk than its own limits allow.
struct Overrun {
  std::string uid;
  std::string message;
};

// Called on the evictor's threads: `overruns`, which may take long, on one, all else on another;
// `evict` on both.
struct EvictorParts {
  const Clock* clock = nullptr;
  std::function<absl::StatusOr<NodeNumbers>()> numbers;
  // Pods that run and what they use of what is short, read now.
  std::function<std::vector<Candidate>(Shortage shortage)> candidates;
  // True while something of it runs.
  std::function<bool(const std::string& uid)> is_running;
  // Pods beyond their own limits of disk; may be empty.
  std::function<std::vector<Overrun>()> overruns;
  // `grace` is what the pod gets at most; zero: it is killed at once.
  std::function<void(const std::string& uid, const std::string& message, absl::Duration grace)>
      evict;
  // The conditions changed; may be empty.
  std::function<void()> changed;
};

// Thread-safe.
class Evictor {
 public:
  Evictor(EvictorOptions options, EvictorParts parts);
  ~Evictor();

  void Start();
  // Looks soon; does not block.
  void Hint();
  void Stop();

  // MemoryPressure, DiskPressure, PIDPressure as of the last look.
  std::vector<v1::Condition> Conditions() const;

  // One look, on the caller's thread, while it is not started.
  void Look();

 private:
  void LookAgain();
  void LookAtNode();
  void EndOverruns();
  bool IsWaiting(const Breach& breach);
  void EvictOne(const Breach& breach);

  const EvictorOptions options_;
  const EvictorParts parts_;

  // Of the thread that looks.
  CrossedThresholds crossed_;
  PressureConditions pressure_;
  std::string leaving_;  // uid
  absl::Duration leaving_since_;
  bool leaves_in_peace_ = false;
  absl::Duration looked_at_ = -absl::InfiniteDuration();
  bool complained_ = false;

  std::atomic<bool> is_counting_{false};

  mutable Mutex mutex_;
  std::vector<v1::Condition> conditions_ ABSL_GUARDED_BY(mutex_);

  Strand strand_{"node-eviction"};  // these last: their threads use everything above
  // Files are counted apart, so that they hold up nothing that is urgent.
  Strand counting_{"node-disk-use"};
};

}  // namespace cluster::node
