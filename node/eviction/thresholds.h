// When a node is short of something, and how short. Pure.
//
// Thresholds are written as kubelet's: "memory.available<100Mi,nodefs.available<10%". Soft ones
// (--eviction-soft) may be crossed for a while before a pod has to go, and it then may end in
// peace.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

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
  // How long it may be crossed; zero: a hard one, which may not be crossed at all.
  absl::Duration grace = absl::ZeroDuration();
  bool soft() const { return grace > absl::ZeroDuration(); }
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
  bool soft = false;
  friend bool operator==(const Breach&, const Breach&) = default;
};

// memory.available<100Mi, nodefs.available<10%, nodefs.inodesFree<5%, pid.available<10%: kubelet's
// defaults, and its usual advice for the last.
std::vector<Threshold> DefaultThresholds();
// Empty text: none at all. InvalidArgument says which word it did not understand.
absl::StatusOr<std::vector<Threshold>> ParseThresholds(absl::string_view text);

// "memory.available=1m30s,nodefs.available=2m": for each signal how long its soft thresholds may be
// crossed. InvalidArgument says which word it did not understand.
using Graces = std::map<Shortage, absl::Duration>;
absl::StatusOr<Graces> ParseGraces(absl::string_view text);
// The thresholds as soft ones. InvalidArgument: one without a grace, or a grace for none of them.
absl::StatusOr<std::vector<Threshold>> Soften(std::vector<Threshold> thresholds,
                                              const Graces& graces);

// In the order of Shortage; of two for one shortage a hard one, then the sharper breach.
std::vector<Breach> Breaches(const std::vector<Threshold>& thresholds, const NodeNumbers& numbers);

// Thresholds over time.
class CrossedThresholds {
 public:
  explicit CrossedThresholds(std::vector<Threshold> thresholds);
  // What was seen at this moment of the monotonic clock. Those about which something is to be done:
  // hard ones that are crossed, and soft ones that were crossed at every look for as long as they
  // may be.
  std::vector<Threshold> Due(const NodeNumbers& numbers, absl::Duration now);

 private:
  const std::vector<Threshold> thresholds_;
  std::vector<absl::Duration> crossed_since_;  // infinite: it is not
};

// "memory.available", "nodefs.inodesFree", ...
absl::string_view SignalName(Shortage shortage);
// "memory", "ephemeral-storage", "inodes", "pids": what a message calls it.
absl::string_view ResourceName(Shortage shortage);
// The node condition that tells of it: MemoryPressure, DiskPressure, PIDPressure.
absl::string_view ConditionName(Shortage shortage);
// "100Mi", "12%", "400": an amount of what it is about.
std::string AmountText(Shortage shortage, int64_t amount);

}  // namespace cluster::node
