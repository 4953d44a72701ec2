// Starts go first: whoever takes pods away waits between two steps while a pod is being started,
// and takes them away one by one while pods come.
//
// Both need locks of the kernel that there is one of: RTNL, cgroup_mutex, namespace_sem. A lower
// priority of the thread would not do: a thread that holds such a lock and is not run holds up
// everyone who waits for it. And a pod that is gone keeps the kernel's own threads busy for
// milliseconds (its network namespace, its cgroups in every hierarchy), on all cores and with the
// priority that everybody has: where many go at once, a start waits for them at each of its steps.
#pragma once

#include "absl/time/time.h"

#include "base/mutex.h"

namespace cluster::node {

// Thread-safe.
class Precedence {
 public:
  // A start is under way as long as it lives.
  class Start {
   public:
    explicit Start(Precedence* of);
    ~Start();
    Start(const Start&) = delete;
    Start& operator=(const Start&) = delete;

   private:
    Precedence* const of_;
  };

  Precedence() : Precedence(DefaultPace()) {}
  explicit Precedence(absl::Duration pace) : pace_(pace) {}

  // Returns when no start is under way, or after kPatience: starts that never cease do not keep
  // anything from going.
  void GiveWay();

  // Once for each pod that is taken away: at once where nothing was started for kRecent, otherwise
  // one for each pod that came, and one more in every `pace`, so that what leaves never falls
  // behind what comes. False: nothing starts here now.
  bool AwaitTurn();
  // A pod has been started.
  void PodCame();

  // Leaves a good half of all cores to starts: a pod's end costs some 4 ms of processor time.
  static absl::Duration DefaultPace();

  static constexpr absl::Duration kPatience = absl::Milliseconds(20);
  static constexpr absl::Duration kRecent = absl::Milliseconds(100);
  // Turns that are kept for later; more would come to be used all at once.
  static constexpr int kTurnsKept = 4;

 private:
  const absl::Duration pace_;
  Mutex mutex_;
  CondVar changed_;
  int starts_ ABSL_GUARDED_BY(mutex_) = 0;
  int turns_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration last_start_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::Duration next_turn_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::node
