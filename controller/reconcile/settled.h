// Which workloads had nothing to be done when they were last looked at. As long as neither they nor
// what they own has changed there is nothing to be done still, and a pass leaves them out: it costs
// what changed, not what there is. Never changes an answer; an empty one is as good.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"

#include "controller/cache/view.h"

namespace cluster::controller {

// Belongs to one view: cleared when that is made anew. Not thread-safe.
class Settled {
 public:
  // `owned`: View::OwnedVersion of all that counts for the workload, the highest.
  bool IsSettled(const Entry& workload, int64_t owned) const {
    const auto found = marks_.find(Meta(workload.object).uid());
    return found != marks_.end() && found->second == std::make_pair(workload.mod_rev, owned);
  }
  void Mark(const Entry& workload, int64_t owned) {
    marks_[Meta(workload.object).uid()] = {workload.mod_rev, owned};
  }
  void Unmark(const Entry& workload) { marks_.erase(Meta(workload.object).uid()); }
  void Clear() { marks_.clear(); }
  size_t size() const { return marks_.size(); }

 private:
  absl::flat_hash_map<std::string, std::pair<store::Rev, int64_t>> marks_;  // by uid
};

}  // namespace cluster::controller
