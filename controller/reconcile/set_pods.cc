#include "controller/reconcile/set_pods.h"

#include <utility>

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {

v1::Pod PodFromTemplate(const v1::Object& owner, const v1::PodTemplateSpec& pod_template,
                        std::string name, const PassInputs& inputs) {
  v1::Pod pod;
  pod.set_api_version("v1");
  pod.set_kind("Pod");
  v1::ObjectMeta* meta = pod.mutable_metadata();
  *meta->mutable_labels() = pod_template.metadata().labels();
  *meta->mutable_annotations() = pod_template.metadata().annotations();
  meta->set_name(std::move(name));
  meta->set_namespace_(Meta(owner).namespace_());
  meta->set_uid(RandomUid(inputs.random));
  meta->set_generation(1);
  *meta->mutable_creation_timestamp() = Seconds(inputs.now);
  AddOwner(owner, meta);
  *pod.mutable_spec() = pod_template.spec();
  *pod.mutable_status() = NewPodStatus(pod.spec());
  return pod;
}

std::optional<std::vector<EntryPtr>> ClaimPods(const Entry& owner, const Orphans& orphans,
                                               const std::function<bool(const v1::Pod&)>& accepts,
                                               const PassInputs& inputs, Changes* changes) {
  std::vector<EntryPtr> claimed;
  for (const EntryPtr& entry : inputs.view->OwnedBy(v1::Object::kPod, Meta(owner.object).uid())) {
    if (inputs.taken->contains(entry->key)) return std::nullopt;
    if (Selects(owner.object, *entry) && accepts(entry->object.pod())) {
      claimed.push_back(entry);
    } else if (!IsTerminating(entry->object.pod())) {
      changes->Put(*entry, WithoutOwner(entry->object, Meta(owner.object).uid()));
    }
  }
  bool adopts = false;
  for (const EntryPtr& entry : orphans.Matching(owner.object)) {
    const v1::Pod& pod = entry->object.pod();
    if (!IsActive(pod) || !accepts(pod)) continue;
    if (inputs.taken->contains(entry->key)) return std::nullopt;
    v1::Object adopted = entry->object;
    AddOwner(owner.object, MutableMeta(&adopted));
    changes->Put(*entry, std::move(adopted));
    adopts = true;
  }
  if (adopts) return std::nullopt;
  return claimed;
}

Changes ReconcileSets(
    const View& view, v1::Object::ObjectCase kind, absl::flat_hash_set<std::string> taken,
    absl::Time now, Random* random,
    const std::function<Changes(const Entry&, const PassInputs&, const SetOrphans&)>& look) {
  Changes all;
  const auto& sets = view.All(kind);
  if (sets.empty()) return all;
  const SetOrphans orphans{Orphans(view, v1::Object::kPod),
                           Orphans(view, v1::Object::kControllerRevision)};
  const PassInputs inputs{&view, &taken, now, random};
  for (const auto& [key, entry] : sets) {
    const v1::ObjectMeta& meta = Meta(entry->object);
    if (meta.has_deletion_timestamp() || taken.contains(key)) continue;
    if (!IsOpen(view, meta.namespace_())) continue;
    Changes own = look(*entry, inputs, orphans);
    // Two sets may want to adopt one pod.
    for (const Write& write : own.writes) taken.insert(write.key);
    MergeChanges(std::move(own), &all);
  }
  return all;
}

absl::Time ReplaceableAt(const v1::Pod& pod, absl::Time now) {
  if (pod.status().phase() != v1::POD_PHASE_FAILED) return absl::InfinitePast();
  const absl::Time made = ToTime(pod.metadata().creation_timestamp());
  // The clock has stepped back since.
  if (made > now) return absl::InfinitePast();
  return made + kFailedPodPause;
}

}  // namespace cluster::controller
