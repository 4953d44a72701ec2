#include "controller/reconcile/pod_ranking.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "controller/reconcile/pod_state.h"

namespace cluster::controller {
namespace {

// 0 goes first.
int UsefulnessOf(const v1::Pod& pod) {
  if (!IsBound(pod)) return 0;
  if (pod.status().phase() != v1::POD_PHASE_RUNNING) return 1;
  return IsReady(pod) ? 3 : 2;
}

struct Ranked {
  EntryPtr entry;
  int usefulness = 0;
  int crowd = 0;  // pods of the set left on the node when this one's turn comes
};

bool IsNewer(const EntryPtr& a, const EntryPtr& b) {
  return std::make_tuple(-a->create_rev, a->key) < std::make_tuple(-b->create_rev, b->key);
}

}  // namespace

std::vector<EntryPtr> FirstToDelete(const std::vector<EntryPtr>& pods, int count) {
  std::vector<Ranked> ranked;
  std::map<std::string, int> crowds;
  for (const EntryPtr& entry : pods) {
    const v1::Pod& pod = entry->object.pod();
    ranked.push_back({entry, UsefulnessOf(pod), 0});
    if (IsBound(pod)) ++crowds[pod.spec().node_name()];
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    if (a.usefulness != b.usefulness) return a.usefulness < b.usefulness;
    return IsNewer(a.entry, b.entry);
  });
  // Taking one makes its node less crowded, so the k-th of a node ranks k lower.
  for (Ranked& each : ranked) {
    if (each.usefulness > 0) each.crowd = crowds[each.entry->object.pod().spec().node_name()]--;
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::make_tuple(a.usefulness, -a.crowd) < std::make_tuple(b.usefulness, -b.crowd);
  });
  std::vector<EntryPtr> first;
  for (size_t i = 0; i < ranked.size() && first.size() < static_cast<size_t>(count); ++i) {
    first.push_back(ranked[i].entry);
  }
  return first;
}

}  // namespace cluster::controller
