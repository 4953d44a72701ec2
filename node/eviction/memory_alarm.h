// Wakes somebody when work on this machine begins to wait for memory: a trigger of the kernel's
// pressure accounting (accounting/psi in its documentation), so that nobody has to keep looking.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"

namespace cluster::node {

class MemoryAlarm {
 public:
  // `ring` is called from a thread of the alarm, at most once in two seconds, when some work waited
  // for 300 ms of them. NotFound or what open(2) says: this kernel has no such accounting, or not
  // for us.
  static absl::StatusOr<std::unique_ptr<MemoryAlarm>> Set(std::function<void()> ring);
  ~MemoryAlarm();

 private:
  MemoryAlarm(UniqueFd trigger, UniqueFd stop, std::function<void()> ring);
  void Wait();

  const UniqueFd trigger_;
  const UniqueFd stop_;  // eventfd
  const std::function<void()> ring_;
  std::thread thread_;
};

}  // namespace cluster::node
