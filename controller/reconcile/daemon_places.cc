#include "controller/reconcile/daemon_places.h"

#include <algorithm>
#include <tuple>

#include "controller/object/node_choice.h"
#include "controller/reconcile/pod_state.h"

namespace cluster::controller {
namespace {

bool IsOlderPod(const EntryPtr& a, const EntryPtr& b) {
  return std::make_tuple(a->create_rev, absl::string_view(a->key)) <
         std::make_tuple(b->create_rev, absl::string_view(b->key));
}

void AddPod(const EntryPtr& entry, const std::string& update_hash, DaemonPlace* place) {
  const v1::Pod& pod = entry->object.pod();
  if (IsTerminating(pod)) {
    place->ending.push_back(entry);
  } else if (IsFinished(pod)) {
    place->ended.push_back(entry);
  } else if (LabelOf(pod.metadata(), kRevisionLabel) == update_hash) {
    place->fresh.push_back(entry);
  } else {
    place->old.push_back(entry);
  }
}

}  // namespace

DaemonPlaces PlacesOf(const v1::DaemonSet& set, const std::vector<EntryPtr>& pods,
                      const std::string& update_hash, const View& view) {
  DaemonPlaces places;
  for (const EntryPtr& entry : pods) {
    AddPod(entry, update_hash, &places[PinnedNode(entry->object.pod().spec())]);
  }
  for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
    const v1::Node& node = entry->object.node();
    const DaemonVerdict verdict = JudgeNode(set, node);
    const auto place = places.find(node.metadata().name());
    if (place != places.end()) {
      place->second.verdict = verdict;
    } else if (verdict.should_run) {
      places[node.metadata().name()].verdict = verdict;
    }
  }
  for (auto& [node, place] : places) {
    std::sort(place.old.begin(), place.old.end(), IsOlderPod);
    std::sort(place.fresh.begin(), place.fresh.end(), IsOlderPod);
  }
  return places;
}

}  // namespace cluster::controller
