// What may not be done to an object that exists.
#include <algorithm>

#include "absl/strings/str_cat.h"

#include "proto/schema/kinds.h"
#include "proto/schema/pod_resources.h"
#include "proto/validate/difference.h"
#include "proto/validate/findings.h"
#include "proto/validate/job_rules.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/policy_rules.h"
#include "proto/validate/quota_rules.h"
#include "proto/validate/resize_rules.h"
#include "proto/validate/service_rules.h"
#include "proto/validate/validate.h"
#include "proto/validate/volume_rules.h"
#include "proto/validate/workload_rules.h"

namespace cluster {
namespace {

bool Same(const google::protobuf::Message& before, const google::protobuf::Message& after) {
  return FirstDifference(before, after).empty();
}

template <typename Spec>
void CheckSelectorKept(const Spec& before, const Spec& after, Findings* findings) {
  if (Same(before.selector(), after.selector())) return;
  findings->Add(Path("spec") / "selector",
                "the selector cannot change; delete the object and create it anew");
}

void CheckTolerationsKept(const v1::PodSpec& before, const v1::PodSpec& after, Findings* findings) {
  for (const v1::Toleration& old : before.tolerations()) {
    const bool kept = std::any_of(after.tolerations().begin(), after.tolerations().end(),
                                  [&old](const v1::Toleration& each) { return Same(old, each); });
    if (kept) continue;
    findings->Add(Path("spec") / "tolerations",
                  "a toleration of a pod can be added, not removed or changed; put the old ones "
                  "back");
    return;
  }
}

// Follows the image's tag by default, so the policy may change with it.
void AllowImages(const google::protobuf::RepeatedPtrField<v1::Container>& before,
                 google::protobuf::RepeatedPtrField<v1::Container>* allowed) {
  for (int i = 0; i < std::min(before.size(), allowed->size()); ++i) {
    allowed->Mutable(i)->set_image(before.Get(i).image());
    allowed->Mutable(i)->set_image_pull_policy(before.Get(i).image_pull_policy());
  }
}

// It may be set, or come earlier.
void CheckDeadlineKept(const v1::PodSpec& before, const v1::PodSpec& after, Findings* findings) {
  if (!before.has_active_deadline_seconds()) return;
  if (after.has_active_deadline_seconds() &&
      after.active_deadline_seconds() <= before.active_deadline_seconds()) {
    return;
  }
  findings->Add(Path("spec") / "activeDeadlineSeconds",
                absl::StrCat("a deadline can be lowered, not raised or removed; it is ",
                             before.active_deadline_seconds()));
}

// cpu and memory of containers that stay may change, within the pod's class; see resize_rules.h.
template <typename Containers>
void AllowResizes(const Containers& before, Containers* after) {
  for (int i = 0; i < std::min(before.size(), after->size()); ++i) {
    KeepResized(before[i], after->Mutable(i));
  }
}

void AllowSidecarResizes(const v1::PodSpec& before, v1::PodSpec* after) {
  for (int i = 0; i < std::min(before.init_containers_size(), after->init_containers_size()); ++i) {
    if (!IsSidecar(before.init_containers(i).restart_policy())) continue;
    KeepResized(before.init_containers(i), after->mutable_init_containers(i));
  }
}

// All but images, cpu and memory, an earlier deadline and added tolerations is fixed.
void CheckPodKept(const v1::PodSpec& before, const v1::PodSpec& after, Findings* findings) {
  CheckTolerationsKept(before, after, findings);
  CheckDeadlineKept(before, after, findings);
  v1::PodSpec allowed = after;
  *allowed.mutable_tolerations() = before.tolerations();
  allowed.clear_active_deadline_seconds();
  if (before.has_active_deadline_seconds()) {
    allowed.set_active_deadline_seconds(before.active_deadline_seconds());
  }
  AllowImages(before.containers(), allowed.mutable_containers());
  AllowImages(before.init_containers(), allowed.mutable_init_containers());
  AllowResizes(before.containers(), allowed.mutable_containers());
  AllowSidecarResizes(before, &allowed);
  CheckResize(before, after, findings);
  const std::string field = FirstDifference(before, allowed);
  if (field.empty()) return;
  if (field.rfind("ephemeralContainers", 0) == 0) {
    findings->Add(Path("spec") / field,
                  "these are added with clusterctl debug, and stay as they are");
    return;
  }
  findings->Add(
      Path("spec") / field,
      "this cannot change while the pod exists, only images, cpu and memory, an "
      "earlier activeDeadlineSeconds and added tolerations can; delete the pod and create it "
      "anew");
}

template <typename DataObject>
bool SameData(const DataObject& before, const DataObject& after) {
  DataObject plain_before = before;
  DataObject plain_after = after;
  for (DataObject* each : {&plain_before, &plain_after}) {
    each->clear_metadata();
    each->clear_immutable();
  }
  return Same(plain_before, plain_after);
}

template <typename DataObject>
void CheckImmutableData(const DataObject& before, const DataObject& after, Findings* findings) {
  if (!before.immutable()) return;
  if (!after.immutable()) {
    findings->Add(Path("immutable"),
                  "what is immutable stays so; delete the object and create it anew");
  }
  if (!SameData(before, after)) {
    findings->Add(Path("data"),
                  "the object is immutable; create one with another name, or delete it first");
  }
}

void CheckRevisionKept(const v1::ControllerRevision& before, const v1::ControllerRevision& after,
                       Findings* findings) {
  if (Same(before.data(), after.data())) return;
  findings->Add(Path("data"), "what a revision keeps cannot change; create another one");
}

void CheckSecretKept(const v1::Secret& before, const v1::Secret& after, Findings* findings) {
  if (before.type() != after.type()) {
    findings->Add(Path("type"), absl::StrCat("the type of a secret cannot change; it is ",
                                             Quote(before.type()), ", delete it first"));
  }
  CheckImmutableData(before, after, findings);
}

void CheckMetaKept(const v1::ObjectMeta& before, const v1::ObjectMeta& after, Findings* findings) {
  const Path path("metadata");
  if (before.name() != after.name()) {
    findings->Add(path / "name",
                  absl::StrCat("a name cannot change; this is ", Quote(before.name())));
  }
  if (before.namespace_() != after.namespace_()) {
    findings->Add(path / "namespace", absl::StrCat("a namespace cannot change; this lives in ",
                                                   Quote(before.namespace_())));
  }
  if (!after.uid().empty() && before.uid() != after.uid()) {
    findings->Add(path / "uid", absl::StrCat("this is another object, its uid is ", before.uid(),
                                             "; remove metadata.uid to change it"));
  }
  if (!before.has_deletion_timestamp()) return;
  for (int i = 0; i < after.finalizers_size(); ++i) {
    const auto& old = before.finalizers();
    if (std::find(old.begin(), old.end(), after.finalizers(i)) != old.end()) continue;
    findings->Add((path / "finalizers").At(i),
                  "the object is being deleted, so finalizers can only be removed");
  }
}

}  // namespace

std::vector<FieldError> ValidateUpdate(const v1::Object& before, const v1::Object& after) {
  Findings findings;
  if (before.object_case() != after.object_case()) {
    findings.Add(Path("kind"), "a kind cannot change; create another object");
    return findings.Take();
  }
  CheckMetaKept(Meta(before), Meta(after), &findings);
  switch (before.object_case()) {
    case v1::Object::kPod:
      CheckPodKept(before.pod().spec(), after.pod().spec(), &findings);
      break;
    case v1::Object::kDeployment:
      CheckSelectorKept(before.deployment().spec(), after.deployment().spec(), &findings);
      break;
    case v1::Object::kReplicaSet:
      CheckSelectorKept(before.replica_set().spec(), after.replica_set().spec(), &findings);
      break;
    case v1::Object::kStatefulSet:
      CheckStatefulSetKept(before.stateful_set().spec(), after.stateful_set().spec(), &findings);
      break;
    case v1::Object::kDaemonSet:
      CheckSelectorKept(before.daemon_set().spec(), after.daemon_set().spec(), &findings);
      break;
    case v1::Object::kControllerRevision:
      CheckRevisionKept(before.controller_revision(), after.controller_revision(), &findings);
      break;
    case v1::Object::kConfigMap:
      CheckImmutableData(before.config_map(), after.config_map(), &findings);
      break;
    case v1::Object::kSecret:
      CheckSecretKept(before.secret(), after.secret(), &findings);
      break;
    case v1::Object::kPersistentVolumeClaim:
      CheckClaimKept(before.persistent_volume_claim().spec(),
                     after.persistent_volume_claim().spec(), &findings);
      break;
    case v1::Object::kJob:
      CheckJobKept(before.job().spec(), after.job().spec(), &findings);
      break;
    case v1::Object::kResourceQuota:
      CheckQuotaKept(before.resource_quota().spec(), after.resource_quota().spec(), &findings);
      break;
    case v1::Object::kPriorityClass:
      CheckPriorityClassKept(before.priority_class(), after.priority_class(), &findings);
      break;
    case v1::Object::kService:
      CheckServiceKept(before.service().spec(), after.service().spec(), &findings);
      break;
    case v1::Object::kNamespace:
    case v1::Object::kNode:
    case v1::Object::kEvent:
    case v1::Object::kCronJob:
    case v1::Object::kPodDisruptionBudget:
    case v1::Object::kHorizontalPodAutoscaler:
    case v1::Object::kLimitRange:
    case v1::Object::OBJECT_NOT_SET:
      break;
  }
  return findings.Take();
}

}  // namespace cluster
