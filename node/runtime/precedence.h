// Starts go first: whoever takes pods away waits between two steps while a pod is being started.
//
// Both need locks of the kernel that there is one of: RTNL, cgroup_mutex, namespace_sem. A lower
// priority of the thread would not do: a thread that holds such a lock and is not run holds up
// everyone who waits for it.
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

  // Returns when no start is under way, or after kPatience: starts that never cease do not keep
  // anything from going.
  void GiveWay();

  static constexpr absl::Duration kPatience = absl::Milliseconds(20);

 private:
  Mutex mutex_;
  CondVar quiet_;
  int starts_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace cluster::node
