#include "controller/reconcile/replicas.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/ownership.h"
#include "controller/reconcile/pod_ranking.h"
#include "controller/reconcile/pod_state.h"
#include "proto/schema/scalars.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kReplicaSetController = "replicaset-controller";
constexpr absl::Duration kLongestBackoff = absl::Seconds(60);

// What one pass over all sets gathers, deletions apart so that they come first.
struct Gathered {
  Changes deletions;
  Changes rest;
};

v1::Object NewPod(const v1::Object& owner, absl::Time now, Random* random) {
  const v1::ReplicaSet& set = owner.replica_set();
  v1::Pod pod;
  pod.set_api_version("v1");
  pod.set_kind("Pod");
  v1::ObjectMeta* meta = pod.mutable_metadata();
  *meta->mutable_labels() = set.spec().template_().metadata().labels();
  *meta->mutable_annotations() = set.spec().template_().metadata().annotations();
  meta->set_name(JoinName(set.metadata().name(), RandomSuffix(random)));
  meta->set_namespace_(set.metadata().namespace_());
  meta->set_uid(RandomUid(random));
  meta->set_generation(1);
  *meta->mutable_creation_timestamp() = Seconds(now);
  AddOwner(owner, meta);
  *pod.mutable_spec() = set.spec().template_().spec();
  *pod.mutable_status() = NewPodStatus(pod.spec());
  return Wrap(std::move(pod));
}

// Pods that fail right after their start (a node that refuses them) are not replaced in a hot loop:
// the n-th in a row waits 2^(n-1) seconds. A failure that is long over does not count.
absl::Time MayCreateAt(const std::vector<EntryPtr>& owned, absl::Time now) {
  int failures = 0;
  absl::Time last = absl::InfinitePast();
  for (const EntryPtr& entry : owned) {
    const v1::Pod& pod = entry->object.pod();
    if (pod.status().phase() != v1::POD_PHASE_FAILED) continue;
    const absl::Time made = ToTime(pod.metadata().creation_timestamp());
    // Ahead of now: the clock has stepped back since.
    if (made > now || now - made > 10 * kLongestBackoff) continue;
    ++failures;
    last = std::max(last, made);
  }
  if (failures == 0) return absl::InfinitePast();
  return last + std::min(absl::Seconds(1) * (1 << std::min(failures - 1, 10)), kLongestBackoff);
}

void CreatePods(const View& view, const Entry& set, int count, absl::Time now, Random* random,
                Changes* changes) {
  for (int i = 0; i < count; ++i) {
    v1::Object pod = NewPod(set.object, now, random);
    while (view.Find(Key(pod)) != nullptr) {
      MutableMeta(&pod)->set_name(JoinName(Meta(set.object).name(), RandomSuffix(random)));
    }
    changes->events.push_back(MakeEvent(set.object, "Normal", "SuccessfulCreate",
                                        absl::StrCat("Created pod: ", Meta(pod).name()),
                                        kReplicaSetController));
    changes->Create(std::move(pod));
  }
}

void DeletePods(const Entry& set, const std::vector<EntryPtr>& active, int count, absl::Time now,
                Changes* changes) {
  for (const EntryPtr& pod : FirstToDelete(active, count)) {
    EndPod(*pod, now, std::nullopt, changes);
    changes->events.push_back(MakeEvent(set.object, "Normal", "SuccessfulDelete",
                                        absl::StrCat("Deleted pod: ", Meta(pod->object).name()),
                                        kReplicaSetController));
  }
}

bool HasLabels(const v1::Pod& pod, const v1::PodTemplateSpec& pod_template) {
  for (const auto& [key, value] : pod_template.metadata().labels()) {
    const auto label = pod.metadata().labels().find(key);
    if (label == pod.metadata().labels().end() || label->second != value) return false;
  }
  return true;
}

// False: time alone will change it.
bool WriteStatus(const Entry& entry, const std::vector<EntryPtr>& active, absl::Time now,
                 Changes* changes) {
  const v1::ReplicaSet& before = entry.object.replica_set();
  v1::ReplicaSetStatus status = before.status();
  int labeled = 0;
  int ready = 0;
  int available = 0;
  bool stays = true;
  const absl::Duration min_ready = absl::Seconds(before.spec().min_ready_seconds());
  for (const EntryPtr& each : active) {
    const v1::Pod& pod = each->object.pod();
    const absl::Time available_at = AvailableAt(*each, min_ready, now);
    if (available_at <= now) {
      ++available;
    } else if (available_at != absl::InfiniteFuture()) {
      changes->WakeAt(available_at);
      stays = false;
    }
    if (HasLabels(pod, before.spec().template_())) ++labeled;
    if (IsReady(*each)) ++ready;
  }
  status.set_replicas(static_cast<int>(active.size()));
  status.set_fully_labeled_replicas(labeled);
  status.set_ready_replicas(ready);
  status.set_available_replicas(available);
  status.set_observed_generation(before.metadata().generation());
  if (SameMessage(status, before.status())) return stays;
  v1::Object after = entry.object;
  *after.mutable_replica_set()->mutable_status() = std::move(status);
  changes->Put(entry, std::move(after));
  return stays;
}

class ReplicasPass {
 public:
  ReplicasPass(const View& view, const absl::flat_hash_set<std::string>& taken, absl::Time now,
               Random* random, Settled* settled)
      : view_(view),
        taken_(taken),
        now_(now),
        random_(random),
        settled_(settled),
        orphans_(view, v1::Object::kPod) {}

