// Claims as the scheduler sees them: where their data is, and who holds them.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "controller/cache/view.h"

namespace cluster::controller {

// Computed once per plan, then kept up with each placement: the pods after it see a claim bound
// that the plan binds.
class ClaimUsage {
 public:
  explicit ClaimUsage(const View& view);

  // Why a pod with these claims (store keys) cannot go to the node; "" = it can.
  std::string Problem(const std::vector<std::string>& claims, const std::string& node) const;
  void Place(const std::string& pod, const std::vector<std::string>& claims,
             const std::string& node);

 private:
  struct Claim {
    std::string name;
    std::string node;  // where its data is, or will be; "" = it waits for its first pod
    bool node_gone = false;
    bool deleting = false;
    bool one_pod = false;  // ReadWriteOncePod
    std::string holder;    // a pod that uses it
  };

  absl::flat_hash_map<std::string, Claim> claims_;  // by store key
};

}  // namespace cluster::controller
