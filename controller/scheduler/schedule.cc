// Pods that a pass makes, placed before they are written.
#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "controller/object/claims.h"
#include "controller/reconcile/pod_state.h"
#include "controller/scheduler/scheduler.h"

namespace cluster::controller {
namespace {

bool IsNewcomer(const View& view, const Write& write) {
  if (write.expected != 0 || !write.put.has_value() || !write.put->has_pod()) return false;
  const v1::Pod& pod = write.put->pod();
  // Where another pod has the name this one will not be made.
  return !IsBound(pod) && ClaimKeysOf(pod).empty() &&
         view.All(v1::Object::kPod).find(write.key) == view.All(v1::Object::kPod).end();
}

// What they are made of is in them alone until PutBack.
Newcomers TakeNewcomers(const View& view, std::vector<Write>* writes) {
  Newcomers newcomers;
  // The scheduler does not see what becomes of nodes in this pass.
  const bool nodes_change = std::any_of(writes->begin(), writes->end(), [](const Write& write) {
    const Kind* kind = KindOfKey(write.key);
    return kind != nullptr && kind->object_case == v1::Object::kNode;
  });
  if (nodes_change) return newcomers;
  for (Write& write : *writes) {
    if (!IsNewcomer(view, write)) continue;
    newcomers[write.key] = MakeEntry(*std::exchange(write.put, v1::Object()), 0, 0);
  }
  return newcomers;
}

// As the plan has them, or as they were.
void PutBack(const Newcomers& newcomers, Changes* planned, std::vector<Write>* writes) {
  absl::flat_hash_map<std::string, v1::Object> placed;
  std::vector<Write> others;
  for (Write& write : planned->writes) {
    if (newcomers.contains(write.key)) {
      placed[write.key] = *std::move(write.put);
    } else {
      others.push_back(std::move(write));
    }
  }
  planned->writes = std::move(others);
  for (Write& write : *writes) {
    const auto newcomer = newcomers.find(write.key);
    if (newcomer == newcomers.end()) continue;
    const auto found = placed.find(write.key);
    if (found != placed.end()) {
      write.put = std::move(found->second);
    } else {
      write.put = newcomer->second->object;
    }
    MutableMeta(&*write.put)->clear_resource_version();
  }
}

// Pods that are made alone come last, and those of one node one after another: one transaction has
// them, and the node hears of them at once. Among themselves pods may be made in any order, and
// nothing waits for one that is made in the same pass.
void GatherByNode(const Newcomers& newcomers, std::vector<Write>* writes) {
  std::vector<Write> others;
  std::vector<Write> pods;
  for (size_t i = 0; i < writes->size(); ++i) {
    Write& write = (*writes)[i];
    const bool in_group =
        write.with_previous || (i + 1 < writes->size() && (*writes)[i + 1].with_previous);
    const bool moves = !in_group && newcomers.contains(write.key);
    (moves ? pods : others).push_back(std::move(write));
  }
  const auto node_of = [](const Write& write) -> const std::string& {
    return write.put->pod().spec().node_name();
  };
  std::stable_sort(pods.begin(), pods.end(),
                   [&](const Write& a, const Write& b) { return node_of(a) < node_of(b); });
  std::move(pods.begin(), pods.end(), std::back_inserter(others));
  *writes = std::move(others);
}

}  // namespace

void Schedule(const View& view, absl::Time now, Scheduler* scheduler, Changes* changes) {
  const Newcomers newcomers = TakeNewcomers(view, &changes->writes);
  Changes planned = PlanChanges(view, scheduler->Compute(view, newcomers, now), now, newcomers);
  PutBack(newcomers, &planned, &changes->writes);
  GatherByNode(newcomers, &changes->writes);
  MergeChanges(std::move(planned), changes);
}

}  // namespace cluster::controller
