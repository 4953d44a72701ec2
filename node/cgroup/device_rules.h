// Which device nodes the processes of a group may make and open. Pure: rules become either the
// writes of the v1 devices controller or a program for BPF_CGROUP_DEVICE (bpf(2)), which the v2
// tree has instead of a controller.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/cgroup/control_write.h"

namespace cluster::node {

enum class DeviceKind { kAny, kChar, kBlock };

struct DeviceRule {
  bool allow = false;
  DeviceKind kind = DeviceKind::kAny;
  std::optional<uint32_t> major;  // none = every
  std::optional<uint32_t> minor;
  bool read = false;
  bool write = false;
  bool make = false;  // mknod(2)
  friend bool operator==(const DeviceRule&, const DeviceRule&) = default;
};

// The last rule that speaks of an access decides; what no rule speaks of is denied. An allowing
// rule speaks of an access when it covers all of it (a node opened for reading and writing needs
// both), a denying one when it covers a part.
using DeviceRules = std::vector<DeviceRule>;

// What a container may do by default: make any node, but open only those that are harmless (null,
// zero, full, random, urandom, tty, console, ptmx, ptys).
DeviceRules DefaultDevices();
// Everything: a privileged container.
DeviceRules AllDevices();

// "c 1:3 rwm", "b *:* m", "a *:* rwm".
std::string DeviceText(const DeviceRule& rule);

// The writes to devices.allow and devices.deny of a v1 group, in order. The kernel's list holds
// either all that is allowed or all that is denied, so a denial of a part of what an earlier rule
// allowed does nothing there; programs have no such gap.
std::vector<ControlWrite> PlanDeviceWrites(const DeviceRules& rules);

// The same as a program: returns 1 to allow. At most about 9 instructions per rule.
std::vector<bpf_insn> CompileDevices(const DeviceRules& rules);

}  // namespace cluster::node
