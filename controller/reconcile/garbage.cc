#include "controller/reconcile/garbage.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "controller/object/claims.h"
#include "controller/reconcile/ownership.h"
#include "controller/reconcile/pod_state.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

v1::Object WithoutFinalizer(v1::Object object, absl::string_view finalizer) {
  RemoveFinalizer(finalizer, MutableMeta(&object));
  return object;
}

class GarbagePass {
 public:
  GarbagePass(const View& view, absl::Time now) : view_(view), now_(now) {}

  Changes Run() {
    for (const EntryPtr& entry : view_.Abandoned()) DeleteObject(*entry, now_, &changes_);
    for (const EntryPtr& entry : view_.Terminating()) Look(*entry);
    TrimEndedPods();
    TrimEvents();
    return std::move(changes_);
  }

 private:
  using Dependents = std::vector<EntryPtr>;

  // What refers to that owner, as its controller or not. Asked only for owners that are being
  // deleted in a way that waits for these: then every object is looked at, once.
  const Dependents& DependentsOf(const std::string& uid) {
    static const auto* const none = new Dependents;
    if (!std::exchange(indexed_, true)) {
      for (const Kind& kind : AllKinds()) {
        for (const auto& [key, entry] : view_.All(kind.object_case)) IndexOwners(entry);
      }
    }
    const auto found = dependents_.find(uid);
    return found == dependents_.end() ? *none : found->second;
  }

  void IndexOwners(const EntryPtr& entry) {
    for (const v1::OwnerReference& owner : Meta(entry->object).owner_references()) {
      dependents_[owner.uid()].push_back(entry);
    }
  }

  // Of what is being deleted.
  void Look(const Entry& entry) {
    const v1::OwnerReference* owner = ControllerOf(Meta(entry.object));
    if (owner != nullptr && view_.FindUid(owner->uid()) == nullptr) return;  // abandoned
    if (entry.object.has_pod()) {
      FinishUnbound(entry);
    } else if (!entry.object.has_namespace_()) {
      Finish(entry);
    }
  }

  // A pod that was deleted before it had a node, and that something held.
  void FinishUnbound(const Entry& entry) {
    const v1::Pod& pod = entry.object.pod();
    if (IsBound(pod) || !IsTerminating(pod)) return;
    if (pod.metadata().finalizers().empty()) {
      changes_.Delete(entry);
    } else if (!IsFinished(pod)) {
      v1::Object after = entry.object;
      MarkFailed("The pod was deleted before it had a node.", after.mutable_pod());
      changes_.Put(entry, std::move(after));
    }
  }

  // One step towards the end of an object that waits for those that it owns.
  void Finish(const Entry& entry) {
    const v1::ObjectMeta& meta = Meta(entry.object);
    if (HasFinalizer(meta, kOrphanFinalizer)) {
      const Dependents& dependents = DependentsOf(meta.uid());
      if (!dependents.empty()) {
        for (const EntryPtr& each : dependents) {
          changes_.Put(*each, WithoutOwner(each->object, meta.uid()));
        }
      } else {
        changes_.Put(entry, WithoutFinalizer(entry.object, kOrphanFinalizer));
      }
    } else if (HasFinalizer(meta, kForegroundFinalizer)) {
      const Dependents& dependents = DependentsOf(meta.uid());
      if (!dependents.empty()) {
        for (const EntryPtr& each : dependents) DeleteInForeground(*each);
      } else {
        changes_.Put(entry, WithoutFinalizer(entry.object, kForegroundFinalizer));
      }
    } else if (meta.finalizers().empty()) {
      changes_.Delete(entry);
    }
  }

  // What owns something itself waits for that in turn.
  void DeleteInForeground(const Entry& entry) {
    const v1::ObjectMeta& meta = Meta(entry.object);
    if (entry.object.has_pod() || DependentsOf(meta.uid()).empty()) {
      DeleteObject(entry, now_, &changes_);
      return;
    }
    if (meta.has_deletion_timestamp()) return;
    v1::Object after = entry.object;
    StampObjectDeletion(now_, &after);
    MutableMeta(&after)->add_finalizers(std::string(kForegroundFinalizer));
    changes_.Put(entry, std::move(after));
  }

  void TrimEndedPods() {
    std::map<std::string, std::vector<EntryPtr>> ended;
    for (const EntryPtr& entry : view_.EndedPods()) {
      const v1::Pod& pod = entry->object.pod();
      const v1::OwnerReference* owner = ControllerOf(pod.metadata());
      const bool held = !pod.metadata().finalizers().empty();
      if (owner != nullptr && !IsTerminating(pod) && !held) {
        ended[owner->uid()].push_back(entry);
      }
    }
    for (auto& [owner, pods] : ended) {
      std::sort(pods.begin(), pods.end(),
                [](const EntryPtr& a, const EntryPtr& b) { return a->create_rev > b->create_rev; });
      const EntryPtr entry = view_.FindUid(owner);
      const bool of_job = entry != nullptr && entry->object.has_job();
      for (size_t i = of_job ? kEndedPodsPerJob : kEndedPodsPerOwner; i < pods.size(); ++i) {
        EndPod(*pods[i], now_, 0, &changes_);
      }
    }
  }

  void TrimEvents() {
    for (const auto& [key, entry] : view_.All(v1::Object::kEvent)) {
      const absl::Time ends = ToTime(entry->object.event().last_timestamp()) + kEventLife;
      if (ends <= now_) {
        changes_.Delete(*entry);
      } else {
        changes_.WakeAt(ends);
      }
    }
  }

  static void StampObjectDeletion(absl::Time now, v1::Object* object) {
    *MutableMeta(object)->mutable_deletion_timestamp() = ToTimestamp(now);
  }

  const View& view_;
  absl::Time now_;
  bool indexed_ = false;
  absl::flat_hash_map<std::string, Dependents> dependents_;  // by uid of the owner
  Changes changes_;
};

}  // namespace

void DeleteObject(const Entry& entry, absl::Time now, Changes* changes) {
  const v1::ObjectMeta& meta = Meta(entry.object);
  if (entry.object.has_pod()) {
    EndPod(entry, now, std::nullopt, changes);
  } else if (meta.finalizers().empty()) {
    changes->Delete(entry);
  } else if (!meta.has_deletion_timestamp()) {
    v1::Object after = entry.object;
    *MutableMeta(&after)->mutable_deletion_timestamp() = ToTimestamp(now);
    changes->Put(entry, std::move(after));
  }
}

Changes ReconcileGarbage(const View& view, absl::Time now) {
  Changes unique;
  MergeChanges(GarbagePass(view, now).Run(), &unique);
  return unique;
}

}  // namespace cluster::controller
