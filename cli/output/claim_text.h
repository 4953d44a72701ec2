// PersistentVolumeClaims, in kubectl's words. Pure.
#pragma once

#include <string>

#include "cluster/v1/persistentvolumeclaim.pb.h"

namespace cluster::cli {

// Pending, Bound, Lost or Terminating.
std::string ClaimStatusText(const v1::PersistentVolumeClaim& claim);
// "pvc-UID" once it is bound: the directory on its node.
std::string ClaimVolumeText(const v1::PersistentVolumeClaim& claim);
std::string ClaimCapacityText(const v1::PersistentVolumeClaim& claim);
// "RWO,ROX"
std::string AccessModesText(const google::protobuf::RepeatedField<int>& modes);

}  // namespace cluster::cli
