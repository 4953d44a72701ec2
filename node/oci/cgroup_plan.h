// What linux.resources means for the control files of a group. Pure: the plan is a list of writes,
// applied by cgroup_group.h. Kernel documentation: admin-guide/cgroup-v1, cgroup-v2.rst.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "node/cgroup/device_rules.h"
#include "node/cgroup/layout.h"
#include "node/oci/resources.h"

namespace cluster::oci {

// One write to a control file of a group.
//
// Some values are only legal beside others (a quota and its period, a limit and that of memory and
// swap): what the kernel refuses with EINVAL is written once more after the rest of the plan.
struct GroupWrite {
  std::string controller;  // "cpu", "memory", ...; "" = any v2 group
  bool v2 = false;
  std::string file;
  std::string value;
  // Instead, where the kernel has no such file ("" = then it is an error).
  std::string other_file;
  std::string other_value;
  bool optional = false;  // without the file nothing is lost
  friend bool operator==(const GroupWrite&, const GroupWrite&) = default;
};

// The devices that every container may use (runtime-spec, "Default Devices"), as rules that follow
// those of config.json.
std::vector<DeviceRule> DefaultDeviceRules();

// The device rules as those of a program for the v2 group; none where a v1 controller has them, for
// which PlanResources has the writes. AllDevices when nothing is denied.
std::optional<node::DeviceRules> PlanDeviceProgram(const node::CgroupLayout& layout,
                                                   const std::vector<DeviceRule>& rules);

// In the order in which to write. Device rules on v2 are a program and not part of it.
// FailedPrecondition: the machine has no hierarchy with a controller that is asked for.
// InvalidArgument: values that contradict each other.
absl::StatusOr<std::vector<GroupWrite>> PlanResources(const node::CgroupLayout& layout,
                                                      const Resources& resources);

// The v1 lines: "c 1:3 rwm", "a *:* rwm".
std::string DeviceLine(const DeviceRule& rule);

}  // namespace cluster::oci
