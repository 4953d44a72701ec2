#include "controller/object/claims.h"

#include <algorithm>

#include "proto/schema/kinds.h"

namespace cluster::controller {

std::vector<std::string> ClaimKeysOf(const v1::Pod& pod) {
  std::vector<std::string> keys;
  for (const v1::Volume& volume : pod.spec().volumes()) {
    if (!volume.has_persistent_volume_claim()) continue;
    std::string key = Key(KindOf(v1::Object::kPersistentVolumeClaim), pod.metadata().namespace_(),
                          volume.persistent_volume_claim().claim_name());
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
  }
  return keys;
}

bool UsesItsClaims(const v1::Pod& pod) {
  const v1::PodPhase phase = pod.status().phase();
  return !pod.spec().node_name().empty() && phase != v1::POD_PHASE_SUCCEEDED &&
         phase != v1::POD_PHASE_FAILED;
}

void PrepareClaim(v1::PersistentVolumeClaim* claim) {
  if (claim->status().phase() == v1::CLAIM_PHASE_UNSPECIFIED) {
    claim->mutable_status()->set_phase(v1::CLAIM_PHASE_PENDING);
  }
  v1::ObjectMeta* meta = claim->mutable_metadata();
  if (!HasFinalizer(*meta, kClaimFinalizer)) meta->add_finalizers(std::string(kClaimFinalizer));
}

void BindClaim(const std::string& node, v1::PersistentVolumeClaim* claim) {
  v1::PersistentVolumeClaimStatus* status = claim->mutable_status();
  status->set_phase(v1::CLAIM_PHASE_BOUND);
  status->set_node_name(node);
  *status->mutable_access_modes() = claim->spec().access_modes();
  *status->mutable_capacity() = claim->spec().resources().requests();
}

bool HasFinalizer(const v1::ObjectMeta& meta, absl::string_view finalizer) {
  return std::find(meta.finalizers().begin(), meta.finalizers().end(), finalizer) !=
         meta.finalizers().end();
}

void RemoveFinalizer(absl::string_view finalizer, v1::ObjectMeta* meta) {
  auto* finalizers = meta->mutable_finalizers();
  finalizers->erase(std::remove(finalizers->begin(), finalizers->end(), finalizer),
                    finalizers->end());
}

}  // namespace cluster::controller
