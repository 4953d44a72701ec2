// From an assignment to what the runtime is asked for. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cluster/v1/session.pb.h"
#include "node/image/image_store.h"
#include "node/pod/environment.h"
#include "node/pod/resolv_conf.h"
#include "node/runtime/runtime.h"

namespace cluster::node {

// InvalidArgument for a quantity that does not parse (the controller refuses those).
absl::StatusOr<Resources> ResourcesOf(const v1::ResourceRequirements& requirements);

// Sums of the containers; a limit only where every container has one.
absl::StatusOr<Resources> ResourcesOf(const v1::PodSpec& spec);

// Unavailable: the node serves no names yet. FailedPrecondition: its host name is too long.
absl::StatusOr<SandboxSpec> SandboxSpecOf(const v1::Pod& pod, const NodeResolver& resolver);

// One "IP name name" line per hostAlias.
std::vector<std::string> HostsLines(const v1::PodSpec& spec);

// FailedPrecondition: something that the pod refers to is missing. `node_memory` scales the OOM
// score.
absl::StatusOr<ContainerSpec> ContainerSpecOf(const v1::Assignment& assignment,
                                              const v1::Container& container, int32_t attempt,
                                              const ImageRecord& image, const NodeContext& context,
                                              int64_t node_memory);

// How soon the kernel picks a process of this container: -997 guaranteed, 1000 best effort, between
// them burstable by its share of the node's memory.
int32_t OomScore(v1::QosClass qos, int64_t memory_request, int64_t node_memory);

}  // namespace cluster::node
