// Pods and their templates.
#pragma once

#include "cluster/v1/pod.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// Ports are 1 to this.
inline constexpr int kLastPort = 65535;

void CheckPodSpec(const v1::PodSpec& spec, const Path& path, Findings* findings);

// One container, and nothing that several of them share.
void CheckContainer(const v1::Container& container, const Path& path, Findings* findings);
void CheckEnv(const v1::Container& container, const Path& path, Findings* findings);

// fieldRef of a file: what can change, or is known before the pod has a node.
void CheckVolumeFieldRef(const v1::ObjectFieldSelector& field, const Path& path,
                         Findings* findings);
// resourceFieldRef. `pod`: the container must be named, and one of its; nullptr: it is the
// container's own.
void CheckResourceRef(const v1::ResourceFieldSelector& selector, const v1::PodSpec* pod,
                      const Path& path, Findings* findings);

}  // namespace cluster
