// Return to a kept revision of a Deployment.
#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/reconcile/revisions.h"
#include "controller/reconcile/rollout.h"

namespace cluster::controller {
namespace {

// The set to return to, or nullptr.
const v1::ReplicaSet* FindRevision(const std::vector<EntryPtr>& sets, int64_t current,
                                   int64_t wanted) {
  const v1::ReplicaSet* found = nullptr;
  for (const EntryPtr& entry : sets) {
    const v1::ReplicaSet& set = entry->object.replica_set();
    const int64_t revision = RevisionOf(set.metadata());
    if (wanted != 0 ? revision != wanted : revision >= current) continue;
    if (found == nullptr || revision > RevisionOf(found->metadata())) found = &set;
  }
  return found;
}

}  // namespace

absl::StatusOr<UndoPlan> PlanUndo(const View& view, absl::string_view name_space,
                                  absl::string_view name, int64_t to_revision) {
  const EntryPtr entry = view.Find(v1::Object::kDeployment, name_space, name);
  if (entry == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("deployment \"", name, "\" not found in namespace \"", name_space, "\""));
  }
  const v1::Deployment& deployment = entry->object.deployment();
  const auto sets = view.OwnedBy(v1::Object::kReplicaSet, deployment.metadata().uid());
  const v1::ReplicaSet* set = FindRevision(sets, RevisionOf(deployment.metadata()), to_revision);
  if (set == nullptr && to_revision == 0) {
    return absl::NotFoundError(
        absl::StrCat("deployment \"", name, "\" has no earlier revision to return to"));
  }
  if (set == nullptr) {
    return absl::NotFoundError(absl::StrCat("deployment \"", name, "\" has no revision ",
                                            to_revision,
                                            "; see rollout history for the kept ones"));
  }
  const DataVersions data = DataOf(set->metadata());
  v1::PodTemplateSpec pods =
      WithoutCopies(set->spec().template_(), deployment.metadata().namespace_(), data);
  if (SameTemplate(pods, deployment.spec().template_()) &&
      (RevisionOf(set->metadata()) == RevisionOf(deployment.metadata()) || data.empty())) {
    return absl::FailedPreconditionError(absl::StrCat("deployment \"", name,
                                                      "\" already has the template of revision ",
                                                      RevisionOf(set->metadata())));
  }
  UndoPlan plan;
  plan.deployment = deployment;
  plan.from_revision = RevisionOf(set->metadata());
  pods.mutable_metadata()->mutable_labels()->erase(std::string(kTemplateHashLabel));
  *plan.deployment.mutable_spec()->mutable_template_() = std::move(pods);
  if (RollsOnData(deployment.metadata()) && !data.empty()) {
    RETURN_IF_ERROR(
        CheckCopies(view, set->metadata(), set->spec().template_(), plan.from_revision));
    PinData(view, data, WorkloadOf(plan.deployment, sets), plan.deployment.mutable_metadata());
  }
  return plan;
}

}  // namespace cluster::controller
