// The mounts of type cgroup: what a container sees of its groups. Runs in the container's process,
// before it has left the host's root.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

#include "node/cgroup/layout.h"
#include "node/oci/config.h"

namespace cluster::oci {

struct CgroupMountInputs {
  const Config* config;
  const node::CgroupLayout* layout;
  std::string group;  // the container's, below every mount point
  int root;           // of the container, O_PATH
  std::string path;   // where to mount in it
  uint64_t attributes;
};

// With a cgroup namespace a file system of it; without, the container's own group alone is bound
// there: the machine's is nothing it should see. Beside v1 hierarchies all of them below a tmpfs,
// as on the host.
absl::Status MountCgroups(const CgroupMountInputs& inputs);

}  // namespace cluster::oci