  void Reconcile(const EntryPtr& entry) {
    const Entry& set = *entry;
    const v1::ReplicaSet& spec = set.object.replica_set();
    if (spec.metadata().has_deletion_timestamp() || taken_.contains(set.key)) return;
    const int64_t version = view_.OwnedVersion(v1::Object::kPod, spec.metadata().uid());
    const bool alone = settled_ != nullptr && orphans_.Matching(set.object).empty();
    if (alone && settled_->IsSettled(set, version)) return;
    const std::vector<EntryPtr> owned = view_.OwnedBy(v1::Object::kPod, spec.metadata().uid());
    if (HoldsAny(owned, taken_)) return;
    const size_t writes_before = gathered_.rest.writes.size();
    const std::vector<EntryPtr> active = Claim(set, owned);
    const bool stays = WriteStatus(set, active, now_, &gathered_.rest);
    const bool quiet = stays && gathered_.rest.writes.size() == writes_before;
    if (alone && quiet && static_cast<int>(active.size()) == spec.spec().replicas()) {
      settled_->Mark(set, version);
      return;
    }
    const int surplus = static_cast<int>(active.size()) - spec.spec().replicas();
    if (surplus > 0) {
      DeletePods(set, active, surplus, now_, &gathered_.deletions);
    } else if (surplus < 0 && IsOpen(view_, spec.metadata().namespace_())) {
      Grow(entry, owned, -surplus);
    }
  }

  Changes Finish() {
    const int sets = std::max(1, static_cast<int>(growing_.size()));
    const int share = std::clamp(kMostCreatedTogether / sets, kLeastShare, kMostCreatedPerPass);
    for (const auto& [set, count] : growing_) {
      CreatePods(view_, *set, std::min(count, share), now_, random_, &gathered_.rest);
    }
    MergeChanges(std::move(gathered_.rest), &gathered_.deletions);
    return std::move(gathered_.deletions);
  }

 private:
  // Active pods of the set: its own that still match, and matching ones without owner, which it
  // adopts.
  std::vector<EntryPtr> Claim(const Entry& set, const std::vector<EntryPtr>& owned) {
    std::vector<EntryPtr> active;
    for (const EntryPtr& pod : owned) {
      if (!IsActive(*pod)) continue;
      if (Selects(set.object, *pod)) {
        active.push_back(pod);
      } else {
        gathered_.rest.Put(*pod, WithoutOwner(pod->object, Meta(set.object).uid()));
      }
    }
    for (const EntryPtr& pod : orphans_.Matching(set.object)) {
      if (!IsActive(*pod) || taken_.contains(pod->key)) continue;
      if (!adopted_.insert(pod->key).second) continue;
      v1::Object adopted = pod->object;
      AddOwner(set.object, MutableMeta(&adopted));
      gathered_.rest.Put(*pod, std::move(adopted));
      active.push_back(pod);
    }
    return active;
  }

  // Pods that the sets of one Deployment may have more, all together: a set does not grow into the
  // room of another that has yet to shrink. 0 while one of them is about to change.
  int* RoomOf(const v1::OwnerReference& deployment) {
    const auto known = rooms_.find(deployment.uid());
    if (known != rooms_.end()) return &known->second;
    int room = 0;
    bool changing = false;
    for (const EntryPtr& sibling : view_.OwnedBy(v1::Object::kReplicaSet, deployment.uid())) {
      changing = changing || taken_.contains(sibling->key);
      room += sibling->object.replica_set().spec().replicas();
      const auto pods = view_.OwnedBy(v1::Object::kPod, Meta(sibling->object).uid());
      // The rollout waits for such a pod too, so the sizes may be out of date.
      changing = changing || HoldsAny(pods, taken_);
      for (const EntryPtr& pod : pods) {
        if (IsActive(*pod)) --room;
      }
    }
    return &(rooms_[deployment.uid()] = changing ? 0 : std::max(room, 0));
  }

  void Grow(const EntryPtr& set, const std::vector<EntryPtr>& owned, int count) {
    const v1::OwnerReference* deployment = ControllerOf(Meta(set->object));
    if (deployment != nullptr) {
      int* room = RoomOf(*deployment);
      count = std::min(count, *room);
      *room -= count;
    }
    const absl::Time may_create = MayCreateAt(owned, now_);
    if (may_create > now_) {
      gathered_.rest.WakeAt(may_create);
      return;
    }
    if (count > 0) growing_.emplace_back(set, count);
  }

  const View& view_;
  const absl::flat_hash_set<std::string>& taken_;
  absl::Time now_;
  Random* random_;
  Settled* const settled_;
  Orphans orphans_;
  absl::flat_hash_set<std::string> adopted_;
  absl::flat_hash_map<std::string, int> rooms_;  // by uid of the Deployment
  std::vector<std::pair<EntryPtr, int>> growing_;
  Gathered gathered_;
};

}  // namespace

Changes ReconcileReplicas(const View& view, const absl::flat_hash_set<std::string>& taken,
                          absl::Time now, Random* random, Settled* settled) {
  ReplicasPass pass(view, taken, now, random, settled);
  for (const auto& [key, entry] : view.All(v1::Object::kReplicaSet)) pass.Reconcile(entry);
  return pass.Finish();
}

}  // namespace cluster::controller
