// What containers ask for, and what a pod's own annotations ask of its node.
#pragma once

#include "cluster/v1/pod.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

void CheckResources(const v1::ResourceRequirements& resources, const Path& path,
                    Findings* findings);
void CheckResizePolicies(const v1::Container& container, const Path& path, Findings* findings);
// Of a pod or a template; `path` is that of the metadata.
void CheckTuning(const v1::ObjectMeta& meta, const Path& path, Findings* findings);

}  // namespace cluster
