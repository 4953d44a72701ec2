// Which pod of this node has a ReadWriteOncePod claim. The scheduler sees to it that no two pods
// with one come to a node, but not for a pod whose spec.nodeName the user wrote; here is where the
// claim's data is, and so here at the latest all but one have to wait.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/v1/node_state.pb.h"
#include "cluster/v1/session.pb.h"

namespace cluster::node {

// Uids of the ReadWriteOncePod claims among the pod's volumes; a claim that does not exist is left
// out.
std::vector<std::string> OnePodClaimsOf(const v1::Assignment& assignment);

// Nothing of the pod runs, or ever will again.
bool IsOver(const v1::PodRecord& record);

// Thread-safe.
class ClaimBook {
 public:
  struct Conflict {
    std::string claim;   // uid
    std::string holder;  // uid of the pod
  };

  // Takes all of the claims for the pod, or none: then who has one of them. A pod has its claims
  // until it is over, which is asked when another one wants them; `is_over` must not call back.
  std::optional<Conflict> Take(const std::string& pod, const std::vector<std::string>& claims,
                               const std::function<bool(const std::string& pod)>& is_over);
  // The pods that were refused since because of this one; once.
  std::set<std::string> TakeWaiting(const std::string& holder);

 private:
  Mutex mutex_;
  std::map<std::string, std::string> holders_ ABSL_GUARDED_BY(mutex_);            // by claim
  std::map<std::string, std::set<std::string>> waiting_ ABSL_GUARDED_BY(mutex_);  // by holder
};

}  // namespace cluster::node
