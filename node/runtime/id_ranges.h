// Which host ids belong to which pod's user namespace: ranges of 65536, each held by one pod at a
// time. Pure bookkeeping; who holds what is recorded in the pods' directories (pod_directory.h).
#pragma once

#include <cstdint>
#include <set>

#include "absl/status/statusor.h"

namespace cluster::node {

constexpr uint32_t kIdsOfPod = 65536;

// Not thread-safe.
class IdRanges {
 public:
  // `count` ranges from `first_id` on.
  IdRanges(uint32_t first_id, uint32_t count) : first_id_(first_id), count_(count) {}

  // The first id of a range that nobody holds, of those the one that was free for longest: what a
  // removed pod may have left somewhere is not the next one's. ResourceExhausted when all are held.
  absl::StatusOr<uint32_t> Take();
  // One that is held already, from before; it may lie anywhere.
  void Hold(uint32_t first_id) { held_.insert(first_id); }
  void Release(uint32_t first_id) { held_.erase(first_id); }
  size_t held() const { return held_.size(); }

 private:
  bool IsFree(uint32_t first_id) const;

  const uint32_t first_id_;
  const uint32_t count_;
  uint32_t next_ = 0;  // number of the range to look at first
  std::set<uint32_t> held_;
};

}  // namespace cluster::node
