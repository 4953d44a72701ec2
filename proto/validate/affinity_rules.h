// Where a pod wants to be: affinities and spread constraints.
#pragma once

#include "cluster/v1/pod.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

void CheckAffinity(const v1::Affinity& affinity, const Path& path, Findings* findings);
void CheckSpreadConstraints(const v1::PodSpec& spec, const Path& path, Findings* findings);

}  // namespace cluster
