// When a node is short of something, and how short. Pure.
//
// Thresholds are written as kubelet's: "memory.available<100Mi,nodefs.available<10%".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::node {

enum class Shortage {
  kMemory,       // memory.available: what can be had without swapping
  kMemoryStall,  // memory.stall: percent of the last 10 s in which all work waited for memory
  kDisk,         // nodefs.available: bytes of the file system of the node's state
  kInodes,       // nodefs.inodesFree
  kPids,         // pid.available
};

struct Threshold {
  Shortage shortage = Shortage::kMemory;
  // One of the two: an amount, or a share of what there is in all. Of kMemoryStall it is the share.
  int64_t amount = 0;
  double percent = 0;
  friend bool operator==(const Threshold&, const Threshold&) = default;
};

// What the machine has. Where a total is 0 that resource has no end.
struct NodeNumbers {
  int64_t memory_total = 0;
  int64_t memory_available = 0;
  double memory_stall = 0;  // percent
  int64_t disk_total = 0;
  int64_t disk_available = 0;
  int64_t inodes_total = 0;
  int64_t inodes_free = 0;
  int64_t pids_total = 0;
  int64_t pids_available = 0;
};

// One threshold that is crossed. Bytes or counts; percent for kMemoryStall.
struct Breach {
  Shortage shortage = Shortage::kMemory;
  int64_t threshold = 0;
  int64_t observed = 0;
  friend bool operator==(const Breach&, const Breach&) = default;
};

// memory.available<100Mi, nodefs.available<10%, nodefs.inodesFree<5%, pid.available<10%: kubelet's
// defaults, and its usual advice for the last.
std::vector<Threshold> DefaultThresholds();
// Empty text: none at all. InvalidArgument says which word it did not understand.
absl::StatusOr<std::vector<Threshold>> ParseThresholds(absl::string_view text);

// In the order of Shortage; of two for one shortage the sharper breach.
std::vector<Breach> Breaches(const std::vector<Threshold>& thresholds, const NodeNumbers& numbers);

// "memory.available", "nodefs.inodesFree", ...
absl::string_view SignalName(Shortage shortage);
// "memory", "ephemeral-storage", "inodes", "pids": what a message calls it.
absl::string_view ResourceName(Shortage shortage);
// The node condition that tells of it: MemoryPressure, DiskPressure, PIDPressure.
absl::string_view ConditionName(Shortage shortage);
// "100Mi", "12%", "400": an amount of what it is about.
std::string AmountText(Shortage shortage, int64_t amount);

}  // namespace cluster::node
