// linux.resources of config.json: what a container may use. Plain values; what they mean for the
// kernel is in cgroup_plan.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cluster::oci {

struct DeviceRule {
  bool allow = false;
  char type = 'a';     // 'a', 'b', 'c'
  int64_t major = -1;  // -1 = any
  int64_t minor = -1;  // -1 = any
  std::string access;  // of "rwm"
  friend bool operator==(const DeviceRule&, const DeviceRule&) = default;
};

struct MemoryResources {
  std::optional<int64_t> limit;  // bytes; -1 = none, here and below
  std::optional<int64_t> reservation;
  std::optional<int64_t> swap;  // memory and swap together
  std::optional<uint64_t> swappiness;
  std::optional<bool> disable_oom_killer;
  std::optional<bool> use_hierarchy;
  bool check_before_update = false;
};

struct CpuResources {
  std::optional<uint64_t> shares;
  std::optional<int64_t> quota;  // microseconds; <= 0 = none
  std::optional<uint64_t> period;
  std::optional<uint64_t> burst;
  std::optional<int64_t> realtime_runtime;
  std::optional<uint64_t> realtime_period;
  std::optional<int64_t> idle;
  std::string cpus;
  std::string mems;
};

struct DeviceWeight {
  int64_t major = 0;
  int64_t minor = 0;
  std::optional<uint16_t> weight;
  std::optional<uint16_t> leaf_weight;
};

struct DeviceThrottle {
  int64_t major = 0;
  int64_t minor = 0;
  uint64_t rate = 0;
};

struct BlockResources {
  std::optional<uint16_t> weight;
  std::optional<uint16_t> leaf_weight;
  std::vector<DeviceWeight> weight_devices;
  std::vector<DeviceThrottle> read_bps;
  std::vector<DeviceThrottle> write_bps;
  std::vector<DeviceThrottle> read_iops;
  std::vector<DeviceThrottle> write_iops;
};

struct HugepageLimit {
  std::string page_size;  // "2MB"
  uint64_t limit = 0;
};

struct RdmaLimit {
  std::optional<uint32_t> handles;
  std::optional<uint32_t> objects;
};

struct InterfacePriority {
  std::string name;
  uint32_t priority = 0;
};

struct Resources {
  std::vector<DeviceRule> devices;
  MemoryResources memory;
  CpuResources cpu;
  std::optional<int64_t> pids_limit;
  BlockResources block;
  std::vector<HugepageLimit> hugepages;
  std::optional<uint32_t> network_class;
  std::vector<InterfacePriority> network_priorities;
  std::map<std::string, RdmaLimit> rdma;       // by device
  std::map<std::string, std::string> unified;  // v2 file -> value
};

}  // namespace cluster::oci
