// Which nodes a pod asks for: nodeName, nodeSelector and required node affinity; and pods that are
// meant for one node alone. Pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

#include "cluster/v1/node.pb.h"
#include "cluster/v1/pod.pb.h"

namespace cluster::controller {

// nodeName (where there is one), nodeSelector and required node affinity.
bool WantsNode(const v1::PodSpec& spec, const v1::Node& node);

// Makes the pod one of this node alone, as Kubernetes' daemon controller does: required node
// affinity to the field metadata.name. The scheduler binds it once it fits there.
void PinToNode(const std::string& node, v1::PodSpec* spec);
// The node that the pod is bound or pinned to; "" when it may run on any.
std::string PinnedNode(const v1::PodSpec& spec);

}  // namespace cluster::controller
