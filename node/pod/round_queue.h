// Which pod has its next round when: the rounds that wait, and those that run. Pods that leave do
// not hold up those that come: one of their rounds runs at any time, more of them only while
// nothing else waits, and never so many that a pod which comes finds no thread. No I/O.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace cluster::node {

// Not thread-safe. Times are monotonic.
class RoundQueue {
 public:
  // A round that runs for `stuck_after` or longer counts against `threads` no more.
  RoundQueue(int threads, absl::Duration stuck_after);

  // Behind the others of its kind. A uid is in here at most once, waiting or running.
  void Push(std::string uid, bool leaving);
  // Before the others of its kind.
  void PushFirst(std::string uid, bool leaving);
  // The next one, which runs from `now` until End; none: those that wait have to.
  std::optional<std::string> Take(absl::Duration now);
  void End(const std::string& uid) { running_.erase(uid); }

  bool HasNext(absl::Duration now) const { return NextIsLeaving(now).has_value(); }
  size_t waiting() const { return coming_.size() + leaving_.size(); }
  size_t running() const { return running_.size(); }
  int Stuck(absl::Duration now) const;

 private:
  struct Round {
    absl::Duration since;
    bool leaving = false;
  };

  bool IsStuck(const Round& round, absl::Duration now) const {
    return now - round.since >= stuck_after_;
  }
  std::optional<bool> NextIsLeaving(absl::Duration now) const;

  const int most_leaving_;
  const absl::Duration stuck_after_;
  std::deque<std::string> coming_;
  std::deque<std::string> leaving_;
  std::map<std::string, Round> running_;  // by uid
  bool last_left_ = false;                // the last one taken was one that leaves
};

}  // namespace cluster::node
