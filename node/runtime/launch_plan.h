// From what the runtime is asked for to what cluster-init is told. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/init/plan_writer.h"
#include "node/runtime/runtime.h"

namespace cluster::node {

struct LaunchInputs {
  const ContainerSpec* spec = nullptr;  // both outlive the call
  const SandboxSpec* sandbox = nullptr;
  std::string instance_path;
  std::string etc_directory;  // of the pod; holds hosts, hostname and resolv.conf
  std::string skeleton;       // lowest layer of every container
  // What the pod's id 0 is on the node; none without a user namespace.
  std::optional<uint32_t> first_id;
  bool cgroup2_alone = false;               // the node has no v1 hierarchies
  bool memory_on_v1 = false;                // whose kernel ends no group after an OOM kill
  uint64_t open_files = 0;                  // most that the node may give; 0 = leave it
  std::string filter;                       // compiled seccomp profile; empty = unconfined
  std::vector<PlannedDevice> node_devices;  // for privileged containers
  std::vector<PlannedVolume> volumes;       // the agent's mounts for the spec's volumes
  int64_t log_max_bytes = 0;                // of one file; 0 = no limit
  int log_max_files = 2;
};

LaunchPlan PlanLaunch(const LaunchInputs& inputs);

// The device nodes of the node's own /dev, pseudo terminals apart. Not pure.
std::vector<PlannedDevice> ListNodeDevices(const std::string& dev = "/dev");

}  // namespace cluster::node
