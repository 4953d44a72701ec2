#include "controller/reconcile/stateful_identity.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "controller/reconcile/set_pods.h"

namespace cluster::controller {
namespace {

// The claims stand in for volumes of the same name.
void AddClaimVolumes(const v1::StatefulSet& set, int ordinal, v1::PodSpec* spec) {
  for (const v1::PersistentVolumeClaim& claim : set.spec().volume_claim_templates()) {
    const std::string& name = claim.metadata().name();
    v1::Volume* volume = nullptr;
    for (v1::Volume& each : *spec->mutable_volumes()) {
      if (each.name() == name) volume = &each;
    }
    if (volume == nullptr) volume = spec->add_volumes();
    volume->Clear();
    volume->set_name(name);
    volume->mutable_persistent_volume_claim()->set_claim_name(
        StatefulClaimName(set, name, ordinal));
  }
}

}  // namespace

std::string StatefulPodName(const v1::StatefulSet& set, int ordinal) {
  return absl::StrCat(set.metadata().name(), "-", ordinal);
}

std::optional<int> OrdinalOf(const v1::StatefulSet& set, absl::string_view pod_name) {
  int ordinal = 0;
  if (!absl::ConsumePrefix(&pod_name, set.metadata().name()) ||
      !absl::ConsumePrefix(&pod_name, "-") || !absl::SimpleAtoi(pod_name, &ordinal)) {
    return std::nullopt;
  }
  // "web-01" and "web-+1" are other names than web-1.
  if (ordinal < 0 || absl::StrCat(ordinal) != pod_name) return std::nullopt;
  return ordinal;
}

std::string StatefulClaimName(const v1::StatefulSet& set, const std::string& claim_template,
                              int ordinal) {
  return absl::StrCat(claim_template, "-", set.metadata().name(), "-", ordinal);
}

v1::Pod NewStatefulPod(const v1::Object& owner, const v1::ControllerRevision& revision, int ordinal,
                       const PassInputs& inputs) {
  const v1::StatefulSet& set = owner.stateful_set();
  v1::Pod pod = PodFromTemplate(owner, revision.data(), StatefulPodName(set, ordinal), inputs);
  RestoreIdentity(ordinal, &pod);
  (*pod.mutable_metadata()->mutable_labels())[std::string(kRevisionLabel)] =
      revision.metadata().name();
  pod.mutable_spec()->set_hostname(pod.metadata().name());
  pod.mutable_spec()->set_subdomain(set.spec().service_name());
  AddClaimVolumes(set, ordinal, pod.mutable_spec());
  return pod;
}

bool RestoreIdentity(int ordinal, v1::Pod* pod) {
  const std::string index = absl::StrCat(ordinal);
  const std::string& name = pod->metadata().name();
  if (LabelOf(pod->metadata(), kPodNameLabel) == name &&
      LabelOf(pod->metadata(), kPodIndexLabel) == index) {
    return false;
  }
  auto& labels = *pod->mutable_metadata()->mutable_labels();
  labels[std::string(kPodNameLabel)] = name;
  labels[std::string(kPodIndexLabel)] = index;
  return true;
}

std::string RevisionNameOf(const v1::Pod& pod) { return LabelOf(pod.metadata(), kRevisionLabel); }

}  // namespace cluster::controller
