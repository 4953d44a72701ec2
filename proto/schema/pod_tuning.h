// What a pod may ask of the node beyond Kubernetes' fields, in annotations of its own. Pure.
//
//   cluster.v1/oom-policy: container | process
//     What an OOM kill in a container takes along: all of it (the default), or the one process.
//   cluster.v1/io-weight: 1 to 10000
//     The pod's share of a busy disk; without one it has 100.
//   cluster.v1/io-max: /dev/sda rbps=10Mi wbps=5Mi; 8:16 riops=100 wiops=50
//     Most that the pod may do on a disk: bytes and operations, read and written, per second.
//   cluster.v1/on-disconnect: stop | keep
//     What becomes of the pod when its node loses the controller. stop, the default of what exists
//     once (pods of StatefulSets, with claims for one pod): it ends, so that another node may have
//     it. keep: it runs on, and is replaced only by that node.
//   cluster.v1/time-offset-boottime, cluster.v1/time-offset-monotonic: 0 to 1000000000
//     Seconds that these clocks of its containers are ahead of the node's. time_namespaces(7)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "cluster/v1/meta.pb.h"

namespace cluster {

inline constexpr char kTuningPrefix[] = "cluster.v1/";

struct DiskTuning {
  std::string device;  // "/dev/sda" or "8:16"
  int64_t read_bytes_per_second = 0;
  int64_t write_bytes_per_second = 0;
  int64_t reads_per_second = 0;
  int64_t writes_per_second = 0;
  friend bool operator==(const DiskTuning&, const DiskTuning&) = default;
};

enum class OnDisconnect { kUnset, kStop, kKeep };

struct PodTuning {
  OnDisconnect on_disconnect = OnDisconnect::kUnset;
  bool oom_kills_process_alone = false;
  int64_t io_weight = 0;  // 0 = not set
  std::vector<DiskTuning> disks;
  // Either makes a time namespace.
  std::optional<int64_t> boottime_offset;
  std::optional<int64_t> monotonic_offset;
};

// What is wrong with each annotation below kTuningPrefix: its key and one sentence. Sorted by key.
std::vector<std::pair<std::string, std::string>> TuningProblems(const v1::ObjectMeta& meta);

// Of metadata that was validated.
OnDisconnect OnDisconnectOf(const v1::ObjectMeta& meta);

// InvalidArgument with the first of these problems.
absl::StatusOr<PodTuning> ParseTuning(const v1::ObjectMeta& meta);

}  // namespace cluster
