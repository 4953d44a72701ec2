// What a node's report does to what is stored of it and of its pods. Pure.
#pragma once

#include "absl/time/time.h"

#include "cluster/v1/node.pb.h"
#include "cluster/v1/pod.pb.h"

namespace cluster::controller {

inline bool IsTerminal(v1::PodPhase phase) {
  return phase == v1::POD_PHASE_SUCCEEDED || phase == v1::POD_PHASE_FAILED;
}

// The status to store. Phases only move forward (law 2): Pending, Running, then Succeeded or Failed
// for ever. Of each container the restart count only grows, and how an instance ended never
// changes. What the report does not know (a container that it leaves out, the QoS class) stays.
//
// A condition has turned when that is stored, at `now`: times that are waited for (minReadySeconds)
// are of one clock, and not of as many as there are nodes.
v1::PodStatus MergePodStatus(const v1::PodStatus& stored, const v1::PodStatus& reported,
                             absl::Time now);

// Ready is the controller's; the rest of a node's status is its own.
v1::NodeStatus MergeNodeStatus(const v1::NodeStatus& stored, const v1::NodeStatus& reported);

}  // namespace cluster::controller
