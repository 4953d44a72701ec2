// What the agent tells of its machine.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "cluster/v1/node.pb.h"

namespace cluster::node {

struct FactsOptions {
  std::string node;
  std::string boot_id;
  std::string address;         // InternalIP; empty: none is known
  std::string cgroup_version;  // "v1", "v2" or "hybrid"
  std::string agent_version;
  std::string state_dir;  // its filesystem is the node's ephemeral storage
  // Memory that pods may not have beyond what the system keeps: for them to be evicted in time.
  int64_t kept_memory = 0;
  std::vector<std::pair<int64_t, int64_t>> hugepages;  // size of a page, pages
  std::map<std::string, int64_t> devices;              // "example.com/dongle": how many
};

// Kept back for the kernel, the agent and the pods' keepers; what pods may have at most is the
// rest.
inline constexpr int64_t kReservedMemory = int64_t{128} << 20;

// Pods that a node takes at most.
inline constexpr int64_t kMaxPods = 1000;

// Labels in metadata, capacity, allocatable, addresses and system facts in status; no conditions.
// Reads /proc, /etc/os-release, /etc/machine-id and uname(2); what is missing is left out.
v1::Node ReadFacts(const FactsOptions& options);

// MemTotal of the machine in bytes; 0 when /proc cannot be read.
int64_t MachineMemory();

// The content of RUN-DIR/boot_id; made with random content when missing.
absl::StatusOr<std::string> BootId(const std::string& run_dir);

// The address that the machine would send from towards other machines: of the first interface that
// is up, not loopback and not `bridge`; empty when there is none.
std::string PrimaryAddress(const std::string& bridge);

// 16 random bytes from the kernel.
absl::StatusOr<std::string> RandomBytes16();

}  // namespace cluster::node
