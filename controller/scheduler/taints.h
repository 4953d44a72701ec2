// Taints of nodes and what pods put up with.
#pragma once

#include <string>

#include "cluster/v1/node.pb.h"
#include "cluster/v1/pod.pb.h"

namespace cluster::controller {

// True when one of the tolerations covers the taint.
bool Tolerates(const v1::PodSpec& spec, const v1::Taint& taint);

// The node takes no new pods and this one does not put up with that.
bool IsCordonedFor(const v1::PodSpec& spec, const v1::Node& node);

// The first taint that keeps the pod away (NoSchedule, NoExecute), or nullptr. Memory pressure
// keeps away those alone that request nothing: what others request is theirs.
const v1::Taint* UntoleratedTaint(const v1::PodSpec& spec, const v1::Node& node);

// How many PreferNoSchedule taints the pod does not tolerate.
int UnwelcomeTaints(const v1::PodSpec& spec, const v1::Node& node);

// "{key: value}", as in messages.
std::string TaintText(const v1::Taint& taint);

}  // namespace cluster::controller
