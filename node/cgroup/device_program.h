// Device rules in the kernel: a program of type BPF_PROG_TYPE_CGROUP_DEVICE on a group of the v2
// tree. It works there also on hybrid machines, whose v2 tree has no controllers. See bpf(2).
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "base/unique_handle.h"
#include "node/cgroup/device_rules.h"

namespace cluster::node {

// Loaded programs, one per set of rules: loading costs a millisecond, attaching microseconds.
// Thread-safe.
class DevicePrograms {
 public:
  // Ok when this kernel and these privileges have such programs; else what bpf(2) says
  // (PermissionDenied, InvalidArgument, Unimplemented).
  static absl::Status Probe();

  // From now on these rules hold for the group behind `directory` (O_PATH is enough), all the time:
  // a program that was there is replaced in one step. AllDevices takes it away.
  absl::Status Attach(int directory, const DeviceRules& rules);

 private:
  absl::StatusOr<int> Load(const DeviceRules& rules);

  Mutex mutex_;
  std::map<std::string, UniqueFd> loaded_ ABSL_GUARDED_BY(mutex_);  // by the rules' text
};

}  // namespace cluster::node
