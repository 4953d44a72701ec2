#include "tests/sim/checkers/questions.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace cluster::sim {

bool IsOver(const v1::Pod& pod) {
  return pod.status().phase() == v1::POD_PHASE_SUCCEEDED ||
         pod.status().phase() == v1::POD_PHASE_FAILED;
}

bool IsGoing(const v1::ObjectMeta& meta) { return meta.has_deletion_timestamp(); }

bool IsActive(const v1::Pod& pod) { return !IsOver(pod) && !IsGoing(pod.metadata()); }

bool Holds(const google::protobuf::RepeatedPtrField<v1::Condition>& conditions,
           absl::string_view type) {
  for (const v1::Condition& condition : conditions) {
    if (condition.type() == type) return condition.status() == v1::CONDITION_STATUS_TRUE;
  }
  return false;
}

bool IsFinished(const v1::Job& job) {
  return Holds(job.status().conditions(), "Complete") || Holds(job.status().conditions(), "Failed");
}

bool IsReady(const v1::Pod& pod) { return Holds(pod.status().conditions(), "Ready"); }

const v1::OwnerReference* OwnerOf(const v1::ObjectMeta& meta, absl::string_view kind) {
  for (const v1::OwnerReference& owner : meta.owner_references()) {
    if (owner.controller() && owner.kind() == kind) return &owner;
  }
  return nullptr;
}

std::string AppOf(const v1::Pod& pod) {
  const auto found = pod.metadata().labels().find("app");
  return found == pod.metadata().labels().end() ? "" : found->second;
}

std::string DisruptionOf(const v1::Pod& pod) {
  for (const v1::Condition& condition : pod.status().conditions()) {
    if (condition.type() == "DisruptionTarget") return condition.reason();
  }
  return "";
}

namespace {

// Pods of the app that count where neighbours do, by the value of the label of their nodes; each
// value is there, also with none.
std::map<std::string, int> Neighbours(const View& view, const v1::Pod& pod,
                                      const std::string& label) {
  std::map<std::string, int> count;
  std::map<std::string, std::string> place;  // by node
  for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
    const auto value = Meta(entry->object).labels().find(label);
    if (value == Meta(entry->object).labels().end()) continue;
    place[Meta(entry->object).name()] = value->second;
    count[value->second];
  }
  for (const auto& [key, entry] : view.All(v1::Object::kPod)) {
    const v1::Pod& other = entry->object.pod();
    if (IsOver(other) || other.metadata().uid() == pod.metadata().uid()) continue;
    if (AppOf(other) != AppOf(pod)) continue;
    const auto at = place.find(other.spec().node_name());
    if (at != place.end()) ++count[at->second];
  }
  return count;
}

}  // namespace

bool IsPlaceFree(const View& view, const v1::Pod& pod, const v1::Node& node) {
  // Those that are there may not want it either.
  for (const EntryPtr& entry : view.PodsOnNode(node.metadata().name())) {
    const v1::Pod& other = entry->object.pod();
    if (IsOver(other) || AppOf(other) != AppOf(pod)) continue;
    if (other.spec().affinity().has_pod_anti_affinity()) return false;
  }
  if (pod.spec().affinity().has_pod_anti_affinity()) {
    const auto near = Neighbours(view, pod, "kubernetes.io/hostname");
    const auto here = near.find(node.metadata().name());
    if (here != near.end() && here->second > 0) return false;
  }
  for (const auto& spread : pod.spec().topology_spread_constraints()) {
    const auto zones = Neighbours(view, pod, spread.topology_key());
    const auto here = node.metadata().labels().find(spread.topology_key());
    if (here == node.metadata().labels().end()) return false;
    int least = zones.begin()->second;
    for (const auto& [zone, count] : zones) least = std::min(least, count);
    if (zones.at(here->second) + 1 - least > spread.max_skew()) return false;
  }
  return true;
}

int Share(const std::string& text, int total, bool up) {
  absl::string_view number = text;
  int value = 0;
  const bool percent = absl::ConsumeSuffix(&number, "%");
  if (!absl::SimpleAtoi(number, &value)) return 0;
  if (!percent) return value;
  return up ? (total * value + 99) / 100 : total * value / 100;
}

}  // namespace cluster::sim
