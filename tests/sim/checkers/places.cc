// A pod comes to no node whose taints it does not tolerate, beside no neighbour that it does not
// want, to no port that is taken; it is sent away only for a reason that there is.
#include <map>
#include <set>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/manifests.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

bool Tolerates(const v1::Pod& pod, const v1::Taint& taint) {
  for (const v1::Toleration& each : pod.spec().tolerations()) {
    const bool key = each.key().empty() || each.key() == taint.key();
    const bool effect =
        each.effect() == v1::TAINT_EFFECT_UNSPECIFIED || each.effect() == taint.effect();
    if (key && effect) return true;  // users here do not ask for values
  }
  return false;
}

int HostPortOf(const v1::Pod& pod) {
  for (const v1::Container& container : pod.spec().containers()) {
    for (const v1::ContainerPort& port : container.ports()) {
      if (port.host_port() != 0) return port.host_port();
    }
  }
  return 0;
}

class PlacesChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "pods are where they may be"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.after != nullptr && change.after->object.has_node()) NoteTaint(*change.after);
      for (const EntryPtr& entry : {change.before, change.after}) {
        if (entry != nullptr && entry->object.has_pod()) NoteActive(entry->object.pod());
      }
    }
    bound_.clear();
    for (const Change& change : commit.changes) {
      if (IsBinding(change)) bound_.insert(Meta(change.after->object).uid());
    }
    for (const Change& change : commit.changes) {
      if (change.after == nullptr || !change.after->object.has_pod()) continue;
      const v1::Pod& pod = change.after->object.pod();
      const v1::Pod* before = change.before == nullptr ? nullptr : &change.before->object.pod();
      if (IsBinding(change)) {
        CheckPlace(pod);
        came_[pod.metadata().uid()] = world_->now();
      }
      if (before != nullptr && !IsGoing(before->metadata()) && IsGoing(pod.metadata())) {
        CheckEnd(*before, pod);
      }
    }
  }

  // A node that has had its taint for long enough has sent away what does not tolerate it so long.
  void OnTick() override {
    if (!world_->fine()) return;
    for (const auto& [name, since] : executes_since_) {
      for (const EntryPtr& entry : truth().PodsOnNode(name)) {
        const v1::Pod& pod = entry->object.pod();
        const Nanos begin = std::max(since, CameAt(pod));
        if (!IsActive(pod) || begin + PatienceOf(pod) + kFineMemory > world_->now()) continue;
        if (began_fine_ + kFineMemory > world_->now()) continue;
        Fail(absl::StrCat(entry->key, " stays on ", name, ", and does not tolerate its taint"));
      }
    }
  }

  void OnStep() override {
    if (world_->fine() != was_fine_) began_fine_ = world_->now();
    was_fine_ = world_->fine();
  }

 private:
  static bool IsBinding(const Change& change) {
    return change.after != nullptr && change.after->object.has_pod() &&
           !change.after->object.pod().spec().node_name().empty() &&
           (change.before == nullptr || change.before->object.pod().spec().node_name().empty());
  }

  // 1: NoSchedule, 2: NoExecute.
  void NoteTaint(const Entry& entry) {
    int level = 0;
    for (const v1::Taint& taint : entry.object.node().spec().taints()) {
      if (taint.key() != kMaintenance) continue;
      level = taint.effect() == v1::TAINT_EFFECT_NO_EXECUTE ? 2 : 1;
    }
    const std::string& name = Meta(entry.object).name();
    taints_[name].Set(world_->now(), level);
    if (level == 2) {
      executes_since_.try_emplace(name, world_->now());
    } else {
      executes_since_.erase(name);
    }
  }

  Nanos CameAt(const v1::Pod& pod) const {
    const auto found = came_.find(pod.metadata().uid());
    return found == came_.end() ? 0 : found->second;
  }

  // How long it stays under the users' NoExecute taint.
  static Nanos PatienceOf(const v1::Pod& pod) {
    for (const v1::Toleration& each : pod.spec().tolerations()) {
      if (each.key() == kMaintenance) return each.toleration_seconds() * kSecond;
    }
    return 0;
  }

  // Where neighbours were: their ends may not have been seen.
  void NoteActive(const v1::Pod& pod) {
    if (pod.spec().node_name().empty() || IsOver(pod)) return;
    active_.Note(pod.metadata().uid(), world_->now());
  }

  void CheckPlace(const v1::Pod& pod) {
    const std::string& node = pod.spec().node_name();
    CheckTaints(pod, node);
    for (const EntryPtr& entry : truth().PodsOnNode(node)) {
      const v1::Pod& other = entry->object.pod();
      if (IsOver(other) || other.metadata().uid() == pod.metadata().uid()) continue;
      if (HostPortOf(pod) != 0 && HostPortOf(pod) == HostPortOf(other)) {
        Fail(absl::StrCat(pod.metadata().name(), " comes to ", node, ", where ",
                          other.metadata().name(), " has its port"));
      }
      const bool apart = pod.spec().affinity().has_pod_anti_affinity() ||
                         other.spec().affinity().has_pod_anti_affinity();
      if (apart && AppOf(pod) == AppOf(other)) {
        Fail(absl::StrCat(pod.metadata().name(), " comes to ", node, " beside ",
                          other.metadata().name(), ", which it does not want"));
      }
    }
    if (pod.spec().topology_spread_constraints_size() > 0) CheckSpread(pod);
  }

  void CheckTaints(const v1::Pod& pod, const std::string& node) {
    v1::Taint taint;
    taint.set_key(kMaintenance);
    const auto found = taints_.find(node);
    const int level = found == taints_.end() ? 0 : found->second.Lowest(SeenSince(*world_));
    if (level == 0) return;
    taint.set_effect(level == 1 ? v1::TAINT_EFFECT_NO_SCHEDULE : v1::TAINT_EFFECT_NO_EXECUTE);
    if (Tolerates(pod, taint)) return;
    Fail(absl::StrCat(pod.metadata().name(), " comes to ", node,
                      ", and does not tolerate its taint"));
  }

  // Pods per zone. Those that were there until a moment ago count for the emptiest: their ends may
  // not have been seen. Those of the same commit may have been placed after this one.
  void CheckSpread(const v1::Pod& pod) {
    const auto& spread = pod.spec().topology_spread_constraints(0);
    std::map<std::string, int> most;
    std::map<std::string, int> now;
    for (const auto& node : world_->nodes()) {
      const EntryPtr entry = truth().Find(v1::Object::kNode, "", node->name());
      if (entry == nullptr) return;  // one zone may be missing
      const auto zone = Meta(entry->object).labels().find(spread.topology_key());
      if (zone == Meta(entry->object).labels().end()) continue;
      most[zone->second];
      now[zone->second];
      for (const EntryPtr& each : truth().PodsOnNode(node->name())) {
        const v1::Pod& other = each->object.pod();
        if (AppOf(other) != AppOf(pod)) continue;
        const bool own = other.metadata().uid() == pod.metadata().uid();
        if (IsActive(other) && (own || !bound_.contains(other.metadata().uid()))) {
          ++now[zone->second];
        }
        if (!IsOver(other) || active_.Has(other.metadata().uid(), SeenSince(*world_))) {
          ++most[zone->second];
        }
      }
    }
    int least = 1000;
    for (const auto& [zone, count] : most) least = std::min(least, count);
    const EntryPtr node = truth().Find(v1::Object::kNode, "", pod.spec().node_name());
    const int here = now[Meta(node->object).labels().at(spread.topology_key())];
    if (here - least > spread.max_skew()) {
      Fail(absl::StrCat(pod.metadata().name(), " comes to a zone with ", here,
                        " of its app, where another one has ", least));
    }
  }

  void CheckEnd(const v1::Pod& before, const v1::Pod& pod) {
    const std::string reason = DisruptionOf(pod);
    if (DisruptionOf(before) == reason) return;
    const Nanos since = SeenSince(*world_);
    if (reason == "DeletionByTaintManager" && pod.status().reason() != "NodeLost") {
      const auto found = taints_.find(pod.spec().node_name());
      if (found == taints_.end() || found->second.Highest(since) < 2) {
        Fail(absl::StrCat(pod.metadata().name(), " is sent away from ", pod.spec().node_name(),
                          ", which has no taint"));
      }
      const auto begun = executes_since_.find(pod.spec().node_name());
      const Nanos least = PatienceOf(pod) - 2 * kSecond;  // stamps are whole seconds
      if (world_->fine() && begun != executes_since_.end() &&
          world_->now() - std::max(begun->second, CameAt(pod)) < least) {
        Fail(absl::StrCat(pod.metadata().name(), " is sent away ",
                          (world_->now() - std::max(begun->second, CameAt(pod))) / kSecond,
                          " s after the taint or it came, which it tolerates for longer"));
      }
    }
    if (reason == "PreemptionByScheduler") {
      bool higher = false;
      for (const auto& [key, entry] : truth().All(v1::Object::kPod)) {
        const v1::Pod& other = entry->object.pod();
        higher = higher || (other.spec().node_name().empty() &&
                            other.spec().priority() > pod.spec().priority());
      }
      if (!higher) {
        Fail(absl::StrCat(pod.metadata().name(),
                          " makes room, and no pod of a higher priority waits"));
      }
    }
  }

  std::map<std::string, RecentNumber> taints_;   // by node
  std::map<std::string, Nanos> executes_since_;  // by node that has a NoExecute taint
  std::map<std::string, Nanos> came_;            // when it was bound, by uid of the pod
  bool was_fine_ = false;
  Nanos began_fine_ = 0;
  RecentSet active_;             // uids of pods
  std::set<std::string> bound_;  // uids of pods, by this commit
};

}  // namespace

std::unique_ptr<Checker> Places(World* world) { return std::make_unique<PlacesChecker>(world); }

}  // namespace cluster::sim
