#include "controller/scheduler/claim_usage.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "controller/object/claims.h"

namespace cluster::controller {
namespace {

std::string NameIn(const std::string& key) { return key.substr(key.rfind('/') + 1); }

}  // namespace

ClaimUsage::ClaimUsage(const View& view) {
  for (const auto& [key, entry] : view.All(v1::Object::kPersistentVolumeClaim)) {
    const v1::PersistentVolumeClaim& stored = entry->object.persistent_volume_claim();
    const auto& modes = stored.spec().access_modes();
    Claim claim;
    claim.name = stored.metadata().name();
    claim.node = stored.status().node_name();
    claim.node_gone =
        !claim.node.empty() && view.Find(v1::Object::kNode, "", claim.node) == nullptr;
    claim.deleting = stored.metadata().has_deletion_timestamp();
    claim.one_pod =
        std::find(modes.begin(), modes.end(), v1::ACCESS_MODE_READ_WRITE_ONCE_POD) != modes.end();
    claims_[key] = std::move(claim);
  }
  if (claims_.empty()) return;
  for (const auto& [key, entry] : view.All(v1::Object::kPod)) {
    const v1::Pod& pod = entry->object.pod();
    if (pod.spec().volumes().empty() || !UsesItsClaims(pod)) continue;
    Place(pod.metadata().name(), ClaimKeysOf(pod), pod.spec().node_name());
  }
}

void ClaimUsage::Place(const std::string& pod, const std::vector<std::string>& claims,
                       const std::string& node) {
  for (const std::string& key : claims) {
    const auto claim = claims_.find(key);
    if (claim == claims_.end()) continue;
    if (claim->second.node.empty()) claim->second.node = node;
    claim->second.holder = pod;
  }
}

std::string ClaimUsage::Problem(const std::vector<std::string>& claims,
                                const std::string& node) const {
  for (const std::string& key : claims) {
    const auto found = claims_.find(key);
    if (found == claims_.end()) {
      return absl::StrCat("persistentvolumeclaim \"", NameIn(key), "\" not found");
    }
    const Claim& claim = found->second;
    if (claim.deleting) {
      return absl::StrCat("persistentvolumeclaim \"", claim.name, "\" is being deleted");
    }
    if (claim.node_gone) {
      return absl::StrCat("claim \"", claim.name, "\" had its data on ", claim.node,
                          ", which is gone");
    }
    if (!claim.node.empty() && claim.node != node) {
      return absl::StrCat("node(s) were not where the data of claim \"", claim.name, "\" is (",
                          claim.node, ")");
    }
    if (claim.one_pod && !claim.holder.empty()) {
      return absl::StrCat("claim \"", claim.name, "\" is for one pod at a time and pod ",
                          claim.holder, " has it");
    }
  }
  return "";
}

}  // namespace cluster::controller
