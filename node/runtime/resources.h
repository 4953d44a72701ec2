// What a pod and its containers may use of the machine, as the runtime is asked for it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cluster::node {

// Most that a pod may do on one block device; 0 = no limit of its own.
struct DiskLimit {
  std::string device;  // "/dev/sda" or "8:16"; the runtime looks up the numbers
  uint32_t major = 0;
  uint32_t minor = 0;
  int64_t read_bytes_per_second = 0;
  int64_t write_bytes_per_second = 0;
  int64_t reads_per_second = 0;
  int64_t writes_per_second = 0;
  friend bool operator==(const DiskLimit&, const DiskLimit&) = default;
};

// 0 = not set. cpu in thousandths of a core, memory in bytes.
struct Resources {
  int64_t cpu_request_milli = 0;
  int64_t cpu_limit_milli = 0;
  int64_t memory_request = 0;
  int64_t memory_limit = 0;
  int64_t pids_limit = 0;                // 0 = the runtime's default; there always is one
  std::map<int64_t, int64_t> hugepages;  // bytes by page size; a size not named: none of it
  int64_t memory_high = 0;               // where the kernel begins to slow it down
  int64_t io_weight = 0;                 // 1 to 10000
  std::vector<DiskLimit> disks;
  // So many cpus for it alone, where the node gives out such; its share of time is then theirs.
  int32_t whole_cpus = 0;
  friend bool operator==(const Resources&, const Resources&) = default;
};

// What an OOM kill inside of a container takes along. On cgroup v1 kContainer means those kills
// that the container's own or its pod's limit brings about.
enum class OomPolicy { kContainer, kProcess };

enum class Qos { kGuaranteed, kBurstable, kBestEffort };

// New resources of a running pod. Of what is not named all stays as it is.
struct ResizeSpec {
  std::string pod_uid;
  Resources pod;
  struct Container {
    std::string name;
    int32_t attempt = 0;
    Resources resources;
  };
  std::vector<Container> containers;
};

}  // namespace cluster::node
