// From a pod's spec and what it refers to, to the volumes that must be on the node and what each
// container sees of them. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cluster/v1/session.pb.h"
#include "node/volume/references.h"
#include "node/volume/volume.h"

namespace cluster::node {

// All volumes of the pod, in the order of its spec, with the contents of their files.
// FailedPrecondition (one sentence that names volume and object): something that is not optional
// is missing, or a claim's data is on another node.
absl::StatusOr<std::vector<VolumeSpec>> PlanVolumes(const v1::Assignment& assignment,
                                                    const NodeContext& context);

using VolumeMounts = google::protobuf::RepeatedPtrField<v1::VolumeMount>;

// What a container with these mounts sees. `variables` are those of its manifest, for subPathExpr.
// FailedPrecondition: subPathExpr names an unknown variable, or does not expand to a path inside of
// the volume.
absl::StatusOr<std::vector<VolumeBind>> PlanBinds(
    const v1::PodSpec& spec, const VolumeMounts& mounts,
    const std::map<std::string, std::string>& variables);

// One line per volume, file and bind, for people and golden tests.
std::string Describe(const std::vector<VolumeSpec>& volumes);
std::string Describe(const std::vector<VolumeBind>& binds);

// Stands for all that UpdateVolumes would bring: equal for equal contents.
std::string ContentsOf(const std::vector<VolumeSpec>& volumes);

}  // namespace cluster::node
