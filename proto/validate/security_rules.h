// What pods may ask for of users, namespaces, capabilities and system calls.
#pragma once

#include "cluster/v1/pod.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// The pod's own settings and the securityContext of each of its containers.
void CheckSecurity(const v1::PodSpec& spec, const Path& path, Findings* findings);

}  // namespace cluster
