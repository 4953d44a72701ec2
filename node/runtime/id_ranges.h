// Which host ids belong to which pod's user namespace: ranges of 65536, each held by one pod at a
// time. Pure bookkeeping; who holds what is recorded in the pods' directories (pod_directory.h).
#pragma once

#include <cstdint>
#include <set>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::node {

constexpr uint32_t kIdsOfPod = 65536;

struct IdRange {
  uint32_t first = 0;
  uint32_t count = 0;
};
// What systemd sets aside for containers; see "Users, Groups, UIDs and GIDs on systemd Systems".
constexpr IdRange kContainerIds = {0x80000, 0x70000000 - 0x80000};

// "FIRST:COUNT". InvalidArgument with a sentence: not of that form, ids of the system itself (below
// 65536), none for even one pod, or more than there are.
absl::StatusOr<IdRange> ParseIdRange(absl::string_view text);

// Not thread-safe.
class IdRanges {
 public:
  // As many ranges as there is room for.
  explicit IdRanges(const IdRange& ids) : first_id_(ids.first), count_(ids.count / kIdsOfPod) {}

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
