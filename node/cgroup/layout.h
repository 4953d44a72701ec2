// Where the cgroup hierarchies of this machine are: v1, v2, or both (hybrid). See cgroups(7).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::node {

bool HoldsController(const std::vector<std::string>& controllers, absl::string_view controller);

struct V1Hierarchy {
  std::string mount_point;
  std::vector<std::string> controllers;  // "cpu" and "cpuacct" may share one
  friend bool operator==(const V1Hierarchy&, const V1Hierarchy&) = default;
};

// A v1 hierarchy without controllers, "systemd" being the usual one.
struct NamedHierarchy {
  std::string mount_point;
  std::string name;
  friend bool operator==(const NamedHierarchy&, const NamedHierarchy&) = default;
};

// Huge pages that the machine keeps.
struct HugepagePool {
  int64_t page_bytes = 0;
  int64_t pages = 0;
  friend bool operator==(const HugepagePool&, const HugepagePool&) = default;
};

struct CgroupLayout {
  std::vector<V1Hierarchy> v1;              // those with controllers
  std::vector<NamedHierarchy> named;        // pods have no group there; none without `v1`
  std::string v2_mount_point;               // empty = none
  std::vector<std::string> v2_controllers;  // cgroup.controllers of its root
  std::vector<HugepagePool> hugepages;      // those with pages, smallest first

  // The hierarchy that holds a controller, or null.
  const V1Hierarchy* V1Of(absl::string_view controller) const;
  bool HasV2Controller(absl::string_view controller) const;
  // "v1", "v2" or "hybrid".
  std::string Version() const;
};

// Pure. `mountinfo` is the text of /proc/self/mountinfo (see proc_pid_mountinfo(5)); of several
// mounts of one hierarchy the first whose root is "/" is taken, or else the first. v2_controllers
// stays empty.
CgroupLayout ParseCgroupMounts(absl::string_view mountinfo);

// The pools below `directory` (/sys/kernel/mm/hugepages) that are not empty; none without it.
std::vector<HugepagePool> ReadHugepages(const std::string& directory);

// Reads this process' mounts, and the huge pages of the machine. FailedPrecondition when there is
// no usable hierarchy.
absl::StatusOr<CgroupLayout> DiscoverCgroups();

}  // namespace cluster::node
