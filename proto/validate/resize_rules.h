// Which changes of the resources of a pod that exists are a resize.
#pragma once

#include "cluster/v1/pod.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// Sets cpu and memory of `after` back to what `before` has, for a container that may be resized: an
// app container or a sidecar. What differs then is no resize.
void KeepResized(const v1::Container& before, v1::Container* after);

// A resize neither takes a request or limit of cpu or memory away nor changes the QoS class.
void CheckResize(const v1::PodSpec& before, const v1::PodSpec& after, Findings* findings);

}  // namespace cluster
