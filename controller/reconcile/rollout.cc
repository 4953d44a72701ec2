#include "controller/reconcile/rollout.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/object/references.h"
#include "controller/reconcile/auto_rollback.h"
#include "controller/reconcile/data_versions.h"
#include "controller/reconcile/revisions.h"
#include "controller/reconcile/rollout_scaling.h"
#include "controller/reconcile/rollout_status.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kDeploymentController = "deployment-controller";

// Sizes of the sets after this pass; makes the current set where it is due.
void Step(const View& view, absl::Time now, Random* random, Rollout* rollout) {
  if (IsScaling(rollout)) {
    ScaleInProportion(rollout);
    return;
  }
  if (rollout->paused()) {
    ScalePaused(rollout);
    return;
  }
  const bool recreate = rollout->spec().spec().strategy().type() == v1::STRATEGY_TYPE_RECREATE;
  // While old pods are left the current set keeps what it has and gets no more.
  if (recreate && !StepRecreate(rollout)) return;
  if (!rollout->current.has_value()) AddCurrent(view, now, random, rollout);
  if (recreate) {
    rollout->current->Scale(rollout->replicas());
  } else {
    StepRolling(rollout);
  }
}

void NoteScaling(const Rollout& rollout, const Revision& revision, Changes* changes) {
  const int before =
      revision.entry == nullptr ? 0 : revision.entry->object.replica_set().spec().replicas();
  if (before == revision.replicas()) return;
  changes->events.push_back(MakeEvent(
      rollout.deployment->object, "Normal", "ScalingReplicaSet",
      absl::StrCat("Scaled ", before < revision.replicas() ? "up" : "down", " replica set ",
                   revision.set().metadata().name(), " from ", before, " to ", revision.replicas()),
      kDeploymentController));
}

void WriteRevision(const Rollout& rollout, Revision* revision, Changes* changes) {
  NoteScaling(rollout, *revision, changes);
  if (revision->entry == nullptr) {
    changes->Create(std::move(revision->want));
    return;
  }
  const v1::Object& before = revision->entry->object;
  if (SameMessage(before, revision->want)) return;
  if (before.replica_set().spec().replicas() != revision->replicas()) {
    MutableMeta(&revision->want)->set_generation(Meta(before).generation() + 1);
  }
  changes->Put(*revision->entry, std::move(revision->want));
}

void WriteDeployment(const View& view, const v1::DeploymentStatus& status, absl::Time now,
                     Rollout* rollout, Changes* changes) {
  v1::Object after = rollout->deployment->object;
  *after.mutable_deployment()->mutable_status() = status;
  if (std::optional<Rollback> back = RollBack(view, *rollout, status, now); back.has_value()) {
    *after.mutable_deployment() = std::move(back->deployment);
    MutableMeta(&after)->set_generation(Meta(after).generation() + 1);
    changes->events.push_back(std::move(back->event));
  }
  if (rollout->current.has_value()) {
    (*MutableMeta(&after)->mutable_annotations())[std::string(kRevisionAnnotation)] =
        absl::StrCat(RevisionOf(rollout->current->set().metadata()));
  }
  if (!SameMessage(after, rollout->deployment->object)) {
    changes->Put(*rollout->deployment, std::move(after));
  }
}

// Of its sets, of their pods and of their data.
int64_t VersionOf(const View& view, const Entry& deployment) {
  const std::string& uid = Meta(deployment.object).uid();
  int64_t version = view.OwnedVersion(v1::Object::kReplicaSet, uid);
  for (const EntryPtr& set : view.OwnedBy(v1::Object::kReplicaSet, uid)) {
    version = std::max(version, view.OwnedVersion(v1::Object::kPod, Meta(set->object).uid()));
  }
  uint64_t data = 0;
  for (const auto& [key, optional] :
       DataReferences(deployment.object.deployment().spec().template_().spec(),
                      Meta(deployment.object).namespace_())) {
    const EntryPtr found = view.Find(key);
    const auto revision = found == nullptr ? uint64_t{0} : static_cast<uint64_t>(found->mod_rev);
    data = (data ^ revision) * 1099511628211ULL;
  }
  return version ^ static_cast<int64_t>(data);
}

void Append(Changes own, Changes* all) {
  std::move(own.writes.begin(), own.writes.end(), std::back_inserter(all->writes));
  std::move(own.events.begin(), own.events.end(), std::back_inserter(all->events));
  if (own.wake_at.has_value()) all->WakeAt(*own.wake_at);
}

// Old sets are shrunk before the current one grows.
void WriteRollout(const View& view, absl::Time now, Random* random, Rollout* rollout,
                  Changes* changes) {
  const v1::DeploymentStatus status = RolloutStatus(rollout, now);
  WriteDeployment(view, status, now, rollout, changes);
  if (const auto deadline = ProgressDeadline(rollout->spec(), status); deadline.has_value()) {
    changes->WakeAt(*deadline);
  }
  if (rollout->next_available != absl::InfiniteFuture()) changes->WakeAt(rollout->next_available);
  Changes history;
  if (rollout->current.has_value() && IsComplete(rollout->spec(), status)) {
    (*MutableMeta(&rollout->current->want)
          ->mutable_annotations())[std::string(kCompleteAnnotation)] = "true";
    CleanHistory(*rollout, &history);
  }
  MergeChanges(std::move(history), changes);
  Changes sizes;
  // A set comes with the data that its pods are made with, or not at all.
  Changes made;
  if (rollout->current.has_value() && !rollout->paused()) {
    MakeCopies(view, rollout->data.data, now, random, &made);
  }
  for (Revision* revision : rollout->all()) {
    const bool is_new = revision->entry == nullptr;
    WriteRevision(*rollout, revision, is_new ? &made : &sizes);
  }
  sizes.Together(std::move(made));
  MergeChanges(std::move(sizes), changes);
}

}  // namespace

Changes ReconcileRollouts(const View& view, const absl::flat_hash_set<std::string>& taken,
                          absl::Time now, Random* random, Settled* settled) {
  Changes all;
  const Orphans orphans(view, v1::Object::kReplicaSet);
  for (const auto& [key, entry] : view.All(v1::Object::kDeployment)) {
    const v1::ObjectMeta& meta = Meta(entry->object);
    if (meta.has_deletion_timestamp() || !IsOpen(view, meta.namespace_())) continue;
    const bool alone = settled != nullptr && orphans.Matching(entry->object).empty();
    const int64_t version = alone ? VersionOf(view, *entry) : 0;
    if (alone && settled->IsSettled(*entry, version)) continue;
    Changes own;
    std::optional<Rollout> rollout = GatherRollout(view, entry, orphans, taken, now, &own);
    if (!rollout.has_value()) continue;
    Step(view, now, random, &*rollout);
    if (rollout->current.has_value()) NumberCurrent(&*rollout);
    MarkSized(&*rollout);
    WriteRollout(view, now, random, &*rollout, &own);
    if (alone && own.empty() && !own.wake_at.has_value()) settled->Mark(*entry, version);
    Append(std::move(own), &all);
  }
  // Two Deployments may have adopted one set.
  Changes unique;
  MergeChanges(std::move(all), &unique);
  return unique;
}

}  // namespace cluster::controller
