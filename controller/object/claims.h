// Claims and the pods that use them. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "cluster/v1/object.pb.h"

namespace cluster::controller {

// On every claim: it goes after its last pod, and after its node has removed the data.
inline constexpr absl::string_view kClaimFinalizer = "kubernetes.io/pvc-protection";

// Store keys of the claims that the pod's volumes are, in the order of its spec, each once.
std::vector<std::string> ClaimKeysOf(const v1::Pod& pod);

// The pod has a node and has not ended: what it claims is in use.
bool UsesItsClaims(const v1::Pod& pod);

// Pending and guarded, where it is not yet.
void PrepareClaim(v1::PersistentVolumeClaim* claim);
// Its data is on this node from now on.
void BindClaim(const std::string& node, v1::PersistentVolumeClaim* claim);

bool HasFinalizer(const v1::ObjectMeta& meta, absl::string_view finalizer);
void RemoveFinalizer(absl::string_view finalizer, v1::ObjectMeta* meta);

}  // namespace cluster::controller
